"""Image-level labels in a `.npy` file with a dictionary, such as `cls_labels.npy`, read without executing anything.

NumPy saves a dictionary as a pickle, and `numpy.load(..., allow_pickle=True)` runs whatever a prepared pickle asks for.
Here Python's unpickler in Python reads the file, and every name in it must be one of `_STAND_INS`: classes and
functions of this module that only keep what they are given. No function of NumPy, and none that the file names, is
called.
"""

import ast
import io
import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.errors import InputError

EXPECTED = "a file that NumPy saved from a dictionary: image id -> array with one number per class"

_CODES = frozenset({"b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"})
"""Types of the arrays, as NumPy abbreviates them."""


class _Dtype:
    """The type of an array: its abbreviation and byte order."""

    def __init__(self, code: object = "", *rest: object):
        self.code, self.order = code, "<"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1] if isinstance(state, tuple) and len(state) > 1 else None

    def numpy(self) -> np.dtype:
        code = self.code.lstrip("<>=|") if isinstance(self.code, str) else ""
        if code not in _CODES or self.order not in ("<", ">", "|", "="):
            raise ValueError(f"an array of type {str(self.code)[:20]!r}")
        return np.dtype(("<" if self.order in "|=" else self.order) + code)


class _Array:
    """An array: its shape, type and bytes."""

    def __init__(self, *given: object):
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def numpy(self) -> np.ndarray:
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise ValueError("an array without content")
        _, shape, dtype, _, data = self.state
        return _as_array(data, dtype, shape)


def _as_array(data: object, dtype: object, shape: object) -> np.ndarray:
    if (
        not isinstance(dtype, _Dtype)
        or not isinstance(data, bytes | bytearray)
        or not isinstance(shape, tuple)
    ):
        raise ValueError("an array of another form")
    if not all(type(side) is int and side >= 0 for side in shape) or len(shape) > 2:
        raise ValueError("an array of another shape")
    kind = dtype.numpy()
    if math.prod(shape) * kind.itemsize != len(data):
        raise ValueError("an array whose bytes do not fit its shape")
    return np.frombuffer(bytes(data), kind).reshape(shape)


def _reconstruct(*given: object) -> _Array:
    return _Array()


def _frombuffer(data: object = b"", dtype: object = None, shape: object = (), order: object = "C") -> _Array:
    found = _Array()
    found.state = (1, shape, dtype, False, data)
    return found


def _scalar(dtype: object = None, data: object = b"") -> object:
    return _as_array(data, dtype, ()).item()


def _encode(text: object = "", codec: object = "") -> bytes:
    if not isinstance(text, str) or codec not in ("latin1", "latin-1"):
        raise ValueError("text in another encoding")
    return text.encode("latin-1")


_STAND_INS = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
}


class _Unpickler(pickle._Unpickler):  # the one in Python: its memory does not grow with numbers in the file
    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a name."""
        found = _STAND_INS.get((module, name))
        if found is None:
            raise ValueError(f"the name {module}.{name}, which is no array")
        return found

    def persistent_load(self, pid: object) -> Any:
        raise ValueError("a reference to something outside of the file")

    def get_extension(self, code: int) -> Any:
        """Refuse the codes of classes that a program has registered."""
        raise ValueError("a registered class")


def read_npy_labels(path: Path) -> dict[str, np.ndarray]:
    """Read a dictionary of arrays.

    Returns:
        Image id -> `(K,)` numbers. A number that is an id of VOC without its underscore, as IRN and SEAM write it,
        becomes that id: 2007000032 is 2007_000032.

    Raises:
        InputError: The file is missing, or is anything but such a dictionary. Nothing in it is executed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); expected {EXPECTED}") from error
    try:
        found = _read(content)
    except RecursionError:
        raise InputError(f"{path} is nested too deeply; expected {EXPECTED}") from None
    except Exception as error:  # a broken file fails anywhere in the unpickler
        raise InputError(f"{path} holds {error or type(error).__name__}; expected {EXPECTED}") from None
    if len({len(values) for values in found.values()}) != 1:
        raise InputError(f"{path} holds no image, or arrays of different lengths; expected {EXPECTED}")
    return found


def _read(content: bytes) -> dict[str, np.ndarray]:
    if content[:7] != b"\x93NUMPY\x01":
        raise ValueError("no header of NumPy's format 1.0")
    end = 10 + int.from_bytes(content[8:10], "little")
    header = ast.literal_eval(content[10:end].decode("latin-1").strip())
    if header["shape"] != () or header["descr"] != "|O":
        raise ValueError(f"an array of shape {header['shape']} instead of a dictionary")
    file = io.BytesIO(content[end:])
    value = _Unpickler(file, encoding="latin1").load()
    if isinstance(value, _Array) and isinstance(value.state, tuple) and len(value.state) == 5:
        (value,) = value.state[4]  # an array of one object, as NumPy pickles it
    if not isinstance(value, Mapping):
        raise ValueError(f"{type(value).__name__.lstrip('_').lower()} instead of a dictionary")
    result: dict[str, np.ndarray] = {}
    for key, row in value.items():
        if not isinstance(row, _Array) or (isinstance(key, bool) or not isinstance(key, str | int)):
            raise ValueError(f"an entry {str(key)[:40]!r} of another kind")
        array = row.numpy()
        if array.ndim != 1 or not np.isin(array, (0, 1)).all():
            raise ValueError(f"numbers of {str(key)[:40]!r} other than 0 and 1")
        name = str(key)
        name = f"{name[:4]}_{name[4:]}" if isinstance(key, int) and len(name) == 10 else name
        if name in result:
            raise ValueError(f"two entries of {name!r}")
        result[name] = array.astype(np.float32)
    return result
