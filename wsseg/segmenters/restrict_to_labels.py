"""What a segmenter sees in an image, held to the classes that the image is labelled with."""

from keras import ops


def restrict_to_labels(probabilities, present):
    """Take what a segmenter gives to absent classes for foreground, and share it out among the present ones.

    An image-level label says that a class is nowhere in the image, not that what looks like it is background: a dog's
    body that a segmenter takes for a sheep's stays foreground and becomes the dog's. Present classes inherit in
    proportion to what they have, and the background keeps its own; where no class is present, it has everything.

    Args:
        probabilities: `(..., K + 1)` float, background first, summing to 1.
        present: `(..., K)` of 0 and 1, broadcast against it: 1 for the classes of the image.

    Returns:
        `(..., K + 1)` float32, summing to 1; 0 for the absent classes.

    Source:
        Ours; that predictions are restricted to the image's labels is Wei et al., STC, TPAMI 2017, section 3.3.

    Example:
        >>> import numpy as np
        >>> restrict_to_labels(np.array([0.5, 0.2, 0.3]), np.array([1, 0])).numpy().round(3)
        array([0.5, 0.5, 0. ], dtype=float32)
    """
    probabilities, present = ops.cast(probabilities, "float32"), ops.cast(present, "float32")
    foreground = probabilities[..., 1:]
    kept = ops.maximum(foreground, 1e-6) * present  # where all of these have 0, none is preferred
    own = ops.sum(kept, axis=-1, keepdims=True)
    kept = kept * ops.sum(foreground, axis=-1, keepdims=True) / ops.maximum(own, 1e-6)
    return ops.concatenate([1 - ops.sum(kept, axis=-1, keepdims=True), kept], axis=-1)
