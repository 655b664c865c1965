"""Simulated points: one click in each object, as an annotator would set it."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from wsseg.annotations.regions import Region
from wsseg.artifacts import IGNORE

JITTER = 0.5
"""Maximum distance of a point from the centre of the inscribed circle, as a share of its radius."""


def simulated_points(regions: Sequence[Region], rng: np.random.Generator, width: int = 3) -> np.ndarray:
    """Draw a dot in each region: at the centre of its largest inscribed circle, plus jitter.

    Args:
        regions: Regions from `marked_regions`, at least one.
        rng: Random generator of the jitter.
        width: Diameter of a dot, pixels; a dot does not leave its region.

    Returns:
        `(H, W) uint8` marks: 0 = background, 1..K, 255 = unmarked.

    Example:
        >>> region = np.zeros((5, 5), bool)
        >>> region[1:4, 1:4] = True
        >>> int((simulated_points([(7, region)], np.random.default_rng(0), width=1) == 7).sum())
        1
    """
    marks = np.full(regions[0][1].shape, IGNORE, np.uint8)
    for label, region in regions:
        marks[dot(inscribed_point(region, rng), region, width)] = label
    return marks


def inscribed_point(region: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """Return `(row, column)` of a pixel of the region, at most `JITTER` radii from the centre of its largest circle.

    The image's border is a border of the region too. If several circles are largest, the first in reading order is
    used.
    """
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    middle = np.unravel_index(depth.argmax(), depth.shape)
    angle, share = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform())  # evenly over the disc
    radius = JITTER * depth[middle] * share
    row, column = np.trunc(radius * np.array([np.sin(angle), np.cos(angle)])).astype(int) + middle
    return int(row), int(column)


def dot(place: tuple[int, int], region: np.ndarray, width: int) -> np.ndarray:
    """Return the pixels `(H, W) bool` of a region within a distance of `width / 2` from the pixel `place`."""
    rows, columns = np.ogrid[: region.shape[0], : region.shape[1]]
    near = (rows - place[0]) ** 2 + (columns - place[1]) ** 2 <= (width / 2) ** 2
    return near & region
