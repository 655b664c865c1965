"""HiResCAM: gradient times feature at each cell, without averaging."""

import tensorflow as tf

from wsseg.explainers.gradient_cam import GradientCAM


class HiResCAM(GradientCAM):
    r"""HiResCAM, $L^c = \sum_k \frac{\partial y^c}{\partial A^k} \odot A^k$ (Draelos & Carin 2020, equation 4 †).

    The raw map keeps negative evidence; its sum over the cells is the features' contribution to the score, to first
    order. With a head of global average pooling and one linear layer, the map is CAM divided by the number of cells.

    References:
        Draelos & Carin, Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks,
        arXiv:2011.08891. († quoted from memory.)
    """

    def combine(self, features: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Multiply and sum over the channels."""
        return tf.einsum("bhwc,bthwc->bthw", features, gradients)
