"""CAM: the linear head of a globally pooled network, applied to each cell of the features."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.classifiers.classifier import Classifier
from wsseg.errors import InputError
from wsseg.explainers.core import Explainer
from wsseg.explainers.gradients import differentiate
from wsseg.explainers.graph_part import Part
from wsseg.explainers.score import Score
from wsseg.explainers.targets import ClassScores


class CAM(Explainer):
    r"""Class activation map, $M_c(x, y) = \sum_k w_k^c f_k(x, y)$ (Zhou et al. 2016, equation 2).

    The weights are those of the linear map from the pooled features to the logits. The head must be
    global average pooling followed by layers that are linear at inference (dense, 1x1 convolution, reshape,
    dropout), which is tested by feeding it one unit feature at a time. A class's weights are then the gradient of
    its logit, the same at any features; they are read at each call, so they follow the model's training. A bias of the
    head is not part of the map.

    Args:
        model: A Keras classifier with such a head.
        layer: Name of the layer whose output is pooled; None to find it.
        output: Name or position of the output, for a model with several outputs.
        image: Name or position of the explained image, for a model with several images.

    Raises:
        InputError: The head is not global average pooling and a linear map (`grad_cam` explains any head), or the
            model is an ACoL classifier, for which CAM would show only one of the two branches.

    References:
        Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016.
    """

    relative = False

    def __init__(
        self,
        model: keras.Model,
        layer: Any = None,
        output: str | int | None = None,
        *,
        image: str | int | None = None,
    ):
        if isinstance(model, Classifier) and "cam" not in model.explainers:
            raise InputError(
                f"CAM would show only one branch of `{model.name}`; use `{model.explainers[0]}`, which fuses both"
            )
        super().__init__(model, layer, output, image=image)
        head = getattr(self.network, "logits_of_features", lambda output: None)(output)
        if head is None:
            raise InputError(
                f"CAM needs a head that reads only the features of `{self.layer}`; use `grad_cam`, which takes any head"
            )
        shape = tuple(head.ends[0].shape)
        if len(shape) != 2:
            raise InputError(f"CAM explains class scores (B, K), but this output is {shape}; use `grad_cam`")
        linear_weights(head)
        self._size_hw = tuple(side or 2 for side in head.starts[0].shape[1:3])

    def maps(self, inputs: Sequence[Any], score: Score) -> tf.Tensor:
        """Apply the wanted classes' weights to every cell."""
        if not isinstance(score.target, ClassScores):
            raise InputError("CAM explains class indices only; use `grad_cam`, which explains any score")
        features = tf.cast(self.network.features(inputs), tf.float32)
        anywhere = tf.zeros((tf.shape(features)[0], *self._size_hw, features.shape[-1]))
        gradients = differentiate(lambda x: score(self.network.head(x, inputs)), anywhere, self.network)
        return tf.einsum("bhwc,btc->bthw", features, tf.reduce_sum(gradients, axis=(2, 3)))


def linear_weights(head: Part) -> np.ndarray:
    """Measure the weights of a head that pools globally and is linear after that.

    Args:
        head: Part of a model from `(B, h, w, C)` to `(B, K)`.

    Returns:
        `(C, K)` float32: weight of each pooled channel in each logit.

    Raises:
        InputError: The head does not have that form.
    """
    channels = head.starts[0].shape[-1]
    size_hw = tuple(side or 2 for side in head.starts[0].shape[1:3])

    def logits(pooled: np.ndarray) -> np.ndarray:
        spread = np.broadcast_to(pooled[:, None, None, :], (len(pooled), *size_hw, channels))
        return np.asarray(head([spread.astype(np.float32)])[0], dtype=np.float32)

    bias = logits(np.zeros((1, channels)))
    weights = (
        np.concatenate([logits(block) for block in np.array_split(np.eye(channels), -(-channels // 256))])
        - bias
    )

    # A random, uneven map must give the logits that its mean predicts; only then is the head pooling and a linear map.
    probe = np.random.default_rng(0).uniform(0, 2, (2, *size_hw, channels)).astype(np.float32)
    expected = probe.mean(axis=(1, 2)) @ weights + bias
    found = np.asarray(head([probe])[0], dtype=np.float32)
    if found.shape != expected.shape or not np.allclose(
        found, expected, rtol=1e-2, atol=1e-2 * np.abs(expected).max()
    ):
        raise InputError(
            "CAM needs global average pooling and linear layers directly after the explained layer, but this head is "
            "different; remove `layer`, or use `grad_cam`, which explains any head"
        )
    return weights
