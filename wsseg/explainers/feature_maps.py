"""The channels of a model's layers, strongest first: what the layers respond to."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.backbones.alignment import grids
from wsseg.explainers.core import Explainer
from wsseg.explainers.flattening import flatten
from wsseg.explainers.graph_search import spatial_layers
from wsseg.explainers.score import Score


@dataclass(frozen=True)
class FeatureMaps:
    """The strongest channels of a layer.

    Attributes:
        layer: Name of the layer.
        channels: `(C,)` channel numbers, strongest first.
        responses: `(B, C)` float32: mean of a channel's positive part over the cells of each image.
        maps: `(C, B, H, W)` float32 in [0, 1]: positive part at the image's size, divided by the channel's maximum
            over all images.
    """

    layer: str
    channels: np.ndarray
    responses: np.ndarray
    maps: np.ndarray


class _Channels(Explainer):
    """The features themselves, placed in the image by the core."""

    def features(self, images: Any) -> tuple[tf.Tensor, tuple[int, int]]:
        """Return the features and the image's size."""
        inputs = self._checked_inputs(images)
        compiled = self.compiled("features", lambda given: tf.cast(self.network.features(given), tf.float32))
        size_hw = inputs[self.network.image].shape[1:3]
        return compiled([tf.constant(x) for x in inputs]), size_hw

    def maps(self, inputs: Any, score: Score) -> tf.Tensor:
        raise TypeError("features have no target")


def feature_maps(
    model: keras.Model, images: Any, layer: Any = None, top: int = 12, image: str | int | None = None
) -> FeatureMaps:
    """Find the channels of a layer that respond most to some images.

    A channel's strength is the mean of its positive part over the cells, in the image with the highest mean. The
    maximum is not used, since it is 6 for many channels after a ReLU6. Channels are compared without scaling.

    Args:
        model: Any model that the explainers take.
        images: Images as the explainers take them (see `Explainer.raw`).
        layer: The layer, as explainers take it, or None for the layer that is explained by default.
        top: Number of channels to return.
        image: Name or position of the image, for a model with several images.

    Returns:
        The channels, strongest first.

    Raises:
        InputError: The model has no such layer, or the images do not fit the model.
    """
    network = _Channels(model, layer, image=image)
    features, (height, width) = network.features(images)
    features = features.numpy()
    responses = np.maximum(features, 0).mean(axis=(1, 2))  # (B, channels)
    chosen = np.argsort(-responses.max(axis=0), kind="stable")[:top]
    positive = np.maximum(np.moveaxis(features[..., chosen], -1, 0), 0)  # (C, B, h, w)
    rows = network.placement(np.arange(height), 0, positive.shape[2], height)
    columns = network.placement(np.arange(width), 1, positive.shape[3], width)
    large = rows @ positive @ columns.T
    peak = large.max(axis=(1, 2, 3), keepdims=True)
    scaled = np.divide(large, peak, out=np.zeros_like(large), where=peak > 0)
    return FeatureMaps(network.layer, chosen, responses[:, chosen], scaled.astype(np.float32))


def stage_ends(model: keras.Model) -> list[str]:
    """Return the last layer of each stride, the layers most worth looking at.

    Args:
        model: Functional or sequential model with an image as its first input of rank 4.

    Returns:
        Layer names, from the image to the output.
    """
    flat = flatten(model)
    image = next(x for x in flat.inputs if len(x.shape) == 4)
    places, last = grids(flat), {}
    for name, tensor in spatial_layers(flat, image).items():
        moves_only = isinstance(
            tensor._keras_history.operation, (keras.layers.ZeroPadding2D, keras.layers.Cropping2D)
        )
        if id(tensor) in places and not moves_only:
            stride = places[id(tensor)].stride_hw[0]
            last.pop(stride, None)
            last[stride] = name
    return list(last.values())
