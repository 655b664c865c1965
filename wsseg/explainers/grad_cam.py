"""Grad-CAM: channels weighted by the mean gradient of the score."""

import tensorflow as tf

from wsseg.explainers.gradient_cam import GradientCAM
from wsseg.explainers.gradients import positive


class GradCAM(GradientCAM):
    r"""Gradient-weighted class activation map (Selvaraju et al. 2017, equations 1 and 2).

    $\alpha_k^c = \frac{1}{Z} \sum_{ij} \partial y^c / \partial A_{ij}^k$ and
    $L^c = ReLU(\sum_k \alpha_k^c A^k)$, with $y^c$ the score before the softmax, $A^k$ channel $k$ of the
    explained layer and $Z$ its number of cells. With a head of global average pooling and one linear layer, the
    map is CAM's positive part divided by $Z$.

    References:
        Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, ICCV 2017.
    """

    def combine(self, features: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Weight each channel by its mean gradient and keep the positive part."""
        weights = tf.reduce_mean(gradients, axis=(2, 3))  # (B, T, C)
        return positive(tf.einsum("bhwc,btc->bthw", features, weights))
