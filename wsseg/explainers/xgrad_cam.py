"""XGrad-CAM: channel weights from gradients averaged with the features as weights, derived from axioms."""

import tensorflow as tf

from wsseg.explainers.gradient_cam import GradientCAM
from wsseg.explainers.gradients import positive


class XGradCAM(GradientCAM):
    r"""XGrad-CAM (Fu et al. 2020, equation 8 †), with weights that stay bounded for negative features.

    $\alpha_k^c = \sum_{ij} \frac{|A_{ij}^k|}{\sum_{ab} |A_{ab}^k|} \frac{\partial y^c}{\partial A_{ij}^k}$ and
    $L^c = ReLU(\sum_k \alpha_k^c A^k)$; a channel that is 0 everywhere has weight 0. The paper has $A$ instead of
    $|A|$, for features after a ReLU, where the two are equal. Features of other activations (swish, GELU) may be
    negative, and the paper's fraction has a pole where a channel sums to 0. With the magnitudes, the weight is a
    weighted mean of the channel's gradients, whatever the signs of its features, and equals the paper's for a channel
    of one sign or of equal gradients.

    References:
        Fu et al., Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs, BMVC 2020. († quoted
        from memory.)
    """

    def combine(self, features: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Weight each channel by the mean of its gradients, weighted by the magnitudes of the channel's features."""
        magnitudes = tf.abs(features)
        sums = tf.reduce_sum(magnitudes, axis=(1, 2))[:, None]  # (B, 1, C)
        weights = tf.math.divide_no_nan(tf.einsum("bhwc,bthwc->btc", magnitudes, gradients), sums)
        return positive(tf.einsum("bhwc,btc->bthw", features, weights))
