"""The layer to explain, given in every form: each means the same as its full name, or is refused by name."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from wsseg import explainers
from wsseg.errors import InputError

IMAGES = np.random.default_rng(0).uniform(0, 1, (2, 16, 16, 3)).astype("float32")


class Block(layers.Layer):
    """A convolution that a custom layer calls twice, then pooled."""

    def __init__(self, **options):
        super().__init__(**options)
        self.inner = layers.Conv2D(4, 3, padding="same", activation="relu", name="inner")
        self.pool = layers.GlobalAveragePooling2D(name="inner_pool")

    def build(self, input_shape):
        self.inner.build(input_shape)

    def call(self, x):
        return self.pool(self.inner(x) + self.inner(x / 2))


@pytest.fixture(scope="module")
def model():
    """A nested model whose layer shares its name with one of the outer model."""
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Conv2D(4, 3, name="conv"), layers.ReLU(name="relu")], name="base"
    )
    image = keras.Input((16, 16, 3), name="photo")
    tensor = layers.Conv2D(5, 3, activation="relu", name="conv")(inner(image))
    return keras.Model(image, layers.Dense(3, name="scores")(layers.GlobalAveragePooling2D()(tensor)))


def explained(model, layer):
    return explainers.create("hires_cam", model=model, layer=layer)


def test_forms_of_one_layer(model):
    outer, relu = model.get_layer("conv"), model.get_layer("base").get_layer("relu")
    for wanted, forms in {
        "conv": [
            outer,
            2,
            np.int64(2),
            -3,
            ["conv"],
            ("conv",),
            ("conv", 0),
            (outer, 0),
            ("conv", -1),
            "conv#0",
        ],
        "relu": [relu, "base/relu", "base.relu", ["base/relu"], "base", model.get_layer("base"), 1],
        "base.conv": ["base/conv", "base.conv#0"],
    }.items():
        expected = explained(model, wanted).raw(IMAGES, 1)
        for form in forms:
            np.testing.assert_array_equal(explained(model, form).raw(IMAGES, 1), expected, str(form))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (["conv", "relu"], r"`layer` must be one layer; got .*mean of their maps"),
        (("conv", "relu"), "`layer` must be one layer"),
        ([], "`layer` must be one layer"),
        (99, "`layer` is 99, but model .* has 5 layers"),
        (0, "`photo` is an input of model .*integrated_gradients"),
        ("photo", "`photo` is an input of model"),
        (-1, r"`scores` of model .* gives \(None, 3\), which has no height and width"),
        ("conf", "no spatial layer `conf`; did you mean `conv`"),
        ("conv#3", "`conv` is called 1 times; the numbers of its calls are 0; got 3"),
        (("conv", True), "`layer` must be one layer"),
        (True, "`layer` must be a name, a path such as .*; got True"),
        (1.5, "`layer` must be a name, a path such as .*; got 1.5"),
        (b"conv", "`layer` must be a name, a path such as"),
        ({"conv": 0}, "`layer` must be a name, a path such as"),
        (layers.Dense(2, name="other"), "no spatial layer `other`"),
        (
            keras.Input((16, 16, 3), name="tensor"),
            "`layer` is a symbolic tensor; give the layer that makes it, `tensor`",
        ),
    ],
)
def test_what_is_no_layer(model, layer, message):
    with pytest.raises(InputError, match=message):
        explained(model, layer)


def test_a_name_of_several_layers_needs_its_path():
    def part(name):
        return keras.Sequential(
            [keras.Input((16, 16, 3)), layers.Conv2D(3, 3, padding="same", name="conv")], name=name
        )

    image = keras.Input((16, 16, 3))
    tensor = part("second")(part("first")(image))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(tensor)))
    with pytest.raises(
        InputError, match="2 layers are called `conv`; choose one of: first/conv, second/conv"
    ):
        explained(model, "conv")
    assert explained(model, "first/conv").layer == "first.conv"


def by_hand(block, dense, number):
    """HiResCAM at one of the two calls of a block's convolution; the other call is a constant."""
    calls = [block.inner(IMAGES), block.inner(IMAGES / 2)]
    features = calls[number]
    with tf.GradientTape() as tape:
        tape.watch(features)
        score = dense(block.pool(features + calls[1 - number]))[:, 1]
    return tf.reduce_sum(tape.gradient(score, features) * features, axis=-1)


def test_layer_inside_a_custom_layer():
    block, dense = Block(name="block"), layers.Dense(3)
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Softmax()(dense(block(image))))
    for layer, number in [
        ("inner", 1),
        ("block/inner", 1),
        (block.inner, 1),
        ("inner#0", 0),
        (("inner", 1), 1),
    ]:
        explainer = explained(model, layer)
        assert explainer.layer == "inner" and explainer.grid is None  # spread evenly
        np.testing.assert_allclose(explainer.raw(IMAGES, 1), by_hand(block, dense, number), atol=1e-6)
    with pytest.raises(
        InputError, match="name a layer inside another with `layer=`: block/inner, block/inner_pool"
    ):
        explained(model, None)
    with pytest.raises(InputError, match="numbered 0 to 1; got 2"):
        explained(model, "inner#2").raw(IMAGES, 1)
    with pytest.raises(InputError, match=r"`inner_pool` gives \(1, 4\), which has no height and width"):
        explained(model, "inner_pool").raw(IMAGES, 1)


def test_layer_of_a_subclassed_model():
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.block, self.scores = Block(name="block"), layers.Dense(3)

        def call(self, x):
            return self.scores(self.block(x))

    model = Own()  # not built: the first batch builds it
    first = explained(model, ("inner", 0)).raw(IMAGES, 1)
    for layer, number in [("inner#0", 0), ("block/inner", 1), (model.block.inner, 1), (["inner"], 1)]:
        found = explained(model, layer).raw(IMAGES, 1)
        np.testing.assert_allclose(found, by_hand(model.block, model.scores, number), atol=1e-6)
    np.testing.assert_allclose(first, by_hand(model.block, model.scores, 0), atol=1e-6)
    with pytest.raises(InputError, match="subclassed Own: no layer `iner`; did you mean `inner`"):
        explained(model, "iner")
    with pytest.raises(InputError, match="is not a layer of it"):
        explained(model, layers.Dense(2))
    explainer = explained(model, "inner")
    explainer.raw(IMAGES, 1)
    channels_first = np.moveaxis(IMAGES, -1, 1)
    with pytest.raises(
        InputError, match=r"\(B, H, W, 3\); got \(2, 3, 16, 16\); move the channels to the end"
    ):
        explainer.raw(channels_first, 1)
    with pytest.raises(InputError, match=r"model `own` fails on inputs \[\(1, 3, 16, 16\)\]: ValueError"):
        explained(model, "inner").raw(channels_first, 1)


def test_layer_that_runs_on_slices_has_no_place():
    strip = keras.Sequential(
        [keras.Input((16, 4, 3)), layers.Conv2D(4, 3, name="inner"), layers.GlobalAveragePooling2D()],
        name="strip",
    )
    image = keras.Input((16, 16, 3))
    tensor = layers.TimeDistributed(strip, name="strips")(layers.Reshape((4, 16, 4, 3))(image))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling1D()(tensor)))
    with pytest.raises(InputError, match=r"`inner` runs inside `strips` \(TimeDistributed\) on slices"):
        explained(model, "inner")


def test_parts_of_images_in_the_batch_are_no_images():
    image = keras.Input((16, 16, 3))
    halves = keras.ops.reshape(image, (-1, 8, 16, 3))
    tensor = layers.Conv2D(4, 3, activation="relu", name="halves")(halves)
    pooled = keras.ops.reshape(layers.GlobalAveragePooling2D()(tensor), (-1, 8))
    model = keras.Model(image, layers.Dense(2)(pooled))
    with pytest.raises(InputError, match=r"for 2 images|for 4 rows"):
        explained(model, "halves").raw(IMAGES, 1)
    assert explainers.create("smooth_grad", model=model, copies=2).raw(IMAGES, 1).shape == (2, 16, 16)
