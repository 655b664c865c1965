"""Maps must lie on what they explain, whatever the padding, stride and dilation of the network."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from wsseg.backbones import with_output_stride
from wsseg.errors import InputError
from wsseg.explainers.cam import CAM
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.multi_scale import MultiScale
from wsseg.explainers.occlusion import Occlusion
from wsseg.loading.augment import FILL_RGB


def bright(size=96, top=40, left=52, side=8):
    """Return an image of the filling colour with a brighter square, and the square's centre."""
    image = np.zeros((1, size, size, 3), np.float32) + FILL_RGB
    image[0, top : top + side, left : left + side] += 100
    return image, (top + (side - 1) / 2, left + (side - 1) / 2)


def network(padding, output_stride=16):
    """Return a network of four averaging 3x3 convolutions of stride 2, then one more: brightness, blurred."""
    image = keras.Input((None, None, 3))
    tensor = layers.Rescaling(1.0, [-c for c in FILL_RGB])(image)
    for index in range(4):
        if padding == "before":  # ResNet's
            tensor = layers.ZeroPadding2D(1)(tensor)
        elif padding == "after":  # MobileNet's
            tensor = layers.ZeroPadding2D(((0, 1), (0, 1)))(tensor)
        tensor = layers.Conv2D(
            3,
            3,
            strides=2,
            padding="same" if padding == "same" else "valid",
            kernel_initializer=keras.initializers.Constant(1 / 27),
            name=f"stage_{index}",
        )(tensor)
    tensor = layers.ReLU(name="features")(tensor)
    features = with_output_stride(keras.Model(image, tensor), output_stride)
    head = layers.Dense(2, use_bias=False, kernel_initializer="ones")
    return keras.Model(features.input, head(layers.GlobalAveragePooling2D()(features.output)))


def centroid(maps):
    total = maps.sum()
    return tuple((maps.sum(axis=1 - axis) * np.arange(maps.shape[axis])).sum() / total for axis in (0, 1))


@pytest.mark.parametrize("output_stride", [16, 8])
@pytest.mark.parametrize("padding", ["before", "after", "same"])
@pytest.mark.parametrize("method", [CAM, GradCAM])
def test_map_lies_on_the_object(padding, output_stride, method):
    image, centre = bright()
    maps = method(network(padding, output_stride))(image, [0])[0]
    # Half-pixel resizing would be 7.5 pixels off, and 11.5 with dilation.
    np.testing.assert_allclose(centroid(maps), centre, atol=2)


@pytest.mark.parametrize("output_stride", [16, 8])
@pytest.mark.parametrize("padding", ["before", "after", "same"])
def test_sum_over_scales_and_flip_lies_on_the_object(padding, output_stride):
    image, centre = bright(size=192, top=72, left=88, side=32)
    explain = MultiScale(CAM(network(padding, output_stride)), scales=(1.0, 0.5), map_stride=4)
    maps = explain.raw(image, [[0]])[0, 0]
    found = tuple(4 * c + 1.5 for c in centroid(maps))
    # At half the size, half-pixel resizing would be 15 pixels off, and 23 with dilation.
    np.testing.assert_allclose(found, centre, atol=2)


def test_flip_alone_is_placed_by_itself():
    # A side that is no multiple of the map's stride: the mirrored map must lie on the other one all the same.
    image, _ = bright()
    image = image[:, :, :93]
    explainer = CAM(network("before"))
    single = MultiScale(explainer, scales=(1.0,), flip=False, map_stride=8).raw(image, [[0]])[0, 0]
    double = MultiScale(explainer, scales=(1.0,), flip=True, map_stride=8).raw(image, [[0]])[0, 0]
    np.testing.assert_allclose(centroid(double - single), centroid(single), atol=0.35)


def test_upsampled_cells_are_measured():
    image = keras.Input((32, 32, 3))
    tensor = layers.ReLU()(layers.UpSampling2D(2)(layers.Conv2D(3, 2, strides=2)(image)))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(tensor)))
    # A convolution's cell looks at 2 i + 1 / 2, an upsampled one at half a cell less a quarter.
    grid = CAM(model).grid
    np.testing.assert_allclose(grid.stride_hw, 1, atol=1e-3)
    np.testing.assert_allclose(grid.centre_hw, 0, atol=0.02)


def test_cells_of_unknown_place_are_spread_evenly_and_a_warning_says_so_once():
    image = keras.Input((32, 32, 3))
    tensor = layers.ReLU()(keras.ops.roll(image, 5, axis=1))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(tensor)))
    explainer = CAM(model)
    assert explainer.grid is None
    with pytest.warns(
        UserWarning, match="cells of layer `re_lu.*` look in the image is not known.*spread evenly"
    ):
        np.testing.assert_allclose(explainer.placement(np.arange(32), 0, 32, 32), np.eye(32), atol=1e-6)
    explainer.placement(np.arange(32), 1, 32, 32)  # a second warning would be an error


def bright_square(shape, at, side=8):
    """Return an image with one bright square, and the square's centre."""
    image = np.zeros((1, *shape, 3), np.float32)
    image[:, at[0] : at[0] + side, at[1] : at[1] + side] = 1
    return image, (at[0] + (side - 1) / 2, at[1] + (side - 1) / 2)


def brightness(image, front):
    """Return a model of the brightness behind some layers."""
    ones = {"use_bias": False, "kernel_initializer": "ones"}
    features = layers.Conv2D(1, 1, activation="relu", name="features", **ones)(front(image))
    return keras.Model(image, layers.Dense(1, **ones)(layers.GlobalAveragePooling2D()(features)))


def place_of_maximum(map_):
    return tuple(x.mean() for x in np.nonzero(map_ >= 0.99 * map_.max()))


@pytest.mark.parametrize(
    "front",
    [
        lambda x: keras.ops.flip(x, axis=2),
        lambda x: keras.ops.transpose(x, (0, 2, 1, 3)),
        lambda x: x[:, 4::4, ::2],
        layers.Resizing(32, 32, crop_to_aspect_ratio=True),
        lambda x: keras.ops.pad(x, ((0, 0), (5, 9), (10, 0), (0, 0)), mode="reflect"),
    ],
)
def test_map_lies_on_the_square_behind_any_layer(front):
    image, centre = bright_square((64, 96), (36, 20))
    explainer = GradCAM(brightness(keras.Input((64, 96, 3)), front))
    found = place_of_maximum(explainer(image, [0])[0])
    np.testing.assert_allclose(found, centre, atol=2.1)


def test_place_that_depends_on_the_size_of_the_image_is_that_of_the_batch():
    explainer = GradCAM(brightness(keras.Input((None, None, 3)), layers.Resizing(32, 32)))
    for size in ((64, 128), (96, 64)):
        image, centre = bright_square(size, (36, 20))
        found = place_of_maximum(explainer(image, [0])[0])
        np.testing.assert_allclose(found, centre, atol=2)
        assert explainer.grid.stride_hw == (size[0] / 32, size[1] / 32)


@pytest.mark.parametrize("method", [GradCAM, Occlusion])
@pytest.mark.parametrize("how", ["Permute", "data_format"])
def test_channels_first(method, how):
    if how == "Permute":
        front = layers.Permute((2, 3, 1))
    else:
        front = layers.AveragePooling2D(2, data_format="channels_first")
    image, centre = bright_square((32, 48), (18, 32))
    given = keras.Input((3, 32, 48))
    if how == "Permute":
        model = brightness(given, front)
    else:
        convolution = layers.Conv2D(
            1, 1, activation="relu", data_format="channels_first", use_bias=False, kernel_initializer="ones"
        )
        pooled = layers.GlobalAveragePooling2D(data_format="channels_first")(convolution(front(given)))
        model = keras.Model(given, layers.Dense(1, use_bias=False, kernel_initializer="ones")(pooled))
        try:
            model(np.moveaxis(image, -1, 1))
        except tf.errors.UnimplementedError:
            pytest.skip("TensorFlow convolves channels-first on a CPU with oneDNN only")
    maps = method(model)(np.moveaxis(image, -1, 1), [0])
    assert maps.shape == (1, 32, 48)
    np.testing.assert_allclose(place_of_maximum(maps[0]), centre, atol=4.1)
    with pytest.raises(InputError, match=r"takes the channels first; got .*np\.moveaxis"):
        method(model)(image, [0])


class Subclassed(keras.Model):
    """A model with its own `call`: swapped axes, a flip, then the brightness."""

    def __init__(self):
        super().__init__()
        ones = {"use_bias": False, "kernel_initializer": "ones"}
        self.pooling = layers.AveragePooling2D(2)
        self.features = layers.Conv2D(1, 1, activation="relu", name="features", **ones)
        self.head = layers.Dense(1, **ones)

    def call(self, images):
        turned = keras.ops.transpose(images[:, :, ::-1], (0, 2, 1, 3))
        return self.head(keras.ops.mean(self.features(self.pooling(turned)), axis=(1, 2)))


def test_subclassed_model_that_turns_the_image():
    image, centre = bright_square((32, 48), (18, 30))
    explainer = GradCAM(Subclassed(), layer="features")
    assert explainer.grid is None  # until the first batch
    maps = explainer(image, [0])
    np.testing.assert_allclose(place_of_maximum(maps[0]), centre, atol=1)
    assert explainer.grid.stride_hw == (2, -2) and explainer.grid.centre_hw == (0.5, 46.5)
