"""Explainers: what in an image a Keras model's score for a class rests on."""

from typing import Any

import keras

from wsseg.catalogue import load

EXPLAINERS = {
    "cam": "wsseg.explainers.cam:CAM",
    "grad_cam": "wsseg.explainers.grad_cam:GradCAM",
}


def create(name: str, model: keras.Model, **options: Any):
    """Build an explainer of `model` by name.

    Args:
        name: A key of `EXPLAINERS`.
        model: Any functional or sequential Keras model with one image input, nested ones included.
        options: What the explainer takes; all take `layer`, the name of the layer to explain.

    Returns:
        An `wsseg.explainers.core.Explainer`; call it with images and targets.

    Raises:
        InputError: No explainer of that name; the message names the nearest.

    Example:
        >>> import numpy as np
        >>> from wsseg import classifiers
        >>> model = classifiers.create("gap", backbone="mobilenet_0.25", num_classes=3, input_size=(64, 64))
        >>> create("grad_cam", model=model)(np.zeros((1, 64, 64, 3)), [0]).shape
        (1, 64, 64)
    """
    return load(EXPLAINERS, name, "explainer")(model, **options)
