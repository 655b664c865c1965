"""The boundary loss of Kervadec et al.: it weights probabilities with the distance to the true boundary."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wsseg.artifacts import IGNORE
from wsseg.errors import require
from wsseg.losses.pixel_loss import known_pixels, log_probability, mean_where
from wsseg.losses.signed_distances import signed_distances


@keras.saving.register_keras_serializable(package="wsseg")
class BoundaryLoss(keras.losses.Loss):
    """Cross-entropy + alpha * mean of phi_c s_c: s is the softmax, phi the signed distance to the class's boundary.

    The second term is Kervadec's. A probability outside the true region of its class costs more with growing distance
    to the boundary; inside it is a negative cost. So the term is below 0 where the network is right. The mean runs over
    the known pixels and the foreground classes. Alone, the term can be small without finding small objects at all, so
    the paper combines it with a regional loss; here this is the cross-entropy. (For another kind of boundary loss,
    which gives the cross-entropy larger weights near borders, see `WeightMapCrossEntropy`.)

    The distances come with the masks, as further channels: `maps` computes them from a mask.

    Args:
        alpha: Weight of the boundary term, whose unit is pixels; the paper begins with 0.01 † and increases it.
        cross_entropy: Weight of the cross-entropy; 0 for the boundary term alone.
        ignore: Mask value of pixels that don't count.
        name: Name of the loss.

    Raises:
        InputError: An option is out of range.

    References:
        Kervadec et al., Boundary Loss for Highly Unbalanced Segmentation, MIDL 2019, section 2 †. The distances were
        checked against copies of its public code. († quoted from memory.)

    Example:
        >>> distances = np.array([[[[0, 2.0], [0, 1.0], [1, 0.0]]]])  # (B, H, W, K): class, distance to class 1
        >>> loss = BoundaryLoss(alpha=1, cross_entropy=0)
        >>> float(loss(distances, np.zeros((1, 1, 3, 2))))  # (2 + 1 + 0) / 2 / 3
        0.5
    """

    def __init__(
        self,
        alpha: float = 0.01,
        cross_entropy: float = 1.0,
        ignore: int = IGNORE,
        name: str = "boundary",
    ):
        super().__init__(name=name, reduction="sum")
        for option, value in (("alpha", alpha), ("cross_entropy", cross_entropy)):
            require(option, value, lambda x: x >= 0, "0 or more; try 0.01 and 1")
        self.alpha, self.cross_entropy, self.ignore = float(alpha), float(cross_entropy), ignore

    def maps(self, mask: np.ndarray, num_classes: int) -> np.ndarray:
        """Return a mask's distances, `(H, W, K - 1)` float32."""
        return signed_distances(mask, num_classes)

    def call(self, y_true, y_pred):
        """Compute the loss.

        Args:
            y_true: `(B, H, W, K)` float: class ids (or the ignore value), and the distances of classes 1..K-1.
            y_pred: `(B, H, W, K)` float logits.

        Returns:
            Scalar float32, which can be below 0.
        """
        labels, logits, known = known_pixels(y_true[..., 0], y_pred, self.ignore)
        cost = self.alpha * ops.mean(ops.softmax(logits)[..., 1:] * y_true[..., 1:], axis=-1)
        if self.cross_entropy:
            cost -= self.cross_entropy * log_probability(labels, logits)
        return mean_where(cost, known)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"alpha": self.alpha, "cross_entropy": self.cross_entropy}
        return own | {"ignore": self.ignore, "name": self.name}
