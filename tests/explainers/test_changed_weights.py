"""An explainer that is kept while its model's weights change gives the maps of a new explainer."""

import keras
import numpy as np
import pytest
from keras import layers

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.faithfulness import Scorer

IMAGES = np.random.default_rng(1).uniform(0, 1, (2, 16, 16, 3)).astype("float32")
METHODS = ("cam", "grad_cam_pp", "hires_cam", "score_cam", "smooth_grad", "guided_backprop", "occlusion")


def net(seed, activation="softmax", end=lambda x: x, dtype=None):
    keras.utils.set_random_seed(seed)
    image = keras.Input((16, 16, 3))
    tensor = layers.Conv2D(8, 3, strides=3, activation="relu", dtype=dtype)(image)
    tensor = layers.GlobalAveragePooling2D(dtype=dtype)(tensor)
    return keras.Model(image, end(layers.Dense(3, activation=activation, name="last", dtype=dtype)(tensor)))


def nested(seed):
    """The head's name occurs twice, so that the flat model holds it under another name."""
    image = keras.Input((16, 16, 3))
    return keras.Model(image, net(seed)(layers.Rescaling(1.0, name="last")(image)))


def wrapped(seed):
    keras.utils.set_random_seed(seed)
    image = keras.Input((16, 16, 3))
    tensor = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(image))
    tensor = layers.Reshape((1, 8))(tensor)
    return keras.Model(
        image, layers.Reshape((3,))(layers.TimeDistributed(layers.Dense(3, activation="softmax"))(tensor))
    )


def heads(seed):
    keras.utils.set_random_seed(seed)
    image = keras.Input((16, 16, 3))
    tensor = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(image))
    return keras.Model(image, layers.Concatenate()([layers.Dense(1, "sigmoid")(tensor) for _ in range(3)]))


def differs(kept, model, method="hires_cam", **options):
    """Return the largest difference from a new explainer, as a share of its maximum."""
    new = explainers.create(method, model, **options).raw(IMAGES, [[0, 2]] * 2)
    return np.abs(kept.raw(IMAGES, [[0, 2]] * 2) - new).max() / np.abs(new).max()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_follows(method):
    model = net(0)
    kept = explainers.create(method, model)
    before = kept.raw(IMAGES, [[0, 2]] * 2)
    model.set_weights(net(1).get_weights())
    assert differs(kept, model, method) < 1e-4
    assert np.abs(kept.raw(IMAGES, [[0, 2]] * 2) - before).max() > 1e-2 * np.abs(before).max()


@pytest.mark.parametrize("make", [net, nested, wrapped, heads])
def test_every_form_of_head_follows(make):
    model = make(0)
    kept = explainers.create("hires_cam", model)
    before = kept.raw(IMAGES, [[0, 2]] * 2)
    model.set_weights(make(1).get_weights())
    assert differs(kept, model) < 1e-5
    assert np.abs(kept.raw(IMAGES, [[0, 2]] * 2) - before).max() > 1e-2 * np.abs(before).max()


def test_every_way_to_change_them(tmp_path):
    model = net(0)
    kept = explainers.create("hires_cam", model)
    kept.raw(IMAGES, [[0, 2]] * 2)
    model.get_layer("last").kernel.assign(-2 * model.get_layer("last").kernel)
    assert differs(kept, model) < 1e-5
    net(3).save_weights(tmp_path / "other.weights.h5")
    model.load_weights(tmp_path / "other.weights.h5")
    assert differs(kept, model) < 1e-5
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(IMAGES, np.array([0, 1]), epochs=2, verbose=0)
    assert differs(kept, model) < 1e-5
    for activation in (None, keras.activations.softmax):  # None is a common way to get logits
        model.layers[-1].activation = activation
        assert differs(kept, model) < 1e-5
        assert kept.network.logits[0].kind == ("softmax" if activation else "none")


def test_other_variables_in_place_of_the_old_ones():
    model = net(0)
    kept, scorer = explainers.create("hires_cam", model), Scorer(model)
    before, probabilities = kept.raw(IMAGES, [[0, 2]] * 2), scorer(IMAGES)
    model.get_layer("last").enable_lora(2)
    model.get_layer("last").lora_kernel_b.assign(np.ones((2, 3)) * [[1, -2, 3]])
    assert differs(kept, model) < 1e-5
    assert np.abs(kept.raw(IMAGES, [[0, 2]] * 2) - before).max() > 1e-2 * np.abs(before).max()
    np.testing.assert_allclose(scorer(IMAGES), model(IMAGES), atol=1e-5)
    assert np.abs(scorer(IMAGES) - probabilities).max() > 1e-3


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
@pytest.mark.parametrize("method", ["cam", "grad_cam", "hires_cam", "layer_cam", "occlusion"])
def test_quantised_models(method):
    model = net(0)
    kept = explainers.create(method, model)
    whole = kept.raw(IMAGES, [[0, 2]] * 2)
    model.quantize("int8")
    assert differs(kept, model, method) < 1e-5
    # Weights of eight bits: a 255th of the largest each, and inputs too.
    found = kept.raw(IMAGES, [[0, 2]] * 2)
    error = np.abs(found - whole).max() / np.abs(whole).max()
    assert (
        0 < error < (0.5 if method == "occlusion" else 0.05)
    )  # differences of scores are as coarse as the scores


def test_adapted_statistics():
    image = keras.Input((16, 16, 3))
    normalise = layers.Normalization()
    normalise.adapt(IMAGES)
    tensor = layers.Conv2D(4, 3, activation="relu")(normalise(image))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(tensor)))
    kept = explainers.create("hires_cam", model)
    kept.raw(IMAGES, [[0, 2]] * 2)
    normalise.adapt(IMAGES * 3 + 1)
    assert differs(kept, model) < 1e-5


def test_mixed_precision():
    model = net(0, dtype="mixed_bfloat16")
    kept = explainers.create("hires_cam", model)
    kept.raw(IMAGES, [[0, 2]] * 2)
    model.set_weights(net(1).get_weights())
    assert differs(kept, model) < 1e-2


def test_layers_that_come_or_go():
    model = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()])
    kept = explainers.create("hires_cam", model)
    kept.raw(IMAGES, [0, 1])
    model.add(layers.Dense(2))
    with pytest.raises(InputError, match="added or removed"):
        kept.raw(IMAGES, [0, 1])
