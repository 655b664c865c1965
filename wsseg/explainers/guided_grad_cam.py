"""Guided Grad-CAM: guided backpropagation, multiplied by Grad-CAM's map of the class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from wsseg.explainers.core import Explainer
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.guided_backprop import GuidedBackprop
from wsseg.explainers.score import Score
from wsseg.interpolation import placed


class GuidedGradCAM(GuidedBackprop, GradCAM):
    r"""Product of guided backpropagation and the enlarged Grad-CAM (Selvaraju et al. 2017, section 3.2).

    $G(x) \cdot L^c$, with $G$ the guided gradient of every value of the image and $L^c$ Grad-CAM's map, its cells
    placed where they look. Grad-CAM makes the product specific to the class; guided backpropagation makes it sharp.
    The map is the largest magnitude over the channels.

    Args:
        model: Any Keras model with an image among its inputs and a ReLU.
        layer: The layer of Grad-CAM, or None for the last spatial features that the head reads.
        output: Name or position of the output to explain, for a model with several outputs.
        reduction: A key of `REDUCTIONS`: how the maps reduce the channels.

    Attributes:
        layer: Name of Grad-CAM's layer.
        grid: Grid of that layer; the maps themselves have the image's size.
        relus: Number of ReLUs guided in the latest trace; 0 before the first call.

    Raises:
        InputError: See `GuidedBackprop`, and `GradCAM` for the layer.

    References:
        Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, ICCV 2017.
    """

    at_layer = True

    def signed(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Multiply the guided gradients by the enlarged Grad-CAM."""
        guided = self.gradients(inputs, score)  # (B, T, H, W, C)
        cam = GradCAM.maps(self, inputs, score)
        rows, columns = (
            self._enlargement(axis, tf.shape(cam)[2 + axis], tf.shape(guided)[2 + axis]) for axis in (0, 1)
        )
        return guided * tf.einsum("yh,bthw,xw->btyx", rows, cam, columns)[..., None]

    def _enlargement(self, axis: int, cells: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Return the matrix `(size, cells)` that reads Grad-CAM's cells at every pixel; sizes are tensors."""

        def matrix(cells: np.ndarray, size: np.ndarray) -> np.ndarray:
            return Explainer.placement(self, np.arange(size), axis, int(cells), int(size)).astype(np.float32)

        return tf.ensure_shape(
            tf.numpy_function(matrix, [cells, size], tf.float32, stateful=False), [None, None]
        )

    def placement(self, pixels: np.ndarray, axis: int, cells: int, size: int) -> np.ndarray:
        """Return the matrix that reads the maps, which have the image's size, at pixels of the image."""
        return placed(pixels, cells, 1.0, 0.0)
