"""Adversarial erasing: features are set to 0 where another branch finds the image's classes (ACoL)."""

from typing import Any

import keras
from keras import ops

from wsseg.classifiers.options import require_share
from wsseg.layers.grid_rules import same
from wsseg.layers.masked_pooling import valid_cells


@keras.saving.register_keras_serializable(package="wsseg")
class AdversarialErasing(keras.layers.Layer):
    r"""Set features to 0 where a class map, scaled to [0, 1], reaches a threshold.

    $\bar M_c = (M_c - \min M_c) / (\max M_c - \min M_c)$ over the image's cells; a constant map gives 0. The region
    $R = \bigcup_c \{ \bar M_c \ge \delta \}$ over the image's classes is erased from every channel. The region is a
    constant for the gradient, so erasing does not train the branch that gave the map. Cells in the padding do not count
    for minimum and maximum, and are not erased.

    Args:
        threshold: Threshold $\delta$ in (0, 1).

    Example:
        >>> import numpy as np
        >>> features = np.ones((1, 1, 4, 1))
        >>> maps = np.array([[[[-1.0, 9], [0, 9], [1, 9], [3, 9]]]])  # of two classes; the second is constant
        >>> AdversarialErasing(threshold=0.5)(features, maps, np.array([[1.0, 1.0]]))[0, 0, :, 0].numpy().tolist()
        [1.0, 1.0, 0.0, 0.0]

    References:
        Zhang et al., Adversarial Complementary Learning for Weakly Supervised Object Localization, CVPR 2018,
        section 3.2 †, for images with one class (†: quoted from memory). The union of several classes' regions is an
        extension of wsseg.
    """

    output_grid = same

    def __init__(self, threshold: float = 0.6, **kwargs: Any):
        super().__init__(**kwargs)
        require_share("threshold", threshold, 0.6)
        self.threshold = threshold

    def call(self, features, maps, classes, valid=None):
        """Erase features.

        Args:
            features: `(B, h, w, C)` float.
            maps: `(B, h, w, K)` float, unscaled class maps.
            classes: `(B, K)`, 1 for the classes of the image and 0 for the others.
            valid: `(B, H, W)` float, 1 inside the image and 0 in the padding; or None.

        Returns:
            `(B, h, w, C)`.
        """
        kept = ops.logical_not(self.region(maps, classes, valid))
        return features * ops.cast(kept, features.dtype)[..., None]

    def region(self, maps, classes, valid=None):
        """Return the cells to erase, `(B, h, w)` bool; for the arguments see `call`."""
        maps = ops.stop_gradient(ops.cast(maps, "float32"))
        cells = ops.ones_like(maps[..., :1]) if valid is None else valid_cells(valid, maps)
        inside = cells > 0
        highest = ops.max(ops.where(inside, maps, -float("inf")), axis=(1, 2), keepdims=True)
        lowest = ops.min(ops.where(inside, maps, float("inf")), axis=(1, 2), keepdims=True)
        # The inequality is multiplied by the spread, so a constant map or a map without valid cells causes no division
        # by 0.
        spread = highest - lowest
        high = ops.logical_and(maps - lowest >= self.threshold * spread, spread > 0)
        wanted = ops.cast(classes, "float32")[:, None, None, :] > 0
        return ops.any(ops.logical_and(ops.logical_and(high, wanted), inside), axis=-1)

    def compute_output_shape(self, features_shape, *further):
        """Return the features' shape."""
        return features_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {"threshold": self.threshold}
