"""The Grad-CAM family: a formula of the features and the scores' gradients with respect to them."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from wsseg.explainers.core import Explainer
from wsseg.explainers.empty_maps import explain_empty
from wsseg.explainers.gradients import head_gradients
from wsseg.explainers.score import Score
from wsseg.explainers.targets import Target


class GradientCAM(Explainer):
    """A class map from features and gradients; a method only defines `combine`."""

    def combine(self, features: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """The method's formula.

        Args:
            features: `(B, h, w, C)` float32, $A$.
            gradients: `(B, T, h, w, C)` float32, $g = \\partial y / \\partial A$ for each score $y$.

        Returns:
            `(B, T, h, w)` float32.
        """
        raise TypeError(f"{type(self).__name__} must define `combine`")

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Differentiate through the head and combine."""
        return self.combine(*head_gradients(self.network, inputs, score))

    def computed(self, inputs: Sequence[Any], target: Target) -> tf.Tensor:
        """Compute the raw maps; those of tokens are not empty without a word."""
        maps = super().computed(inputs, target)
        explain_empty(self, maps.numpy(), inputs, target)
        return maps
