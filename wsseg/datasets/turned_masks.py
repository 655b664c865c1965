"""Tell whether a mask was drawn on the stored pixels of an image that is shown turned or mirrored.

Orientations 2 to 4 leave the size as it is, so a mask of the stored pixels has the size of the image that is shown and
lies beside the object. What can be measured is whether the mask's outline runs where the image has edges.
"""

from pathlib import Path

import numpy as np
from scipy import ndimage

from wsseg.image_files import stored_size_hw

CERTAIN = 2.0
"""Ratio of the edges under the outline of the turned mask to those under the outline as it is, and to all edges."""

_TURNS = {
    2: lambda mask: mask[:, ::-1],
    3: lambda mask: mask[::-1, ::-1],
    4: lambda mask: mask[::-1],
}
"""EXIF orientation that keeps the size -> function that turns stored pixels as they are shown (CIPA DC-008)."""


def fits_stored_pixels(image: np.ndarray, mask: np.ndarray, orientation: int) -> bool:
    """Tell whether a mask certainly fits an image as it is stored, and not as it is shown.

    Args:
        image: `(H, W, 3) uint8`: the image as it is shown.
        mask: `(H, W)` integers: the mask as it is read.
        orientation: EXIF orientation of the image.

    Returns:
        Whether the edges of the image under the outline of the turned mask are at least `CERTAIN` times as strong as
        under the outline of the mask as it is, and as in the whole image. False if nothing certain can be said.
    """
    turn = _TURNS.get(orientation)
    if turn is None or mask.shape != image.shape[:2]:
        return False
    outline = _outline(mask)
    turned = _outline(turn(mask))
    if not outline.any() or np.array_equal(outline, turned):
        return False
    edges = ndimage.gaussian_gradient_magnitude(image.mean(axis=2), 1.0)
    stored, shown, all_edges = edges[turned].mean(), edges[outline].mean(), edges.mean()
    return bool(stored > 0 and stored >= CERTAIN * max(shown, all_edges))


def why_turned(path: Path, image: np.ndarray, mask: np.ndarray) -> str | None:
    """Return why a mask of an image file does not fit, in words; None if it fits or nothing certain can be said."""
    orientation = stored_size_hw(path)[1]
    if orientation == 1 or not fits_stored_pixels(image, mask, orientation):
        return None
    return (
        f"the mask fits the stored pixels, but the image has the EXIF orientation {orientation} and is read as it is "
        "shown: turn the mask in the same way, or save the image upright"
    )


def _outline(mask: np.ndarray) -> np.ndarray:
    """Return the pixels on either side of a border between two values, without the rim of the image."""
    values = np.asarray(mask)
    edges = np.zeros(values.shape, bool)
    across, down = values[:, 1:] != values[:, :-1], values[1:] != values[:-1]
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    return edges
