"""Simulated boxes: the tight boxes of the objects, enlarged at random."""

from collections.abc import Sequence

import numpy as np

from wsseg.annotations.regions import Region
from wsseg.errors import InputError
from wsseg.objects.instances import Instances, boxes_of_masks


def simulated_boxes(regions: Sequence[Region], rng: np.random.Generator, loosened: float = 0.0) -> Instances:
    """Draw a box around each object.

    Args:
        regions: Regions from `marked_regions`, at least one; the background gets no box.
        rng: Random generator of the distances.
        loosened: Maximum distance of each side from the tight box, as a share of the box's width or height. The
            distance is uniform from 0 to this share; boxes are clipped to the image.

    Returns:
        The boxes, without masks.

    Raises:
        InputError: `loosened` is negative.

    Example:
        >>> region = np.zeros((4, 6), bool)
        >>> region[1:3, 2:5] = True
        >>> simulated_boxes([(3, region)], np.random.default_rng(0)).boxes_xyxy.tolist()
        [[2.0, 1.0, 5.0, 3.0]]
    """
    if not loosened >= 0:
        raise InputError(f"`loosened` must be 0 or more; got {loosened}; try 0.1")
    height, width = regions[0][1].shape
    objects = [(label, region) for label, region in regions if label]
    boxes = boxes_of_masks(np.array([region for _, region in objects], bool).reshape(-1, height, width))
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2) * [-1, -1, 1, 1]
    loose = boxes + sides * rng.uniform(0, loosened, boxes.shape)
    loose = np.clip(loose, 0, [width, height, width, height])
    return Instances([label for label, _ in objects], loose, (height, width))
