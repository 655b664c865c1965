"""The regions of an image that an annotator would mark, computed from the true mask."""

import numpy as np
from scipy import ndimage

from wsseg.objects.instances import Instances

Region = tuple[int, np.ndarray]
"""The label of a region (0 = background, 1..K), and its pixels `(H, W) bool`."""


def marked_regions(mask: np.ndarray, objects: Instances | None) -> list[Region]:
    """Return the objects and the background.

    Args:
        mask: `(H, W) uint8`: 0 = background, 1..K, 255 = ignore.
        objects: Objects with masks; None if there are no instances: then each connected component of a class is a
            region.

    Returns:
        Non-empty regions. The region of an object contains only pixels that have its class in the mask. Crowds are
        left out.
    """
    if objects is None:
        regions = []
        for class_id in np.setdiff1d(mask, (0, 255)):
            pieces, count = ndimage.label(mask == class_id, np.ones((3, 3)))
            regions += [(int(class_id), pieces == piece) for piece in range(1, count + 1)]
    else:
        regions = [
            (int(class_id), pixels & (mask == class_id))
            for class_id, pixels, crowd in zip(objects.class_ids, objects.masks, objects.crowd)
            if not crowd
        ]
    return [(label, region) for label, region in [*regions, (0, mask == 0)] if region.any()]
