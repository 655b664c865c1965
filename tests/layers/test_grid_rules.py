"""Each layer says what it does to the grid; and what it says is where the pixels lie that move its cells."""

import importlib
import inspect
import math
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import wsseg.classifiers
from wsseg import backbones, layers
from wsseg.backbones.layer_grids import output_grid, rule_of
from wsseg.backbones.shapes_only import shapes_only
from wsseg.grid import IMAGE, Grid
from wsseg.layers.grid_rules import Unknown

RNG = np.random.default_rng(0)


def own_layers():
    """Every class of a layer in the modules of layers and classifiers."""
    modules = [name.partition(":")[0] for name in layers.LAYERS.values()]
    package = wsseg.classifiers
    modules += [found.name for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    for module in map(importlib.import_module, modules):
        for kind in vars(module).values():
            own = inspect.isclass(kind) and kind.__module__ == module.__name__
            if own and issubclass(kind, keras.layers.Layer) and not issubclass(kind, keras.Model):
                yield kind


def test_every_layer_says_what_it_does_to_the_grid():
    kinds = {kind for kind in own_layers() if not kind.__name__.startswith("_")}
    listed = {getattr(layers, name) for name in layers.LAYERS}
    assert {kind for kind in listed if issubclass(kind, keras.layers.Layer)} <= kinds
    assert [kind.__name__ for kind in kinds if "output_grid" not in vars(kind)] == []


def moved_box(layer, size, cell, draws=40):
    """Return the ends of the box of pixels that move a cell, `((top, bottom), (left, right))`, over many images."""
    moved = np.zeros((size, size), bool)
    for _ in range(draws):  # a maximum rests on one pixel at a time
        image = tf.constant(RNG.normal(size=(1, size, size, 3)).astype("float32"))
        with tf.GradientTape() as tape:
            tape.watch(image)
            output = layer(image)
            output = output[0] if isinstance(output, list | tuple) else output
            value = tf.reduce_sum(output[0, cell[0], cell[1]])
        moved |= np.abs(tape.gradient(value, image).numpy()[0]).sum(-1) > 0
    return [tuple(np.flatnonzero(moved.any(1 - axis))[[0, -1]]) for axis in (0, 1)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("AtrousConvolution2D", {"filters": 2, "kernel_size": (3, 1), "rate": 2}),
        ("AtrousConvolution2D", {"filters": 2, "rate": 2, "method": "deinterlaced"}),
        ("AtrousMaxPooling2D", {"pool_size": (2, 3), "dilation_rate": (1, 2)}),
        ("AtrousMaxPooling2D", {"pool_size": 3, "padding": ((1, 1), (0, 2))}),
        ("MaxPoolingWithSwitches2D", {"pool_size": 3}),
        ("ChannelRescaling", {"scale": (2.0, 3.0, 1.0), "offset": (0.0, 1.0, 2.0)}),
        ("ImageStatistics", {}),
        ("L2Normalisation", {}),
        ("MeanShift", {}),
        ("SizeGuard", {"multiple": 1, "remainder": 0, "smallest": 1, "network": "some"}),
    ],
)
def test_cells_look_at_the_middle_of_what_moves_them(name, options):
    size = 15
    layer = getattr(layers, name)(**options)
    layer.build((None, size, size, 3))
    grid = output_grid(layer, (None, size, size, 3))
    assert isinstance(grid, Grid)
    for cell in [(2, 2), (3, 4)]:
        looked = [centre + stride * i for stride, centre, i in zip(grid.stride_hw, grid.centre_hw, cell)]
        assert looked == [sum(ends) / 2 for ends in moved_box(layer, size, cell)]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (keras.layers.Conv2D(4, 3, strides=2, padding="same"), Grid((2.0, 2.0), (1.0, 1.0))),
        (keras.layers.DepthwiseConv2D(3, padding="same"), IMAGE),
        (keras.layers.AveragePooling2D((2, 4)), Grid((2.0, 4.0), (0.5, 1.5))),
        (keras.layers.ZeroPadding2D(((1, 0), (2, 3))), Grid((1.0, 1.0), (-1.0, -2.0))),
        # nothing is seen above row 0.5, nor beside columns 1.5 to 12.5
        (
            keras.layers.Cropping2D(((1, 0), (2, 3))),
            Grid((1.0, 1.0), (1.0, 2.0), seen_hw=((0.5, math.inf), (1.5, 12.5))),
        ),
        (keras.layers.ReLU(), IMAGE),
        (keras.layers.Resizing(4, 4), Unknown.RESAMPLED),
        (keras.layers.GlobalAveragePooling2D(keepdims=True), Unknown.WHOLE),
        (layers.AdaptiveAveragePooling2D(2), Unknown.WHOLE),
        (layers.BilinearUpsampling2D(2), Unknown.RESAMPLED),
    ],
)
def test_the_grids_of_known_layers(layer, expected):
    assert output_grid(layer, (None, 16, 16, 3)) == expected


def test_layers_one_after_the_other():
    chain = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.ZeroPadding2D(1), keras.layers.MaxPooling2D(2)]
    )
    assert output_grid(chain, (None, 16, 16, 3)) == Grid((2.0, 2.0), (-0.5, -0.5))
    chain.add(keras.layers.UpSampling2D())
    assert output_grid(chain, (None, 16, 16, 3)) is Unknown.RESAMPLED


def test_a_layer_that_nobody_has_described_is_said_to_be_unknown():
    class Dense(keras.layers.Layer):
        """Not Keras' layer of that name."""

    assert output_grid(Dense(), (None, 16, 16, 3)) is Unknown.NO_RULE

    class Wider(keras.layers.Conv2D):
        """A convolution all the same."""

    assert output_grid(Wider(1, 3), (None, 16, 16, 3)) == Grid((1.0, 1.0), (1.0, 1.0))


@pytest.mark.parametrize(
    "name",
    ["mobilenet_0.25", "mobilenet_v2", "resnet50", "vgg16", "efficientnet_b0", "convnext_tiny", "plain"],
)
@shapes_only()
def test_every_layer_of_a_backbone_has_a_rule(name):
    network = backbones.create(name, 8 if name == "plain" else 32)
    without = {type(op).__name__ for op in network.operations if rule_of(op) is None}
    assert without <= {"InputLayer"}
