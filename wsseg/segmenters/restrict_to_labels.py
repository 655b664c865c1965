"""Restrict a segmenter's probabilities to the classes that an image is labelled with."""

from keras import ops


def restrict_to_labels(probabilities, present):
    """Distribute the probability of absent classes among the present classes.

    Image-level labels say that a class does not occur in the image, but not that pixels which look like it are
    background: a dog's body that a segmenter takes for a sheep stays foreground and becomes dog. The present classes
    share the probability of the absent classes in proportion to their own, and the background keeps its own. If no
    class is present, the background gets everything.

    Args:
        probabilities: `(..., K + 1)` float, background first; they sum to 1.
        present: `(..., K)` of 0 and 1, broadcast against `probabilities`: 1 for the classes of the image.

    Returns:
        `(..., K + 1)` float32 that sum to 1; 0 for the absent classes.

    Source:
        The formula is ours. Restricting predictions to the image's labels: Wei et al., STC, TPAMI 2017, section 3.3.

    Example:
        >>> import numpy as np
        >>> restrict_to_labels(np.array([0.5, 0.2, 0.3]), np.array([1, 0])).numpy().round(3)
        array([0.5, 0.5, 0. ], dtype=float32)
    """
    probabilities, present = ops.cast(probabilities, "float32"), ops.cast(present, "float32")
    foreground = probabilities[..., 1:]
    kept = ops.maximum(foreground, 1e-6) * present  # if all present classes have 0, they share equally
    own = ops.sum(kept, axis=-1, keepdims=True)
    kept = kept * ops.sum(foreground, axis=-1, keepdims=True) / ops.maximum(own, 1e-6)
    return ops.concatenate([1 - ops.sum(kept, axis=-1, keepdims=True), kept], axis=-1)
