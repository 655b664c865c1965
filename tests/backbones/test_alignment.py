"""Where cells look: hand-worked centres, and the centre of the pixels that really move a cell."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from wsseg import backbones
from wsseg.backbones.alignment import grids
from wsseg.backbones.shapes_only import shapes_only
from wsseg.grid import Grid


def test_displacement_is_zero_for_a_block_average():
    # A cell that averages pixels 0..3 looks at 1.5, which is where half-pixel resizing puts it.
    assert Grid((4.0, 4.0), (1.5, 1.5)).displacement_hw == (0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "output_stride", "centre"),
    [
        # MobileNet pads at the end only: 1 + 2 + 4 + 8 + 16 input pixels, at any output stride.
        ("mobilenet_0.25", 32, 31.0),
        ("mobilenet_0.25", 16, 31.0),
        ("mobilenet_0.25", 8, 31.0),
        # ResNet pads evenly: cell 0 looks at pixel 0.
        ("resnet50", 16, 0.0),
        # VGG's five 2 x 2 poolings look half a cell on: 0.5 + 1 + 2 + 4 + 8.
        ("vgg16", 32, 15.5),
        pytest.param("convnext_tiny", 32, 15.5, marks=pytest.mark.slow),
    ],
)
@shapes_only()
def test_hand_worked_centres(name, output_stride, centre):
    network = backbones.create(name, output_stride)
    grid = grids(network)[id(network.output["level_5"])]
    assert grid.centre_hw == (centre, centre)
    assert grid.stride_hw == (float(output_stride), float(output_stride))


def _measured_centre(features: keras.Model, size: int, cell: tuple[int, int]) -> np.ndarray:
    """Return the middle of the box of input pixels that the cell depends on."""
    image = tf.random.uniform((1, size, size, 3), seed=1)
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = tf.reduce_sum(features(image, training=False)[0, cell[0], cell[1]])
    moved = np.abs(tape.gradient(value, image).numpy()[0]).sum(-1) > 0
    return np.array([(np.flatnonzero(moved.any(1 - axis))[[0, -1]]).mean() for axis in (0, 1)])


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [80, 81])
def test_centres_equal_the_middle_of_what_moves_a_cell(padding, size):
    layers = keras.layers
    image = keras.Input((size, size, 3))
    x = layers.ZeroPadding2D(((0, 1), (2, 1)))(image)
    x = layers.Conv2D(2, 3, strides=2, padding="valid", kernel_initializer="ones")(x)
    x = layers.Conv2D(2, (3, 5), padding=padding, dilation_rate=2, kernel_initializer="ones")(x)
    x = layers.AveragePooling2D(2, strides=2, padding=padding)(x)
    x = layers.DepthwiseConv2D(3, strides=(1, 1), padding="same", depthwise_initializer="ones")(x)
    model = keras.Model(image, x)
    grid, cell = grids(model)[id(model.output)], (9, 8)
    expected = [c + s * i for c, s, i in zip(grid.centre_hw, grid.stride_hw, cell)]
    np.testing.assert_allclose(_measured_centre(model, size, cell), expected)


@pytest.mark.parametrize(
    "resample",
    [keras.layers.UpSampling2D(), keras.layers.Resizing(8, 8), lambda x: keras.ops.image.resize(x, (8, 8))],
)
def test_resampling_that_is_not_known_is_left_out(resample):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, keras.layers.ReLU()(resample(image)))
    assert id(model.output) not in grids(model)
