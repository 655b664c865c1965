"""Signed distances to the boundaries of a mask's classes."""

import numpy as np
from scipy import ndimage


def signed_distances(mask: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the signed distance of each pixel to each foreground class: positive outside, 0 or less inside.

    Outside, the value is the distance to the nearest pixel of the class. Inside, it is 1 minus the distance to the
    nearest pixel outside, so the outermost pixels of the class have 0 (the convention of the boundary loss's public
    code).

    Args:
        mask: `(H, W)` integers; pixels with the ignore value belong to no class.
        num_classes: Number of classes K, background included.

    Returns:
        `(H, W, K - 1)` float32, in pixels, for the classes from 1; 0 for a class that is absent or fills the mask.

    Example:
        >>> signed_distances(np.array([[0, 0, 1, 1, 1]]), 2)[0, :, 0].tolist()
        [2.0, 1.0, 0.0, -1.0, -2.0]
    """
    mask = np.asarray(mask)
    result = np.zeros((*mask.shape, num_classes - 1), np.float32)
    for class_id in range(1, num_classes):
        inside = mask == class_id
        if inside.any() and not inside.all():
            within = ndimage.distance_transform_edt(inside)
            result[..., class_id - 1] = np.where(inside, 1 - within, ndimage.distance_transform_edt(~inside))
    return result
