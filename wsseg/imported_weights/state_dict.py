"""Read a PyTorch state dict from a file, never running what an arbitrary pickle asks for."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.errors import InputError

SUFFIXES = (".safetensors", ".pth", ".pt")
OLDEST_SAFE = (2, 10)
"""Before, a prepared file could get around PyTorch's `weights_only` (CVE-2025-32434, CVE-2026-24747)."""


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a state dict.

    `.safetensors` needs the library safetensors only. `.pth` and `.pt` are pickles: they are read by
    `torch.load(weights_only=True)`, which makes tensors and plain containers and refuses everything else.

    Args:
        path: A `.safetensors`, `.pth` or `.pt` file.

    Returns:
        Tensor name -> array in PyTorch's layout, in the file's order; of any float type, as float32.

    Raises:
        InputError: No such file, another kind of file, a broken one, one that holds other things than
            tensors, or the library that reads it is not installed.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"weights file {path} does not exist; give a {', '.join(SUFFIXES)} file")
    if path.suffix not in SUFFIXES:
        raise InputError(f"weights file {path} must be named {' or '.join('*' + s for s in SUFFIXES)}")
    state = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    if not state:
        raise InputError(f"weights file {path} holds no tensor; give a network's state dict")
    return state


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise InputError(f"{path} needs the library safetensors: pip install safetensors") from None
    try:
        tensors = load_file(path)
    except Exception as error:  # SafetensorError, KeyError, TypeError ...: by what is wrong with the file
        raise InputError(
            f"weights file {path} cannot be read ({error}): it is broken, incomplete, or no safetensors file; "
            "get it again"
        ) from error
    return {name: _single_precision(array) for name, array in tensors.items()}


def _torch(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError:
        raise InputError(
            f'{path} needs PyTorch: pip install "wsseg[torch]"; or convert it where PyTorch is: '
            "safetensors.torch.save_file(state_dict, 'weights.safetensors')"
        ) from None
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < OLDEST_SAFE:
        raise InputError(
            f"{path} needs PyTorch {'.'.join(map(str, OLDEST_SAFE))} or newer; this is {torch.__version__}, which a "
            "prepared file can make run code; or convert the file to safetensors"
        )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")  # what follows is our say
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"weights file {path} is refused: it is broken, or holds other Python objects than tensors, and "
            "loading those could run any code; save the network's `state_dict()` alone"
        ) from error
    except Exception as error:  # RuntimeError, EOFError, OSError ...: by where the file is broken
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"weights file {path} cannot be read ({first_line}): it is broken, incomplete, or no state dict; "
            "get it again"
        ) from error
    if not (isinstance(content, dict) and all(isinstance(value, torch.Tensor) for value in content.values())):
        raise InputError(
            f"weights file {path} holds {_in_words(content)}, not tensors by name; save the network's "
            "`state_dict()` alone"
        )
    return {
        name: _single_precision((value.float() if value.is_floating_point() else value).numpy())
        for name, value in content.items()
    }


def _single_precision(array: np.ndarray) -> np.ndarray:
    """Return counters as they are, all else as float32 (bfloat16 is no float to NumPy)."""
    return array if array.dtype.kind in "iub" else np.asarray(array, np.float32)


def _in_words(content: Any) -> str:
    if isinstance(content, dict):
        return "the entries " + ", ".join(f"`{key}`" for key in list(content)[:5])
    return f"a {type(content).__name__}"
