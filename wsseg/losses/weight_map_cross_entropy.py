"""U-Net's cross-entropy, weighted pixel by pixel."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.errors import require
from wsseg.losses.border_weights import border_weights
from wsseg.losses.pixel_loss import known_pixels, log_probability, mean_where


@keras.saving.register_keras_serializable(package="wsseg")
class WeightMapCrossEntropy(keras.losses.Loss):
    """Mean over the known pixels of w(x) times the cross-entropy; the paper uses the sum.

    The weights come with the masks, as a second channel: `maps` computes them from a mask, and `TrainingBatches(maps=)`
    calls it for every crop.

    Args:
        w0: Height of the border term (see `border_weights`).
        sigma: Width of the border term, pixels.
        class_weights: "balanced", a weight for each class, or None.
        ignore: Mask value of pixels that don't count.
        name: Name of the loss.

    Raises:
        InputError: An option is out of range.

    References:
        Ronneberger et al., U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015, equations 1
        and 2 †. († quoted from memory.)

    Example:
        >>> masks = np.array([[[[1, 3.0], [255, 9.0]]]])  # (B, H, W, 2): class and weight
        >>> round(float(WeightMapCrossEntropy()(masks, np.zeros((1, 1, 2, 2)))), 4)  # 3 log 2
        2.0794
    """

    per_class = "class_weights"

    def __init__(
        self,
        w0: float = 10.0,
        sigma: float = 5.0,
        class_weights: str | Sequence[float] | None = "balanced",
        ignore: int = IGNORE,
        name: str = "weight_map",
    ):
        super().__init__(name=name, reduction="sum")
        require("w0", w0, lambda x: x >= 0, "0 or more; try 10")
        require("sigma", sigma, lambda x: x > 0, "a width in pixels, above 0; try 5")
        require(
            "class_weights",
            class_weights,
            lambda x: x is None or x == "balanced" or (not isinstance(x, str) and len(x) > 1 and min(x) >= 0),
            "balanced, a weight of 0 or more for each class, background first, or null",
        )
        self.w0, self.sigma, self.ignore = float(w0), float(sigma), ignore
        self.class_weights = class_weights
        if not isinstance(class_weights, str | None):
            self.class_weights = [float(weight) for weight in class_weights]

    def maps(self, mask: np.ndarray, num_classes: int) -> np.ndarray:
        """Return a mask's weights, `(H, W, 1)` float32; `num_classes` is not used here."""
        weights = border_weights(mask, self.w0, self.sigma, self.class_weights, self.ignore)
        return weights[..., None]

    def call(self, y_true, y_pred):
        """Compute the loss.

        Args:
            y_true: `(B, H, W, 2)` float: class ids (or the ignore value), and weights.
            y_pred: `(B, H, W, K)` float logits.

        Returns:
            Scalar float32.
        """
        labels, logits, known = known_pixels(y_true[..., 0], y_pred, self.ignore)
        return mean_where(-log_probability(labels, logits) * y_true[..., 1], known)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "w0": self.w0,
            "sigma": self.sigma,
            "class_weights": self.class_weights,
            "ignore": self.ignore,
            "name": self.name,
        }
