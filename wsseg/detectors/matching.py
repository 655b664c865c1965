"""Which true object a box stands for, and which boxes are learnt from."""

from keras import ops, random


def match(iou, valid, low: float, high: float, force: bool = False):
    """Give each box the true object that it overlaps most.

    keras-cv's `BoxMatcher` does the same, but forces a match for filled-up rows of true boxes too.

    Args:
        iou: `(B, N, M)` of boxes and true boxes.
        valid: `(B, M)` bool: which true boxes there are; the others fill the array up.
        low: Below it a box is background.
        high: From it on a box stands for its object; between the two it is neither.
        force: Each true box also gets the boxes that overlap it most, however little.

    Returns:
        The object, `(B, N)` int32, 0 where there is none; `(B, N)` bool: positive, and negative.

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
    """Draw boxes to learn from: at most `most_positive` positives, filled up with negatives.

    Args:
        positive: `(B, N)` bool.
        negative: `(B, N)` bool.
        count: Boxes of each image, at most N.
        most_positive: At most `count`.
        seed: A `keras.random.SeedGenerator`.

    Returns:
        Indices `(B, count)` int32, the positives first; `(B, count)` bool: whether positive, and whether to be used at
        all (an image may have too few of both).
    """
    count = min(count, positive.shape[1])
    drawn = random.uniform(ops.shape(positive), seed=seed, dtype="float32")
    rank = ops.where(positive, drawn, -1.0)
    last = ops.top_k(rank, min(most_positive, count))[0][:, -1:]
    chosen = positive & (rank >= last)
    order, indices = ops.top_k(ops.where(chosen, 2 + drawn, ops.where(negative, 1 + drawn, 0.0)), count)
    return ops.cast(indices, "int32"), order >= 2, order >= 1
