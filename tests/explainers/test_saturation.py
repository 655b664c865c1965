"""Saturated probabilities are explained with a warning, never by an empty map alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from wsseg import explainers
from wsseg.explainers.network import Outputs
from wsseg.explainers.saturation import SaturationWarning, saturated
from wsseg.explainers.targets import ClassScores, Negated

IMAGES = np.random.default_rng(1).uniform(0, 1, (2, 12, 12, 3)).astype("float32")


class Own(keras.Model):
    def __init__(self, end, factor=1.0):
        super().__init__()
        self.features = layers.Conv2D(4, 3, activation="relu", name="features")
        self.dense, self.end, self.factor = layers.Dense(3), end, factor

    def call(self, images):
        return self.end(self.factor * self.dense(keras.ops.mean(self.features(images), axis=(1, 2))))


def own(end, factor=1.0):
    keras.utils.set_random_seed(0)
    model = Own(end, factor)
    model(IMAGES)
    return model


def functional(end, factor=1.0):
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3))
    tensor = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu", name="features")(image))
    dense = layers.Dense(3)
    model = keras.Model(image, end(dense(tensor)))
    dense.kernel.assign(factor * dense.kernel)
    return model


def top(model):
    return model(IMAGES).numpy().argmax(axis=1)


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "smooth_grad", "occlusion", "score_cam"])
def test_subclassed_model_that_is_sure(method):
    for end in (tf.nn.softmax, tf.sigmoid):
        model = own(end, 300.0)
        options = {} if method in ("smooth_grad", "occlusion") else {"layer": "features"}
        explainer = explainers.create(method, model, **options)
        with pytest.warns(SaturationWarning, match="probability within 0.001 of 0 or 1 for 2 of 2 images"):
            explainer.raw(IMAGES, top(model))


def test_nothing_is_said_of_unsure_models_and_of_logits():
    for model in (own(tf.nn.softmax), own(lambda z: z, 300.0), functional(lambda z: z, 300.0)):
        explainers.create("hires_cam", model, layer="features").raw(IMAGES, top(model))
        explainers.create("hires_cam", model, layer="features").raw(IMAGES, lambda y: y[:, 0] - y[:, 1])
    for end in (tf.nn.softmax, tf.sigmoid):
        model = functional(layers.Lambda(end), 300.0)
        explainers.create("hires_cam", model).raw(IMAGES, [[0, 1]] * 2)


def test_probabilities_that_the_user_asks_for():
    model = functional(layers.Softmax(), 3000.0)
    explainer = explainers.create("grad_cam", model)
    targets = (
        lambda y: y[:, 0],
        ClassScores([0, 0], logits=False),
        Negated(ClassScores([0, 0], logits=False)),
        [ClassScores([1]), lambda y: y[:, 0] - y[:, 1]],
    )
    for target in targets:
        with pytest.warns(SaturationWarning, match="explain the logit instead"):
            explainer.raw(IMAGES, target)


def test_absent_classes_are_not_spoken_of():
    model = own(tf.nn.softmax, 3000.0)
    explainer = explainers.create("grad_cam", model, layer="features")
    with pytest.warns(SaturationWarning, match=r"1 of 2 images \(first: number 1\)"):
        explainer(IMAGES, [[-1], [int(top(model)[1])]])


def test_percentages_and_powers_of_probabilities():
    for end in (lambda z: 100 * tf.nn.softmax(z), lambda z: tf.nn.softmax(z) ** 2):
        model = own(end, 3000.0)
        with pytest.warns(SaturationWarning):
            explainers.create("grad_cam", model, layer="features").raw(IMAGES, top(model))
    opaque = functional(layers.Lambda(lambda z: tf.nn.softmax(z) ** 2), 3000.0)
    with pytest.warns(SaturationWarning, match="were not found"):
        explainers.create("grad_cam", opaque).raw(IMAGES, top(opaque))


def test_which_scores_count():
    values = np.array([[1, 0, 0], [0.5, 0.5, 0], [0.3, 0.3, 0.4], [7, -3, 1], [100, 0, 0]], "float32")
    outputs = Outputs(tf.constant(values), None, ("scores",))
    scores = np.stack([values[:, 0], values[:, 2], np.full(5, 0.5)], axis=1)
    sure, probabilities = saturated(outputs, tf.constant(scores, tf.float32), None).numpy()
    assert sure.tolist() == [
        [True] * 3,  # every function of a sure model's outputs
        [False, True, False],
        [False, False, False],
        [False, False, False],  # 1, of a model of logits
        [True] * 3,
    ]
    assert probabilities[:, 0].tolist() == [True, True, True, False, False]
