"""What a classifier's outputs are, found in its layers, its file, or its answers."""

import keras
import numpy as np
import pytest
from keras import layers

from wsseg import classifiers
from wsseg.commands.classifiers import LoadedModel
from wsseg.commands.score_kinds import SCORE, SIGMOID, SIGMOID_LOGITS, SOFTMAX, SOFTMAX_LOGITS
from wsseg.errors import InputError


def ending(*ends, units=3):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    tensor = layers.Dense(units)(layers.Flatten()(layers.Rescaling(1 / 255)(image)))
    for end in ends:
        tensor = end(tensor)
    return keras.Model(image, tensor)


def kind(model, outputs="auto", path=None):
    return LoadedModel(model, lambda x: x, outputs=outputs, path=path).kind


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ([layers.Activation("softmax")], SOFTMAX),
        ([layers.Activation("sigmoid")], SIGMOID),
        ([layers.Softmax()], SOFTMAX),
        ([keras.ops.softmax], SOFTMAX),
        ([keras.ops.sigmoid], SIGMOID),
        ([layers.Lambda(lambda x: keras.ops.softmax(2 * x))], SOFTMAX),
        ([layers.Activation("softmax"), layers.Reshape((3,))], SOFTMAX),
        ([], SCORE),
        ([layers.ReLU()], SCORE),
    ],
)
def test_kinds_that_are_found(end, expected):
    assert kind(ending(*end)) == expected


def test_one_output():
    assert kind(ending(layers.Activation("sigmoid"), units=1)) == SIGMOID
    assert kind(ending(units=1)) == SCORE


def test_a_stated_kind_counts_and_a_wrong_one_is_refused():
    assert kind(ending(), "sigmoid") == SIGMOID_LOGITS and kind(ending(), "softmax") == SOFTMAX_LOGITS
    assert kind(ending(layers.Softmax()), "probabilities") == SOFTMAX
    with pytest.raises(InputError, match="--outputs must be one of auto"):
        _ = kind(ending(), "logits")


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_the_loss_in_the_file_says_what_logits_become(tmp_path, suffix):
    for loss, expected in (
        ("BinaryCrossentropy", SIGMOID_LOGITS),
        ("CategoricalCrossentropy", SOFTMAX_LOGITS),
    ):
        model, path = ending(), tmp_path / f"{loss}.{suffix}"
        model.compile("sgd", getattr(keras.losses, loss)(from_logits=True))
        model.save(path)
        loaded = LoadedModel(keras.saving.load_model(path, compile=False), lambda x: x, path=path)
        assert loaded.kind == expected
        assert loaded.scorer_outputs == ("sigmoid" if expected.several else "softmax")
    model.compile("sgd", "mse")
    model.save(path)
    assert kind(model, path=path) == SCORE


def test_our_own_classifiers_give_logits_of_several_classes():
    model = classifiers.create("gap", backbone="mobilenet_0.25", num_classes=3, input_size=(32, 32))
    assert kind(model) == SIGMOID_LOGITS


def test_probabilities_of_logits():
    values = np.array([[-1000.0, 0.0, 1000.0], [1.0, 2.0, 3.0]])
    np.testing.assert_allclose(SIGMOID_LOGITS(values)[0], [0, 0.5, 1], atol=1e-6)
    np.testing.assert_allclose(
        SOFTMAX_LOGITS(values)[1], np.exp([-2, -1, 0]) / np.exp([-2, -1, 0]).sum(), rtol=1e-5
    )
    np.testing.assert_array_equal(SCORE(values), values.astype(np.float32))
