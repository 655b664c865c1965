"""What each explainer makes of a model: the rows of the documentation's table of model shapes.

To write the table anew: `PYTHONPATH=tests python -m examples.model_shape_rows`.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from examples.model_shapes import SHAPES, Shape
from wsseg import explainers
from wsseg.errors import InputError

TABLE = Path(__file__).parents[2] / "benchmarks" / "MODEL_SHAPES.md"
EQUAL, RUNS, REFUSED = "=", "ok", "–"
METHODS = {
    "grad_cam": {},
    "grad_cam_pp": {},
    "xgrad_cam": {},
    "hires_cam": {},
    "layer_cam": {},
    "cam": {},
    "score_cam": {},
    "integrated_gradients": {"steps": 1, "baseline": 0.25},
    "smooth_grad": {"copies": 1, "noise": 0.0},
    "guided_backprop": {},
    "occlusion": {"window": 8, "stride": 8, "fill": 0.0},
    "rise": {"samples": 4, "cells": 2},
}
"""Methods -> options that make their value plain enough to be computed by hand, where that is possible."""

AT_LAYER = ("grad_cam", "grad_cam_pp", "xgrad_cam", "hires_cam", "layer_cam", "cam", "score_cam")


def row(name: str) -> list[str]:
    """Build a model and explain it by every method; return what each made of it."""
    shape = SHAPES[name]()
    features, gradients = at_layer(shape)
    return [cell(shape, method, features, gradients) for method in METHODS]


def cell(shape: Shape, method: str, features: np.ndarray, gradients: np.ndarray) -> str:
    """Explain a model by one method, and compare the map with the one made by hand."""
    options = (
        shape.options if method in AT_LAYER else {k: x for k, x in shape.options.items() if k != "layer"}
    )
    if method not in AT_LAYER and "image" not in options and shape.image:
        options["image"] = shape.image

    def explain() -> np.ndarray:
        explainer = explainers.create(method, model=shape.model, **options, **METHODS[method])
        given = shape.inputs[0] if len(shape.inputs) == 1 else list(shape.inputs)
        return explainer.raw(given, shape.targets or list(shape.classes))

    if method in shape.refused:
        with pytest.raises(InputError, match=shape.refused[method]):
            explain()
        return REFUSED
    found = explain()
    expected = by_hand(shape, method, features, gradients)
    size = features.shape[1:3] if method in AT_LAYER else shape.inputs[shape.image].shape[1:3]
    assert found.shape == (2, *size) and np.isfinite(found).all()
    if expected is None:
        assert method == "guided_backprop" or np.ptp(found, axis=(1, 2)).max() > 0  # not empty
        return RUNS
    largest = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=shape.tolerance, atol=shape.tolerance * largest)
    return EQUAL


def by_hand(shape: Shape, method: str, features: np.ndarray, gradients: np.ndarray) -> np.ndarray | None:
    """Return a method's raw map from its formula; None if that takes more than a line or two."""
    mean, positive = gradients.mean(axis=(1, 2), keepdims=True), np.maximum(gradients, 0)
    sums = features.sum(axis=(1, 2), keepdims=True)
    if method == "grad_cam":
        return np.maximum((mean * features).sum(axis=-1), 0)
    if method == "grad_cam_pp":
        below = 2 * gradients**2 + sums * gradients**3
        alpha = np.divide(gradients**2, below, out=np.zeros_like(below), where=below != 0)
        return np.maximum(((alpha * positive).sum(axis=(1, 2), keepdims=True) * features).sum(axis=-1), 0)
    if method == "xgrad_cam":
        shares = np.divide(features, sums, out=np.zeros_like(features), where=sums != 0)
        return np.maximum(((shares * gradients).sum(axis=(1, 2), keepdims=True) * features).sum(axis=-1), 0)
    if method == "hires_cam":
        return (gradients * features).sum(axis=-1)
    if method == "layer_cam":
        return np.maximum((positive * features).sum(axis=-1), 0)
    if method == "cam":  # the weight of a channel is the sum of its gradients
        return (gradients.sum(axis=(1, 2), keepdims=True) * features).sum(axis=-1)
    image = shape.inputs[shape.image].astype("float32")
    if method == "integrated_gradients":
        return ((image - 0.25) * image_gradient(shape, (image + 0.25) / 2)).sum(axis=-1)
    if method == "smooth_grad":
        return np.abs(image_gradient(shape, image)).sum(axis=-1)
    return drops(shape, image) if method == "occlusion" else None


def scores(shape: Shape, features: Any, inputs: list[Any]) -> Any:
    """Return the score of each image, `(2,)`."""
    found = ops.cast(shape.head(features, *inputs), "float32")
    return ops.stack([found[i, label] for i, label in enumerate(shape.classes)])


def at_layer(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Return the explained features and the score's gradients at them, float64."""
    inputs = [tf.constant(x) for x in shape.inputs]
    features = tf.cast(shape.trunk(*inputs), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(features)
        score = scores(shape, features, inputs)
    return features.numpy().astype(float), tape.gradient(score, features).numpy().astype(float)


def with_image(shape: Shape, image: Any) -> list[Any]:
    return [image if i == shape.image else tf.constant(x) for i, x in enumerate(shape.inputs)]


def image_gradient(shape: Shape, image: np.ndarray) -> np.ndarray:
    image = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(image)
        inputs = with_image(shape, image)
        score = scores(shape, shape.trunk(*inputs), inputs)
    return tape.gradient(score, image).numpy()


def drops(shape: Shape, image: np.ndarray) -> np.ndarray:
    """Return the fall of the score when each quarter of the image becomes 0, laid over that quarter."""

    def score(image: np.ndarray) -> np.ndarray:
        inputs = with_image(shape, tf.constant(image))
        return np.asarray(scores(shape, shape.trunk(*inputs), inputs))

    result, whole = np.zeros(image.shape[:3]), score(image)
    for rows in (slice(0, 8), slice(8, 16)):
        for columns in (slice(0, 8), slice(8, 16)):
            covered = image.copy()
            covered[:, rows, columns] = 0
            result[:, rows, columns] = (whole - score(covered))[:, None, None]
    return result


def read_table() -> tuple[list[str], dict[str, list[str]]]:
    """Return the methods and the rows of the committed table."""
    lines = [line.strip("| ").split(" | ") for line in TABLE.read_text().splitlines() if line.startswith("|")]
    return lines[0][1:], {line[0]: line[1:] for line in lines[2:]}


def write_table() -> None:
    """Explain every model by every method, and write the table."""
    lines = [f"| model | {' | '.join(METHODS)} |", f"| --- |{' --- |' * len(METHODS)}"]
    for name in SHAPES:
        keras.utils.set_random_seed(0)
        lines.append(f"| {name} | {' | '.join(row(name))} |")
    text = TABLE.read_text().partition("\n| model |")[0] if TABLE.exists() else ""
    TABLE.write_text(f"{text.rstrip()}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    write_table()
