"""Counterfactual Grad-CAM: the regions that lower a class's score, which would rise without them."""

import tensorflow as tf

from wsseg.explainers.gradient_cam import GradientCAM
from wsseg.explainers.gradients import positive


class CounterfactualGradCAM(GradientCAM):
    r"""Grad-CAM with negated gradients (Selvaraju et al. 2017, section 3.3 †, "counterfactual explanations").

    $\alpha_k^c = \frac{1}{Z} \sum_{ij} -\partial y^c / \partial A_{ij}^k$, $L^c = ReLU(\sum_k \alpha_k^c A^k)$. The
    map shows the regions whose removal would make the network change its prediction. († quoted from memory.)

    References:
        Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, ICCV 2017.
    """

    def combine(self, features: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Weight each channel by its mean negated gradient and keep the positive part."""
        weights = tf.reduce_mean(-gradients, axis=(2, 3))
        return positive(tf.einsum("bhwc,btc->bthw", features, weights))
