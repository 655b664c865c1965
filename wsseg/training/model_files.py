"""Model files: written atomically, like every other artifact, and only if the disk has room for them."""

import math
import shutil
from collections.abc import Iterable
from pathlib import Path

import keras

from wsseg.errors import InputError


def require_space(path: Path, variables: Iterable[keras.Variable]) -> None:
    """Fail if a file of these variables would not fit on the disk.

    If the disk becomes full while HDF5 writes, the process dies with a segmentation fault. So the free space is checked
    before writing.

    Args:
        path: The file to be written.
        variables: The variables that it will contain.

    Raises:
        InputError: There is too little free space; the message names the file.
    """
    # 4 bytes per number, up to 4 KiB of overhead per data set, and less than 1 MiB for the file's tables.
    needed = 2**20 + sum(4 * math.prod(variable.shape) + 2**12 for variable in variables)
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise InputError(
            f"cannot write {path}: it needs {needed / 2**20:.0f} MiB, and the disk has "
            f"{free / 2**20:.0f} MiB left; free some space or choose another run folder; what was "
            "already computed is kept, and the same command resumes"
        )


def save_model(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file under a temporary name in the same folder, then rename it.

    Args:
        model: Any Keras model.
        path: The `.keras` file.

    Raises:
        InputError: The disk has too little free space.
    """
    optimizer = getattr(model, "optimizer", None)  # a model that was never compiled has no such attribute
    require_space(path, [*model.variables, *(optimizer.variables if optimizer else ())])
    partial = path.with_name(f".{path.name}.partial{path.suffix}")  # Keras chooses the format by the suffix
    model.save(partial)
    partial.replace(path)
