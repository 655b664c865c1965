"""Read MATLAB's .mat files up to version 7.2, the format of some older datasets."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from wsseg.errors import InputError


def read_mat(path: Path, variable: str) -> Any:
    """Read one variable.

    Args:
        path: The file.
        variable: The variable's name.

    Returns:
        An array of two or more axes; for a struct, an object whose attributes are the fields.

    Raises:
        InputError: The file is missing or broken, or holds no such variable; the message names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy warns about truncated files; they fail below
            content = scipy.io.loadmat(
                path, struct_as_record=False, variable_names=[variable], appendmat=False
            )
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except Exception as error:  # scipy raises ValueError, TypeError, OSError, zlib.error, MatReadError ...
        raise InputError(
            f"{path} cannot be read ({error}); expected a MATLAB file, version 5 to 7.2"
        ) from error
    if variable not in content:
        raise InputError(f"{path} holds no variable `{variable}`; is it a file of another dataset?")
    value = content[variable]
    return value.flat[0] if value.dtype == object and value.size == 1 else value


def read_id_map(value: Any, what: str) -> np.ndarray:
    """Return a map of ids as `(H, W)` integers.

    Args:
        value: Variable or field of a .mat file, of any numeric type.
        what: Name of the value in the error message.

    Raises:
        InputError: The value is not such a map.
    """
    ids = np.asarray(value)
    if ids.dtype.kind == "f" and (np.abs(ids) < 2**31).all() and (ids == np.rint(ids)).all():
        ids = ids.astype(np.int64)
    if ids.ndim != 2 or ids.dtype.kind not in "iu":
        raise InputError(f"{what} must be a matrix of whole numbers; got {ids.shape} {ids.dtype}")
    return ids
