"""IoU of masks, and of their boundaries. NumPy, SciPy and pycocotools."""

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask

from wsseg.errors import InputError


def mask_iou(masks: np.ndarray, others: np.ndarray, crowd: Sequence[bool] | None = None) -> np.ndarray:
    """Return the intersection over union of each mask with each other mask.

    Args:
        masks: `(N, H, W)` bool.
        others: `(M, H, W)` bool.
        crowd: `(M,)` bool: which of `others` are regions of many objects. For these the result is the intersection
            over the area of the *mask*, as in COCO. None if there are no crowds.

    Returns:
        `(N, M)` float64 in [0, 1]; two empty masks have 0.

    Raises:
        InputError: The shapes do not fit.

    Example:
        >>> one, two = np.array([[[1, 1, 0]]], bool), np.array([[[1, 1, 1]], [[0, 1, 1]]], bool)
        >>> mask_iou(one, two).round(3).tolist(), mask_iou(one, two, crowd=[True, False]).round(3).tolist()
        ([[0.667, 0.333]], [[1.0, 0.333]])
    """
    masks, others = _checked(masks, others)
    crowd = np.zeros(len(others), bool) if crowd is None else np.asarray(crowd, bool)
    if crowd.shape != (len(others),):
        raise InputError(f"`crowd` must be ({len(others)},), one for each of `others`; got {crowd.shape}")
    if not len(masks) or not len(others):
        return np.zeros((len(masks), len(others)))
    one, two = (
        coco_mask.encode(np.asfortranarray(stack.transpose(1, 2, 0), np.uint8)) for stack in (masks, others)
    )
    return coco_mask.iou(one, two, crowd.astype(np.uint8).tolist())


def boundary_iou(masks: np.ndarray, others: np.ndarray, ratio: float = 0.02) -> np.ndarray:
    r"""Return the boundary IoU of each mask with each other mask.

    $\frac{|(G_d \cap G) \cap (P_d \cap P)|}{|(G_d \cap G) \cup (P_d \cap P)|}$: the IoU of those pixels of the masks
    that lie within $d$ of their outlines. Plain IoU is hardly sensitive to the outline of a large object; boundary IoU
    is. Masks thinner than $2 d$ consist of boundary only, so their boundary IoU is the plain IoU.

    Args:
        masks: `(N, H, W)` bool.
        others: `(M, H, W)` bool.
        ratio: $d$ as a share of the image's diagonal.

    Returns:
        `(N, M)` float64 in [0, 1]; two empty masks have 0.

    Raises:
        InputError: The shapes do not fit, or `ratio` is not positive.

    Example:
        >>> masks = np.zeros((2, 40, 40), bool)
        >>> masks[0, 4:36, 4:36] = masks[1, 4:36, 6:36] = True
        >>> [float(score(masks[:1], masks[1:]).round(3)[0, 0]) for score in (mask_iou, boundary_iou)]
        [0.938, 0.584]

    References:
        Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation, CVPR 2021, equation 3;
        d of 2 % of the diagonal from section 4 †.
    """
    masks, others = _checked(masks, others)
    return mask_iou(boundary_region(masks, ratio), boundary_region(others, ratio))


def boundary_region(masks: np.ndarray, ratio: float = 0.02) -> np.ndarray:
    """Return the pixels of masks whose distance to a pixel outside the mask is at most d.

    As in the paper's code, d is rounded to whole pixels and is at least 1, distances are measured in a square window
    (maximum norm), and everything beyond the image's border counts as outside: a mask that is cut off by the border
    has a boundary there †.

    Args:
        masks: `(..., H, W)` bool.
        ratio: d as a share of the image's diagonal.

    Returns:
        `(..., H, W)` bool.

    Raises:
        InputError: `ratio` is not positive.
    """
    from scipy.ndimage import minimum_filter  # imported here: the import takes 0.2 seconds

    if not ratio > 0:
        raise InputError(f"`ratio` must be positive; got {ratio}; try 0.02")
    masks = np.asarray(masks, bool)
    distance = max(round(ratio * float(np.hypot(*masks.shape[-2:]))), 1)
    size = (1,) * (masks.ndim - 2) + (2 * distance + 1,) * 2
    inner = minimum_filter(masks.view(np.uint8), size=size, mode="constant", cval=0) if masks.size else masks
    return masks & (inner == 0)


def _checked(masks: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    masks, others = np.asarray(masks, bool), np.asarray(others, bool)
    if masks.ndim != 3 or others.ndim != 3 or masks.shape[1:] != others.shape[1:]:
        raise InputError(
            f"`masks` and `others` must be (N, H, W) and (M, H, W) of one size; got {masks.shape} and {others.shape}"
        )
    return masks, others
