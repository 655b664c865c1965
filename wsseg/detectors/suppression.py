"""Non-maximum suppression of a whole batch, inside the graph."""

from keras import ops

from wsseg.detectors.boxes import pairwise_iou


def suppress(boxes, there, level: float, groups=None):
    """Return which boxes are kept: those that overlap no better box that is kept.

    The result is that of greedy suppression. It is computed as the unique fixed point of "a box is kept if and only if
    no better kept box overlaps it". The iteration starts with all boxes. Each round decides at least the best undecided
    box, usually most of them, and it stops when a round changes nothing. keras-cv's layer gives the same result, but
    works in tiles of 512 boxes: with 256 boxes of 128 x 128 images it takes eight times as long.

    Args:
        boxes: `(B, N, 4)` xyxy, best first.
        there: `(B, N)` bool: whether a box is valid; the others are never kept.
        level: Maximum IoU of two boxes that are kept; above it, the worse one is removed.
        groups: `(B, N)` int: group of each box. Only boxes of the same group suppress each other. None for one group.

    Returns:
        `(B, N)` bool: whether a box is kept.

    Example:
        >>> import numpy as np
        >>> boxes = np.array([[[0, 0, 4, 4], [0, 0, 4, 3], [0, 2, 4, 4.0]]])
        >>> suppress(boxes, np.ones((1, 3), bool), 0.4).numpy().tolist()
        [[True, False, False]]
    """
    count = boxes.shape[1]
    there = ops.convert_to_tensor(there)
    order = ops.arange(count)
    rival = (pairwise_iou(boxes, boxes) > level) & (order[None, None, :] < order[None, :, None])
    if groups is not None:
        rival = rival & (groups[:, :, None] == groups[:, None, :])
    rival = ops.cast(rival, "float32")

    def settle(kept, changed):
        beaten = ops.matmul(rival, ops.cast(kept, "float32")[..., None])[..., 0] > 0
        now = there & ~beaten
        return now, ops.any(now != kept)

    first = settle(there, True)
    kept, _ = ops.while_loop(lambda kept, changed: changed, settle, first, maximum_iterations=count)
    return kept
