"""Model files: whole or not there, as every other artifact, and none begun on a disk that it would fill."""

import math
import shutil
from collections.abc import Iterable
from pathlib import Path

import keras

from wsseg.errors import InputError


def require_space(path: Path, variables: Iterable[keras.Variable]) -> None:
    """Fail where a file of these variables would not fit on the disk.

    HDF5 does not survive a disk that fills up under it: the process dies with a segmentation fault. So the
    room is looked for beforehand.

    Args:
        path: The file to be written.
        variables: What it shall hold.

    Raises:
        InputError: There is too little room; the message names the file.
    """
    # 4 bytes a number; a data set has up to 4 KiB of its own, the file's tables less than 1 MiB.
    needed = 2**20 + sum(4 * math.prod(variable.shape) + 2**12 for variable in variables)
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise InputError(
            f"cannot write {path}: it needs {needed / 2**20:.0f} MiB, and the disk has "
            f"{free / 2**20:.0f} MiB left; free some space or choose another run folder; what was "
            "already computed is kept, and the same command resumes"
        )


def save_model(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file beside its place, then rename it.

    Args:
        model: Any Keras model.
        path: The `.keras` file.

    Raises:
        InputError: The disk has no room for it.
    """
    optimizer = getattr(model, "optimizer", None)  # a model that was never compiled has no such attribute
    require_space(path, [*model.variables, *(optimizer.variables if optimizer else ())])
    partial = path.with_name(f".{path.name}.partial{path.suffix}")  # Keras goes by the suffix
    model.save(partial)
    partial.replace(path)
