"""The plain cross-entropy: Keras' own, with the masks' ignore value."""

import keras

from wsseg.artifacts import IGNORE


def cross_entropy(
    ignore: int = IGNORE, name: str = "cross_entropy"
) -> keras.losses.SparseCategoricalCrossentropy:
    """Return Keras' sparse categorical cross-entropy on logits, averaged over the known pixels of the batch.

    Keras masks ignored pixels, and with the default reduction divides the sum by the number of the other pixels. So
    padding neither adds to the loss nor lowers the mean. A test checks this.

    Args:
        ignore: Mask value of pixels that don't count.
        name: Name of the loss.

    Returns:
        A loss for masks `(B, H, W)` int and logits `(B, H, W, K)`.

    Example:
        >>> import numpy as np
        >>> masks = np.array([[[0, 1, 255, 255]]])
        >>> round(float(cross_entropy()(masks, np.zeros((1, 1, 4, 2)))), 4)  # two equal logits: log 2
        0.6931
    """
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignore, name=name)
