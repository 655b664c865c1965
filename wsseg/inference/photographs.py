"""Photographs as users give them: files and arrays, of any size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.image_files import check_image, read_image

Photograph = str | Path | np.ndarray
"""An image file, or an array `(H, W, 3) uint8` RGB."""


class Photographs(Dataset):
    """Photographs without labels, whose records have the ids 0, 1, 2 ...

    Args:
        photographs: Image files or arrays `(H, W, 3) uint8` RGB.

    Raises:
        InputError: An array has another shape or type.

    Example:
        >>> photographs = Photographs([np.zeros((4, 6, 3), np.uint8), "cat.jpg"])
        >>> photographs.read_image(photographs[0]).shape, photographs[1].image.name
        ((4, 6, 3), 'cat.jpg')
    """

    def __init__(self, photographs: Sequence[Photograph]):
        self._arrays: dict[str, np.ndarray] = {}
        records = []
        for index, photograph in enumerate(photographs):
            if isinstance(photograph, str | Path):
                path = Path(photograph).expanduser()
            else:
                path = Path(f"photograph {index}")
                self._arrays[str(index)] = _checked(photograph)
            records.append(Record(str(index), path, ()))
        super().__init__("photographs", "all", ("any",), records)

    def check(self) -> None:
        """Read every file once.

        Raises:
            InputError: A file is missing or broken; the message names it.
        """
        for record in self:
            if record.id not in self._arrays:
                check_image(record.image, minimum_side=1)

    def read_image(self, record: Record) -> np.ndarray:
        """Return the image, `(H, W, 3) uint8` RGB."""
        array = self._arrays.get(record.id)
        return read_image(record.image) if array is None else array

    def size_hw(self, record: Record) -> tuple[int, int]:
        """Return the height and width of the image."""
        array = self._arrays.get(record.id)
        return super().size_hw(record) if array is None else array.shape[:2]


def _checked(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        hint = "; give a list for several images" if image.ndim == 4 else ""
        raise InputError(
            f"an image must be a path or an array (H, W, 3) uint8 RGB; got {image.shape} {image.dtype}{hint}"
        )
    return image
