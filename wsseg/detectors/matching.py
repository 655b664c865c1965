"""Matching of boxes with true objects, and sampling of boxes for training."""

from keras import ops, random


def match(iou, valid, low: float, high: float, force: bool = False):
    """Match each box with the true object that it overlaps most.

    keras-cv's `BoxMatcher` does the same, but it also forces a match for rows that only fill up the true boxes.

    Args:
        iou: `(B, N, M)`: IoU of boxes and true boxes.
        valid: `(B, M)` bool: whether a true box exists; the others fill up the array.
        low: IoU below which a box is negative (background).
        high: IoU from which a box is positive (an object). Between `low` and `high` it is neither.
        force: Whether the boxes that overlap a true box most are positive too, even if their IoU is below `high`.

    Returns:
        Three arrays `(B, N)`: index of the true object with the highest IoU, int32 (0 if the image has no object);
        whether the box is positive, bool; whether it is negative, bool.

    References:
        Ren et al., Faster R-CNN, NeurIPS 2015, section 3.1.2.
    """
    iou = ops.where(valid[:, None, :], iou, -1.0)
    best = ops.max(iou, axis=2)
    objects = ops.cast(ops.argmax(iou, axis=2), "int32")
    positive = best >= high
    negative = best < low
    if force:
        most = ops.max(iou, axis=1, keepdims=True)
        forced = ops.any((iou >= most) & (iou > 0), axis=2)
        positive, negative = positive | forced, negative & ~forced
    return objects, positive, negative


def sample(positive, negative, count: int, most_positive: int, seed):
    """Draw boxes for training at random: at most `most_positive` positives, the rest negatives.

    Args:
        positive: `(B, N)` bool: whether a box is positive.
        negative: `(B, N)` bool: whether a box is negative.
        count: Number of boxes to draw per image, at most N.
        most_positive: Maximum number of positives per image, at most `count`.
        seed: A `keras.random.SeedGenerator`.

    Returns:
        Three arrays `(B, count)`: indices of the boxes, int32, positives first; whether the box is positive, bool;
        whether to use the box at all, bool (an image may have too few positives and negatives).
    """
    count = min(count, positive.shape[1])
    drawn = random.uniform(ops.shape(positive), seed=seed, dtype="float32")
    rank = ops.where(positive, drawn, -1.0)
    last = ops.top_k(rank, min(most_positive, count))[0][:, -1:]
    chosen = positive & (rank >= last)
    order, indices = ops.top_k(ops.where(chosen, 2 + drawn, ops.where(negative, 1 + drawn, 0.0)), count)
    return ops.cast(indices, "int32"), order >= 2, order >= 1
