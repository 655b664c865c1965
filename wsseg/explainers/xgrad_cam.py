"""XGrad-CAM: channel weights from gradients averaged with the features as weights, derived from axioms."""

import tensorflow as tf

from wsseg.explainers.gradient_cam import GradientCAM
from wsseg.explainers.gradients import positive


class XGradCAM(GradientCAM):
    r"""XGrad-CAM (Fu et al. 2020, equation 8 †).

    $\alpha_k^c = \sum_{ij} \frac{A_{ij}^k}{\sum_{ab} A_{ab}^k} \frac{\partial y^c}{\partial A_{ij}^k}$ and
    $L^c = ReLU(\sum_k \alpha_k^c A^k)$; a channel that is 0 everywhere has weight 0.

    References:
        Fu et al., Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs, BMVC 2020. († quoted
        from memory.)
    """

    def combine(self, features: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Weight each channel by the mean of its gradients, which is weighted by the channel's features."""
        sums = tf.reduce_sum(features, axis=(1, 2))[:, None]  # (B, 1, C)
        weights = tf.math.divide_no_nan(tf.einsum("bhwc,bthwc->btc", features, gradients), sums)
        return positive(tf.einsum("bhwc,btc->bthw", features, weights))
