"""What a classifier's outputs are, for the Scorer and counterfactual localisation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from wsseg.errors import InputError
from wsseg.explainers.output_kind import output_kind
from wsseg.faithfulness import Scorer
from wsseg.places.class_odds import outputs_of

IMAGES = np.random.default_rng(0).uniform(0, 1, (3, 6, 6, 3)).astype("float32")


def model(end):
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 6, 3))
    return keras.Model(image, end(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))))


def dense(units, activation=None):
    return layers.Dense(
        units, activation=activation, kernel_initializer=keras.initializers.RandomNormal(stddev=5)
    )


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


KINDS = {  # end, kind, whether logits, probabilities as a function of the outputs
    "tf softmax": (lambda x: dense(3, tf.nn.softmax)(x), "softmax", False, lambda y: y),
    "joined": (
        lambda x: layers.Concatenate()([dense(1, "sigmoid")(x) for _ in range(3)]), "sigmoid", False, lambda y: y,
    ),
    "hard": (lambda x: dense(3, "hard_sigmoid")(x), "sigmoid", False, lambda y: y),
    "log": (lambda x: dense(3, "log_softmax")(x), "softmax", True, np.exp),
    "one logit": (lambda x: dense(1)(x), "sigmoid", True, sigmoid),
    "one probability": (lambda x: dense(1, "sigmoid")(x), "sigmoid", False, lambda y: y),
    "average": (
        lambda x: layers.Average()([dense(3, "softmax")(x) for _ in range(2)]), "softmax", False, lambda y: y,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_probabilities(name):
    end, kind, logits, probabilities = KINDS[name]
    one = model(end)
    found = output_kind(one)
    assert (found.kind, found.logits, found.assumed) == (kind, logits, None)
    assert outputs_of(one) == (f"{kind}_logits" if logits else kind)
    np.testing.assert_allclose(Scorer(one)(IMAGES), probabilities(one(IMAGES).numpy()), atol=1e-5)


def test_logits_of_several_classes_are_said_to_be_assumed_a_softmaxs():
    one = model(dense(3))
    with pytest.warns(UserWarning, match="logits of 3 classes; one class per image is assumed.*--outputs"):
        scorer = Scorer(one)
    np.testing.assert_allclose(scorer(IMAGES), softmax(one(IMAGES).numpy()), atol=1e-5)
    for outputs, function in (("softmax", softmax), ("sigmoid", sigmoid)):
        np.testing.assert_allclose(
            Scorer(one, outputs=outputs)(IMAGES), function(one(IMAGES).numpy()), atol=1e-5
        )


def test_the_loss_tells_which_logits_they_are(tmp_path):
    losses = {
        "sigmoid": keras.losses.BinaryCrossentropy(from_logits=True),
        "softmax": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    }
    for kind, loss in losses.items():
        one = model(dense(3))
        one.compile("sgd", loss)
        one.save(tmp_path / "model.keras")
        assert Scorer(keras.saving.load_model(tmp_path / "model.keras")).outputs == kind


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (lambda x: dense(3, "tanh")(x), "neither probabilities nor logits"),
        (lambda x: 100 * dense(3, "softmax")(x), "neither probabilities nor logits"),
        (lambda x: dense(3, "softmax")(x) ** 2, "is unknown"),
    ],
)
def test_unknown_outputs_are_asked_for(end, message):
    with pytest.raises(InputError, match=f"{message}.*--outputs"):
        Scorer(model(end))


def test_outputs_that_are_no_probabilities_are_refused():
    with pytest.raises(InputError, match=r"are not probabilities: they reach from .*--outputs"):
        Scorer(model(dense(3)), outputs="probabilities")(IMAGES)
