"""Points and scribbles as PNG files, one per image."""

from pathlib import Path

import numpy as np

from wsseg.artifacts import IGNORE, read_mask
from wsseg.errors import InputError


def read_marks(path: Path, num_classes: int, size_hw: tuple[int, int]) -> np.ndarray:
    """Read the marks of one image.

    Args:
        path: An indexed or grayscale PNG: 0 = background stroke, 1..K = classes, 255 = unmarked.
        num_classes: Number of classes K, without the background.
        size_hw: Height and width of the image.

    Returns:
        `(H, W) uint8`.

    Raises:
        InputError: The file is broken, has another size, holds another value, or marks every pixel; the message names
            the file.
    """
    marks = read_mask(path)
    if marks.shape != tuple(size_hw):
        raise InputError(
            f"marks {path} are {marks.shape[1]} x {marks.shape[0]} pixels but their image is {size_hw[1]} x "
            f"{size_hw[0]} (width x height); they must be equal"
        )
    marked = marks[marks != IGNORE]
    if marked.size == marks.size:
        raise InputError(
            f"marks {path} have no unmarked pixel; expected 255 where nothing is drawn (0 is a background stroke)"
        )
    if marked.size and marked.max() > num_classes:
        raise InputError(
            f"marks {path} hold {marked.max()}; expected 0 (background), 1..{num_classes} or 255 (unmarked)"
        )
    return marks
