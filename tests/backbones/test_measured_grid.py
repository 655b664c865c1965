"""Grids that are measured by gradients: against hand-worked places, and against the rules of known layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from wsseg import backbones
from wsseg.backbones import place_rules
from wsseg.backbones.alignment import grid_of, grids
from wsseg.backbones.layer_grids import output_grid
from wsseg.backbones.measured_part import measured_part
from wsseg.backbones.shapes_only import shapes_only
from wsseg.backbones.table import NETWORKS
from wsseg.explainers.flattening import flatten
from wsseg.grid import IMAGE, Grid
from wsseg.layers.grid_rules import Unknown


def place(front, shape=(32, 48, 3)):
    """Return the grid behind some layers."""
    image = keras.Input(shape)
    output = front(image)
    return grid_of(keras.Model(image, output), output, image)


def lambda_of(function, *shape):
    return layers.Lambda(function, output_shape=shape)


class Trunk(layers.Layer):
    """A network in a layer of one's own, behind an operation of TensorFlow."""

    def __init__(self, inner, **options):
        super().__init__(**options)
        self.inner = inner

    def call(self, images):
        return self.inner(tf.cast(images, tf.float32) / 127.5 - 1, training=False)


class Shift(layers.Layer):
    """A shift that keeps the size."""

    def call(self, images):
        return tf.pad(images, [(0, 0), (5, 0), (0, 3), (0, 0)])[:, :-5, 3:]


class ReflectingConvolution(layers.Conv2D):
    """A subclass of a known layer that does something else."""

    def call(self, images):
        return super().call(ops.pad(images, ((0, 0), (4, 0), (4, 0), (0, 0)), mode="reflect"))


class Counting(layers.Layer):
    """A layer that moves its input on at every call."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False)

    def call(self, images):
        self.calls.assign_add(3)
        return tf.roll(images, self.calls, axis=1)


KNOWN = {
    "strided slices": (lambda x: x[:, ::4, 1::2], Grid((4.0, 2.0), (0.0, 1.0))),
    "crop by slices": (lambda x: x[:, 8:, 4:-6], Grid((1.0, 1.0), (8.0, 4.0))),
    "space to depth": (
        lambda_of(lambda x: tf.nn.space_to_depth(x, 4), 8, 12, 48),
        Grid((4.0, 4.0), (1.5, 1.5)),
    ),
    "resize by TensorFlow": (
        lambda_of(lambda x: tf.image.resize(x, (16, 24)), 16, 24, 3),
        Grid((2.0, 2.0), (0.5, 0.5)),
    ),
    "resize by 4 / 3": (layers.Resizing(24, 36), Grid((4 / 3, 4 / 3), (1 / 6, 1 / 6))),
    "resize and crop": (
        layers.Resizing(16, 16, crop_to_aspect_ratio=True),
        Grid((2.0, 2.0), (0.5, 8.5)),
    ),
    "resize and pad": (
        layers.Resizing(24, 24, pad_to_aspect_ratio=True),
        Grid((2.0, 2.0), (-7.5, 0.5)),
    ),
    "crop of the middle": (layers.CenterCrop(16, 32), Grid((1.0, 1.0), (8.0, 8.0))),
    "convolution by an operation": (
        lambda x: ops.conv(x, np.ones((3, 5, 3, 2), "float32"), strides=2),
        Grid((2.0, 2.0), (1.0, 2.0)),
    ),
    "pooling by an operation": (lambda x: ops.max_pool(x, 4, 4), Grid((4.0, 4.0), (1.5, 1.5))),
    "spectral normalisation": (
        layers.SpectralNormalization(layers.Conv2D(2, 4, strides=4)),
        Grid((4.0, 4.0), (1.5, 1.5)),
    ),
    "zeros around": (lambda x: ops.pad(x, ((0, 0), (3, 9), (0, 7), (0, 0))), Grid((1.0, 1.0), (-3.0, 0.0))),
    "reflection around": (
        lambda x: ops.pad(x, ((0, 0), (3, 2), (6, 0), (0, 0)), mode="reflect"),
        Grid((1.0, 1.0), (-3.0, -6.0)),
    ),
    "repeat": (lambda x: ops.repeat(x, 2, axis=1), Grid((0.5, 1.0), (-0.25, 0.0))),
    "upsampling": (layers.UpSampling2D(2), Grid((0.5, 0.5), (-0.25, -0.25))),
    # Output pixel j adds the inputs j / 2 and j / 2 - 1, or (j - 1) / 2 alone: j / 2 - 1 / 2 on average.
    "transposed convolution": (
        layers.Conv2DTranspose(2, 3, strides=2, padding="same", kernel_initializer="ones"),
        Grid((0.5, 0.5), (-0.5, -0.5)),
    ),
    "flip": (lambda x: ops.flip(x, axis=2), Grid((1.0, -1.0), (0.0, 47.0))),
    "swapped axes": (lambda x: ops.transpose(x, (0, 2, 1, 3)), Grid((1.0, 1.0), (0.0, 0.0), (2, 1))),
    "turn by 90 degrees": (lambda x: ops.rot90(x, axes=(1, 2)), Grid((1.0, -1.0), (0.0, 47.0), (2, 1))),
    "channels first": (lambda x: ops.transpose(x, (0, 3, 1, 2)), Grid((1.0, 1.0), (0.0, 0.0), (2, 3))),
    "tokens and back": (
        lambda x: layers.Reshape((8, 12, 4))(layers.Reshape((96, 4))(layers.Conv2D(4, 4, strides=4)(x))),
        Grid((4.0, 4.0), (1.5, 1.5)),
    ),
    "one layer per time step": (
        lambda x: layers.Reshape((8, 12, 3))(
            layers.TimeDistributed(layers.AveragePooling2D(4))(layers.Reshape((1, 32, 48, 3))(x))
        ),
        Grid((4.0, 4.0), (1.5, 1.5)),
    ),
    "layer that shifts": (Shift(), Grid((1.0, 1.0), (-5.0, 3.0))),
    "subclass of a convolution": (ReflectingConvolution(2, 1), Grid((1.0, 1.0), (-4.0, -4.0))),
    "roll there and back": (lambda x: ops.roll(ops.roll(x, 9, axis=1), -9, axis=1), IMAGE),
    "statistics of the image": (
        lambda_of(lambda x: x - tf.reduce_mean(x, (1, 2), keepdims=True), 32, 48, 3),
        IMAGE,
    ),
    "random layers": (lambda x: layers.RandomZoom(0.2)(layers.RandomFlip()(x)), IMAGE),
    "known layers": (
        lambda x: layers.Dropout(0.1)(layers.BatchNormalization()(layers.Rescaling(1 / 255)(x))),
        IMAGE,
    ),
    "crop layer": (layers.Cropping2D(((2, 8), (4, 0))), Grid((1.0, 1.0), (2.0, 4.0))),
    "branch of the same place": (
        lambda x: layers.Concatenate()([x, layers.UpSampling2D(2)(layers.MaxPooling2D(2)(x))]),
        IMAGE,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_operations_equal_their_hand_worked_place(name):
    front, expected = KNOWN[name]
    found = place(front)
    assert isinstance(found, Grid) and found.axes == expected.axes
    np.testing.assert_allclose(found.stride_hw, expected.stride_hw, atol=1e-3)
    np.testing.assert_allclose(found.centre_hw, expected.centre_hw, atol=0.02)


@pytest.mark.parametrize(
    "front",
    [
        lambda x: ops.roll(x, 9, axis=1),
        lambda x: ops.tile(x, (1, 2, 1, 1)),
        lambda x: layers.Concatenate(axis=1)([x, ops.flip(x, axis=1)]),
        lambda x: x + ops.flip(x, axis=1),
        lambda x: layers.Reshape((8, 8, 3))(layers.Dense(192)(layers.GlobalAveragePooling2D()(x))),
        layers.EinsumDense("bhwc,hk->bkwc", output_shape=(32, 48, 3)),
        lambda_of(lambda x: tf.sort(x, axis=1), 32, 48, 3),
        lambda_of(lambda x: tf.stop_gradient(x)[:, ::-1], 32, 48, 3),
        lambda_of(lambda x: tf.round(x), 32, 48, 3),
        lambda_of(lambda x: x * 0, 32, 48, 3),
        Counting(),
    ],
    ids=["roll", "tile", "stack", "sum", "dense", "mix", "sort", "no gradient", "steps", "zeros", "counting"],
)
def test_what_has_no_place_is_unknown(front):
    assert isinstance(place(front), Unknown)


def test_known_layers_after_an_unknown_one_stay_unknown():
    assert place(lambda x: layers.Conv2D(1, 1)(ops.roll(x, 9, axis=1))) is Unknown.MIXED


def test_measuring_changes_no_state():
    layer = Counting()
    place(layer)
    assert int(layer.calls) == 0


def test_open_sizes():
    assert place(lambda x: x[:, ::2, 3:], (None, None, 3)) == Grid(
        (2.0, 1.0), (0.0, 3.0), seen_hw=((-np.inf, np.inf), (2.0, np.inf))
    )
    assert place(layers.Resizing(16, 16), (None, None, 3)) is Unknown.VARIES
    assert place(lambda x: ops.flip(x, axis=1), (None, None, 3)) is Unknown.VARIES


def test_network_in_a_layer_is_followed_by_the_rules_of_its_layers():
    inner = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(96, 96, 3), alpha=0.25)
    # Its receptive fields are longer than the image; the hand-worked centre is 1 + 2 + 4 + 8 + 16.
    assert place(Trunk(inner), (96, 96, 3)) == Grid((32.0, 32.0), (31.0, 31.0))


def test_layers_of_channels_first():
    image = keras.Input((3, 32, 48))
    options = {"padding": "same", "data_format": "channels_first"}
    output = layers.MaxPooling2D(2, **options)(layers.Conv2D(4, 3, strides=(1, 2), **options)(image))
    found = grid_of(keras.Model(image, output), output, image, axes=(2, 3))
    assert found == Grid((2.0, 4.0), (0.5, 2.0), (2, 3))


def narrow(layer):
    """Return a window layer of one channel with positive weights, or the padding layer itself."""
    config = layer.get_config() | {"name": "narrow"}
    for key in ("filters", "groups", "depth_multiplier"):
        if key in config:
            config[key] = 1
    for key in [key for key in config if key.endswith("_initializer") or key == "dtype"]:
        del config[key]
    copy = type(layer).from_config(config)
    for key in ("kernel", "depthwise", "pointwise"):
        if hasattr(copy, f"{key}_initializer"):
            setattr(copy, f"{key}_initializer", keras.initializers.RandomUniform(0.5, 1.5))
    return copy


MEASURED: dict = {}
MEASURING: list = []


def measured_output_grid(layer, input_shape):
    """Stand in for `output_grid`: measure the layer, with one channel, at the size that it has in its network."""
    if MEASURING:
        return Unknown.NO_RULE
    if isinstance(layer, keras.Sequential):
        grid = IMAGE
        for part in layer.layers:
            grid = grid.through(measured_output_grid(part, part.input.shape))
        return grid
    window = any(hasattr(layer, name) for name in ("kernel_size", "pool_size", "padding"))
    if not window or "keras" not in type(layer).__module__:
        return output_grid(layer, input_shape)
    config = {k: v for k, v in layer.get_config().items() if k in ("padding", "strides", "dilation_rate")}
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    size = tuple(side or open_side for side, open_side in zip(input_shape[1:3], (48, 40)))
    key = (type(layer).__name__, str(window), str(config), size)
    if key not in MEASURED:
        image = keras.Input((*size, 1))
        MEASURING.append(layer)
        MEASURED[key] = measured_part([(image, IMAGE)], [], narrow(layer)(image))
        MEASURING.clear()
    return MEASURED[key]


def assert_measured_equals_rules(name, output_stride, monkeypatch):
    with shapes_only():
        network = backbones.create(name, output_stride)
    flat = flatten(keras.Model(network.input, network.output["level_5"]))
    expected = grids(flat)[id(flat.outputs[0])]
    monkeypatch.setattr(place_rules, "output_grid", measured_output_grid)
    found = grids(flat)[id(flat.outputs[0])]
    assert MEASURED
    np.testing.assert_allclose(found.stride_hw, expected.stride_hw, atol=1e-3)
    np.testing.assert_allclose(found.centre_hw, expected.centre_hw, atol=0.1)


@pytest.mark.parametrize(("name", "output_stride"), [("mobilenet_0.25", 16), ("resnet50", 8), ("vgg16", 32)])
def test_measured_equals_the_rules(name, output_stride, monkeypatch):
    assert_measured_equals_rules(name, output_stride, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("output_stride", [32, 16, 8])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_measured_equals_the_rules_in_all_backbones(name, output_stride, monkeypatch):
    assert_measured_equals_rules(name, output_stride, monkeypatch)
