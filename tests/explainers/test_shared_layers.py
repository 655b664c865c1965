"""Layers that are called several times, and models of several images: one call is explained, the others stay."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.explainers.flattening import flattened
from wsseg.explainers.graph_part import Part

A, P, N = (np.random.default_rng(i).uniform(0, 1, (2, 16, 16, 3)).astype("float32") for i in range(3))


def grad_cam(features, score):
    """Grad-CAM's map by a tape: `score` is a function of the features, `(2,)`."""
    features = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(features)
        total = score(features)
    weights = tf.reduce_mean(tape.gradient(total, features), (1, 2))
    return tf.nn.relu(tf.einsum("bhwc,bc->bhw", features, weights)).numpy()


def mean(features):
    return tf.reduce_mean(features, (1, 2))


def far(x, y):
    return tf.reduce_sum((x - y) ** 2, 1)


@pytest.fixture
def triplet():
    """A triplet whose anchor runs through the tower twice, and the tower's convolution."""
    image = keras.Input((16, 16, 3))
    last = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="last")
    tower = keras.Model(image, layers.GlobalAveragePooling2D()(last(image)), name="tower")
    a, p, n = (keras.Input((16, 16, 3), name=name) for name in ("anchor", "positive", "negative"))
    score = lambda x, y: ops.sum(ops.square(x - y), 1, keepdims=True)  # noqa: E731
    return keras.Model([a, p, n], score(tower(a), tower(p)) - score(tower(a), tower(n))), last


def test_each_call_and_image_of_a_triplet(triplet):
    model, last = triplet
    a, p, n = (mean(last(x)) for x in (A, P, N))
    expected = {
        ("last", 0): grad_cam(last(A), lambda f: far(mean(f), p)),
        ("last", 1): grad_cam(last(P), lambda f: far(a, mean(f))),
        "last#2": grad_cam(last(A), lambda f: -far(mean(f), n)),
        "tower/last#3": grad_cam(last(N), lambda f: -far(a, mean(f))),
    }
    for number, (layer, wanted) in enumerate(expected.items()):
        explainer = explainers.create("grad_cam", model=model, layer=layer)
        assert explainer.layer == f"last#{number}"
        np.testing.assert_allclose(explainer.raw([A, P, N], 0), wanted, atol=1e-6)
    by_image = explainers.create("grad_cam", model=model, layer="last", image="negative")
    np.testing.assert_array_equal(by_image.raw([A, P, N], 0), explainer.raw([A, P, N], 0))
    np.testing.assert_array_equal(
        explainers.create("grad_cam", model=model, image=2).raw(
            {"anchor": A, "positive": P, "negative": N}, 0
        ),
        explainer.raw([A, P, N], 0),
    )
    # Without a number: the last call that depends on the image.
    assert explainers.create("grad_cam", model=model, layer=last).layer == "last#2"
    with pytest.raises(InputError, match="every path from the image"):
        explainers.create("grad_cam", model=model)  # the anchor has two paths


def test_numbers_follow_the_order_of_the_code_and_not_of_the_graph():
    step = layers.Conv2D(3, 1, activation="relu", name="step")
    image = keras.Input((16, 16, 3))
    early = step(image)
    late = step(layers.AveragePooling2D(2)(image))
    pool = layers.GlobalAveragePooling2D()
    model = keras.Model(image, [pool(late), pool(early)])
    calls = [call for call in flattened(model).calls if call.operation is step]
    assert {call.number: call.output.shape[1] for call in calls} == {0: 16, 1: 8}


@pytest.mark.parametrize("method", ["score_cam", "ablation_cam", "occlusion", "rise", "guided_grad_cam"])
def test_other_methods_take_the_second_image(triplet, method):
    options = {"samples": 4, "cells": 3} if method == "rise" else {}
    maps = explainers.create(method, model=triplet[0], image="positive", **options)([A, P, N], 0)
    assert maps.shape == (2, 16, 16) and np.isfinite(maps).all() and maps.max() <= 1


def test_gradient_to_the_second_image(triplet):
    model, last = triplet
    found = explainers.create("smooth_grad", model=model, image=1, copies=1, noise=0.0)
    image = tf.constant(P)
    with tf.GradientTape() as tape:
        tape.watch(image)
        score = far(mean(last(A)), mean(last(image)))
    wanted = np.abs(tape.gradient(score, image)).sum(axis=-1)
    np.testing.assert_allclose(found.raw([A, P, N], 0), wanted, atol=1e-6)


def test_the_layers_own_image_is_the_explained_one():
    rgb, depth = keras.Input((16, 16, 3), name="rgb"), keras.Input((8, 8, 1), name="depth")
    of_rgb, of_depth = layers.Conv2D(4, 3, name="of_rgb")(rgb), layers.Conv2D(4, 3, name="of_depth")(depth)
    pool = layers.GlobalAveragePooling2D()
    model = keras.Model([rgb, depth], layers.Dense(2)(pool(of_rgb) + pool(of_depth)))
    explainer = explainers.create("grad_cam", model=model, layer="of_depth")
    assert explainer.input_size == (8, 8)
    assert explainer([A, P[:, ::2, ::2, :1]], 0).shape == (2, 8, 8)
    with pytest.raises(InputError, match=r"`of_depth` of model .* does not depend on the image `rgb`"):
        explainers.create("grad_cam", model=model, layer="of_depth", image="rgb")


@pytest.mark.parametrize("image", ["ancho", 3, -4, True, 1.0, ("anchor",)])
def test_images_that_there_are_not(triplet, image):
    with pytest.raises(
        InputError, match=r"`image` must be the name or the position .* anchor \(0\), positive \(1\)"
    ):
        explainers.create("grad_cam", model=triplet[0], layer="last", image=image)


def test_calls_that_there_are_not(triplet):
    with pytest.raises(
        InputError, match="`last` is called 4 times; the numbers of its calls are 0, 1, 2, 3; got 4"
    ):
        explainers.create("grad_cam", model=triplet[0], layer=("last", 4))
    assert explainers.create("grad_cam", model=triplet[0], layer=("last", -1)).layer == "last#3"
    with pytest.raises(InputError, match=r"`tower` .* gives \(None, 4\), which has no height and width"):
        explainers.create("grad_cam", model=triplet[0], layer=("tower", 1))


def test_the_outputs_own_image_is_the_explained_one():
    first, second = keras.Input((16, 16, 3)), keras.Input((8, 8, 3))
    head = lambda x: layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x)))  # noqa: E731
    model = keras.Model([first, second], {"a": head(first), "b": head(second)})
    for method in ("grad_cam", "occlusion"):
        maps = explainers.create(method, model=model, output="b")([A, P[:, ::2, ::2]], 0)
        assert maps.shape == (2, 8, 8)


def test_name_of_the_default_layer_stands_for_its_call():
    step = layers.Conv2D(3, 3, padding="same", activation="relu", name="step")
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(step(step(image)))))
    explainer = explainers.create("grad_cam", model=model)
    assert explainer.layer == "step#1"
    again = explainers.create("grad_cam", model=model, layer=explainer.layer)
    np.testing.assert_array_equal(again.raw(A, 0), explainer.raw(A, 0))


def test_part_keeps_the_other_calls_of_a_layer():
    double = layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(2.0))
    start = keras.Input((1,))
    first = double(start)
    last = double(double(first))
    (found,) = Part([first], [last])([np.array([[3.0]], "float32")])
    assert float(found[0, 0]) == 12  # a Keras model from `first` on would leave the later calls out
