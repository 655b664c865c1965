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
    """Compile `function` at its first call, for each combination of argument types; keep the code on disk.

    numba keeps it in `__pycache__` beside the source; where that is read-only, in the user's cache folder; and
    where `NUMBA_CACHE_DIR` says, if that is set. Where none can be written, each process compiles anew.

    Args:
        function: The function.

    Returns:
        It, compiled.
    """
    try:
        dispatcher = njit(cache=True, **OPTIONS)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        warnings.warn(
            f"the dense CRF is compiled anew in each process, which takes some 10 s ({error}); set NUMBA_CACHE_DIR "
            "to a folder that can be written",
            stacklevel=2,
        )
        return njit(**OPTIONS)(function)
    # What is kept belongs to the function's own file as numba sees it, though it holds code of others here too: a
    # change in any of them must make it void.
    kept = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if hasattr(kept, "_source_stamp"):
        kept._source_stamp = (kept._source_stamp, SOURCES.hexdigest())
    return dispatcher
