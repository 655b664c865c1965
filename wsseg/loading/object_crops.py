"""Crops that show an object: small objects are missed by nearly all crops that lie anywhere."""

import numpy as np

from wsseg.artifacts import IGNORE

ANYWHERE = np.float32([-1, -1])
"""A point outside the image: the crop may lie anywhere."""


def point_to_show(mask: np.ndarray, numbers: np.ndarray, share: float) -> np.ndarray:
    """Choose a pixel of an object that the crop must show, each class of the mask with the same probability.

    nnU-Net makes at least a third of its patches show the foreground in this way (Isensee et al., Nature Methods 2021).

    Args:
        mask: `(H, W)` uint8: 0 = background, 255 = unsure.
        numbers: `(3,)` float in [0, 1): They choose whether an object is shown, its class, and the pixel.
        share: Share of the crops that show an object, in [0, 1].

    Returns:
        `(2,)` float32: The pixel's centre as a share of height and width; `ANYWHERE` if no object has to be shown or
        the mask has none.

    Example:
        >>> mask = np.array([[0, 0], [0, 3]], np.uint8)
        >>> point_to_show(mask, np.float32([0.1, 0.5, 0.5]), 0.33).tolist()
        [0.75, 0.75]
        >>> point_to_show(mask, np.float32([0.9, 0.5, 0.5]), 0.33).tolist()
        [-1.0, -1.0]
    """
    if numbers[0] >= share:
        return ANYWHERE
    counts = np.bincount(mask.ravel(), minlength=IGNORE + 1)
    classes = np.flatnonzero(counts[1:IGNORE]) + 1
    if len(classes) == 0:
        return ANYWHERE
    chosen = classes[int(numbers[1] * len(classes))]
    pixels = np.flatnonzero(mask == chosen)
    y, x = divmod(int(pixels[int(numbers[2] * len(pixels))]), mask.shape[1])
    return np.float32([(y + 0.5) / mask.shape[0], (x + 0.5) / mask.shape[1]])
