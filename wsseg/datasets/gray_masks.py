"""Masks of one class as gray levels: a pixel above a level belongs to the class of the image's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.image_files import check_format, image_size_hw, read_image

COLOUR = 16
"""Largest difference between the channels of a gray pixel. JPEG files of gray images differ by a few levels."""


@dataclass(frozen=True)
class GrayMasks:
    """Reader of the masks of images that each have one class, or none.

    It tells the class by the image's folder, not by its labels, which may be noisy or corrected.

    Attributes:
        level: Gray level in 0..254; pixels above it belong to the class.
        ids: Folder of the image, as a path -> mask id of its class; 0 for a class that is no object.
        allow_empty: Whether the mask of an image with a class may have no pixel above the level.
    """

    level: int
    ids: Mapping[Path, int]
    allow_empty: bool = False

    def read(self, record: Record) -> np.ndarray:
        """Read a mask. An image without an object whose mask is the image file itself has background only.

        Returns:
            `(H, W) uint8`: 0 = background, or the mask id of the image's class.

        Raises:
            InputError: The file is broken or has colours, or the mask contradicts the image's class.
        """
        number = self.ids[record.image.parent]
        if record.mask == record.image:
            return np.zeros(image_size_hw(record.image), np.uint8)
        above = gray_levels(record.mask) > self.level
        if number and not above.any() and not self.allow_empty:
            raise InputError(
                f"mask {record.mask} has no pixel above {self.level} (`mask_level`), but its image is in the class "
                f"folder of an object; `allow_empty_masks: true` takes the image as background only"
            )
        if not number and above.any():
            raise InputError(
                f"mask {record.mask} has {int(above.sum())} pixels above {self.level} (`mask_level`), but its image "
                "is in a folder of `nothing`, which has no object"
            )
        return above.astype(np.uint8) * np.uint8(number)


def gray_levels(path: Path) -> np.ndarray:
    """Read a mask file of gray levels.

    Returns:
        `(H, W) uint8`. 16-bit levels are divided by 257.

    Raises:
        InputError: The file is broken, has colours, or has transparent pixels.
    """
    pixels = read_image(path)
    if _has_transparency(path):
        raise InputError(
            f"mask {path} has transparent pixels; expected gray levels: save it without transparency"
        )
    if int(np.ptp(pixels, axis=2).max(initial=0)) > COLOUR:
        raise InputError(
            f"mask {path} has colours; expected gray levels, such as 0 and 255: convert it to gray"
        )
    return pixels[..., 1]


def _has_transparency(path: Path) -> bool:
    with Image.open(path) as image:
        check_format(image, path)
        return image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255
