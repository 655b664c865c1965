"""Non-maximum suppression of a batch at once, in the graph."""

from keras import ops

from wsseg.detectors.boxes import pairwise_iou


def suppress(boxes, there, level: float, groups=None):
    """Say which boxes overlap no better one that is kept.

    Greedy suppression as the unique fixed point of "kept if and only if no better kept box overlaps it": starting from
    all boxes, each round settles at least the best box that is not settled, usually most of them, and the last round
    changes nothing. keras-cv's layer, which finds the same, works in tiles of 512 boxes: with 256 boxes of 128 x 128
    images it takes eight times as long.

    Args:
        boxes: `(B, N, 4)` xyxy, best first.
        there: `(B, N)` bool: which of them there are.
        level: Of two boxes whose IoU is above it, the worse one goes.
        groups: `(B, N)` int: only boxes of the same group suppress each other; None for one group.

    Returns:
        `(B, N)` bool.

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
