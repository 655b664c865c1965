"""Compilation of the CRF's loops by numba, kept on disk."""

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

from numba import njit

OPTIONS = {
    "nogil": True,  # threads over images run side by side
    "error_model": "numpy",  # no test for zero at each division
    "boundscheck": False,
}
SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))


def compiled(function: Callable) -> Callable:
    """Compile `function` at its first call with each combination of argument types, and keep the code on disk.

    numba keeps the code in the folder `NUMBA_CACHE_DIR` if that is set; else in `__pycache__` beside the source; or, if
    that is read-only, in the user's cache folder. If no folder can be written, each process compiles again.

    Args:
        function: Function to compile.

    Returns:
        The compiled function.
    """
    try:
        dispatcher = njit(cache=True, **OPTIONS)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        warnings.warn(
            f"the dense CRF is compiled again in each process, which takes about 10 s ({error}); set NUMBA_CACHE_DIR "
            "to a folder that can be written",
            stacklevel=2,
        )
        return njit(**OPTIONS)(function)
    # numba drops the kept code when the function's own file changes. But the code includes functions of other files in
    # this folder, so a change in any of them must drop it too.
    kept = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if hasattr(kept, "_source_stamp"):
        kept._source_stamp = (kept._source_stamp, SOURCES.hexdigest())
    return dispatcher
