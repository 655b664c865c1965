"""LayerCAM: each cell is weighted by its positive gradient; it also works at shallow layers."""

import tensorflow as tf

from wsseg.explainers.gradient_cam import GradientCAM
from wsseg.explainers.gradients import positive


class LayerCAM(GradientCAM):
    r"""LayerCAM, $L^c = ReLU(\sum_k ReLU(\partial y^c / \partial A^k) \odot A^k)$ (Jiang et al. 2021, eqs. 6, 7 †).

    References:
        Jiang et al., LayerCAM: Exploring Hierarchical Class Activation Maps for Localization, IEEE TIP 2021. († quoted
        from memory.)
    """

    def combine(self, features: tf.Tensor, gradients: tf.Tensor) -> tf.Tensor:
        """Weight each cell by its positive gradient."""
        return positive(tf.einsum("bhwc,bthwc->bthw", features, positive(gradients)))
