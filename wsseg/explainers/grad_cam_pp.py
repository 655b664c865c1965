"""Grad-CAM++: each cell's gradient is weighted, so that several objects of a class count."""

import tensorflow as tf

from wsseg.explainers.gradient_cam import GradientCAM
from wsseg.explainers.gradients import positive


class GradCAMPlusPlus(GradientCAM):
    r"""Grad-CAM++ (Chattopadhay et al. 2018, equations 5, 6 and 19 †).

    $\alpha_{ij}^{kc} = \frac{g^2}{2 g^2 + \sum_{ab} A_{ab}^k g^3}$ with $g = \partial y^c / \partial A_{ij}^k$,
    $w_k^c = \sum_{ij} \alpha_{ij}^{kc} ReLU(g)$ and $L^c = ReLU(\sum_k w_k^c A^k)$. If $g > 0$, the fraction is
    computed as the equal $1 / (2 + g \sum_{ab} A_{ab}^k)$, because $g^3$ of a small gradient is 0 in float32. If
    $g \leq 0$, the ReLU makes the product 0. The paper takes $Y^c = \exp(y^c)$, whose derivative has the additional
    factor $\exp(y^c)$; it is the same for the whole map, so it is omitted.

    **Negative features.** The paper takes features after a ReLU, for which $\sum A \geq 0$ and the denominator
    $2 + g \sum A$ is at least 2. Features after swish, GELU or a normalisation (EfficientNet, ConvNeXt) may have
    a negative sum; the denominator then passes through 0 at $g \sum A = -2$, where the published formula is
    infinite and changes its sign. Other programs replace only a denominator of exactly 0, or add a small number to it,
    which moves the pole. Here the sum is $\max(\sum A, 0)$: the paper's formula wherever $\sum A \geq 0$, and
    $\alpha = 1/2$, its value at $\sum A = 0$, for a smaller sum. So $\alpha$ stays in (0, 1/2] and changes
    continuously with the features.

    References:
        Chattopadhay et al., Grad-CAM++: Generalized Gradient-Based Visual Explanations for Deep Convolutional
        Networks, WACV 2018. († quoted from memory.)
    """

    def combine(self, features: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Weight each channel by the sum of its weighted positive gradients."""
        sums = positive(tf.reduce_sum(features, axis=(1, 2)))[:, None, None, None]  # (B, 1, 1, 1, C)
        rising = positive(gradients)
        weights = tf.reduce_sum(rising / (2 + rising * sums), axis=(2, 3))
        return positive(tf.einsum("bhwc,btc->bthw", features, weights))
