"""The mean field as a TensorFlow graph (`wsseg.layers.MeanFieldCRF`), for GPUs."""

import functools
from typing import TYPE_CHECKING

import numpy as np

from wsseg.errors import InputError
from wsseg.refiners.dense_crf.checks import check_values
from wsseg.refiners.unary import unary_from_probabilities

if TYPE_CHECKING:
    from wsseg.refiners.dense_crf.crf import DenseCRF

LARGEST = 4096
"""Largest side of an image, pixels. The graph does not know the size in advance, so its lattice keys fit this one."""


def mean_field(crf: "DenseCRF", image: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Run `crf` on one image, on TensorFlow's device. See `numba_backend.mean_field`."""
    check_values(probs)
    if max(image.shape[:2]) > LARGEST:
        raise InputError(
            f"the CRF backend `keras` takes images of at most {LARGEST} pixels per side; got {image.shape[:2]}; "
            "use the backend `numba`, or a smaller image"
        )
    logits = -unary_from_probabilities(probs)
    return _graph(crf, probs.shape[-1])(image[None], logits[None])[0].numpy()


@functools.lru_cache(maxsize=64)
def _graph(crf: "DenseCRF", labels: int):
    """Return the graph for a number of labels. It takes images of any size."""
    import tensorflow as tf

    from wsseg.layers import MeanFieldCRF

    layer = MeanFieldCRF(
        crf.gaussian_sxy,
        crf.gaussian_weight,
        crf.bilateral_sxy,
        crf.bilateral_srgb,
        crf.bilateral_weight,
        crf.iterations,
    )
    layer.build([(None, None, None, 3), (None, None, None, labels)])
    matrix = np.array(crf.compatibility, np.float32)
    layer.compatibility.assign(matrix if matrix.ndim else matrix * (1 - np.eye(labels)))

    @tf.function(
        input_signature=[
            tf.TensorSpec((1, None, None, 3), tf.uint8),
            tf.TensorSpec((1, None, None, labels), tf.float32),
        ]
    )
    def marginals(images, logits):
        return tf.nn.softmax(layer([images, logits]))

    return marginals
