"""Every layer of `wsseg.layers.LAYERS` through the one checker."""

import keras
import numpy as np
import pytest
from layers.layer_checks import check_layer

from wsseg import layers

RNG = np.random.default_rng(0)
MAPS = RNG.normal(0, 2, (2, 7, 9, 3)).astype("float32")
LIKE = np.zeros((2, 5, 6, 2), "float32")
# No two values are equal, in float16 either: maxima stay where they are in mixed precision.
DISTINCT = (RNG.permutation(2 * 7 * 9 * 3).reshape(2, 7, 9, 3) / 64 - 3).astype("float32")
IMAGES = RNG.integers(0, 256, (2, 7, 9, 3)).astype("float32")
SWITCHES = RNG.integers(0, 9, MAPS.shape).astype("int32")
VALID = (np.arange(18) < np.array([[18], [11]]))[:, None] * np.ones((2, 14, 18), "float32")
# Channels whose squares add up to more than float16 holds (65,504).
LARGE = RNG.normal(0, 200, (2, 4, 5, 8)).astype("float32")
# Left, top, right, bottom of regions of maps of stride 2, some of them beyond the border.
REGIONS = np.array([[[1, 2, 9, 9], [-3, 4, 7, 30]], [[0, 0, 18, 14], [5, 5, 6, 6]]], "float32")

CASES = [
    ("AdaptiveAveragePooling2D", {"bins": 4}, [MAPS], {}),
    ("AdaptiveAveragePooling2D", {"bins": 8}, [MAPS], {}),  # more bins than rows
    ("AtrousConvolution2D", {"filters": 4, "rate": 2}, [MAPS], {}),
    ("AtrousConvolution2D", {"filters": 4, "rate": 4, "method": "deinterlaced"}, [MAPS], {}),
    ("AtrousMaxPooling2D", {"pool_size": (2, 3), "dilation_rate": 2}, [DISTINCT], {}),
    ("AtrousMaxPooling2D", {"pool_size": 3, "padding": ((1, 1), (0, 2))}, [DISTINCT], {}),
    ("BilinearRescale", {"scale": 0.75}, [MAPS], {}),
    ("BilinearResizeTo", {}, [MAPS, LIKE], {}),
    ("BilinearResizeTo", {}, [MAPS, np.zeros((2, 21, 63, 1), "float32")], {}),  # factors 3 and 7
    ("BilinearResizeTo", {"shift_hw": (0.5, -0.25)}, [MAPS, LIKE], {}),
    ("BilinearUpsampling2D", {"factor": 3}, [MAPS], {}),
    ("BilinearZoomTo", {"factor": 3}, [MAPS, LIKE], {}),
    ("ChannelRescaling", {"scale": (0.02, 0.01, 0.03), "offset": (-2, -1, 0.5)}, [IMAGES], {}),
    ("CropTo", {}, [MAPS, LIKE], {}),
    ("CropTo", {"offset_hw": (0, 3)}, [MAPS, LIKE], {}),
    *(("ImagePreprocessing", {"mode": mode}, [IMAGES], {}) for mode in ("caffe", "tf", "torch", "none")),
    ("ImageStatistics", {}, [IMAGES], {}),
    ("L2Normalisation", {"scale": 3.0}, [LARGE], {}),
    ("MaskedGlobalAveragePooling2D", {}, [MAPS], {"as_list": False}),
    ("MaskedGlobalAveragePooling2D", {}, [MAPS, VALID], {"as_list": False}),
    ("MaxPoolingWithSwitches2D", {}, [DISTINCT], {}),
    ("MaxPoolingWithSwitches2D", {"pool_size": 3}, [DISTINCT], {}),
    ("MaxUnpooling2D", {"pool_size": 3}, [MAPS, SWITCHES], {}),
    ("MeanFieldCRF", {"bilateral_weight": 0, "iterations": 2, "room": 3}, [IMAGES.astype("uint8"), MAPS], {}),
    ("MeanShift", {}, [MAPS], {}),
    ("NearestResizeTo", {"shift_hw": (0.25, 0.0)}, [MAPS, LIKE], {}),
    ("PixelCorrelation", {"channels": 4}, [MAPS, DISTINCT], {}),
    ("RoIAlign", {"strides": (2,), "output_size": 3}, [MAPS, REGIONS], {}),
    ("RoIAlign", {"strides": (64, 128), "output_size": 3}, [MAPS, DISTINCT[:, ::2, ::2], 64 * REGIONS], {}),
    ("RoIPool", {"stride": 2, "output_size": 3}, [DISTINCT, REGIONS], {"unknown_size": False}),
    ("SizeGuard", {"multiple": 2, "remainder": 1, "smallest": 5, "network": "some"}, [MAPS], {}),
    ("SpatialPyramidPooling2D", {}, [DISTINCT], {}),
    ("SpatialPyramidPooling2D", {"bins": (3, 1), "pooling": "average"}, [MAPS], {}),
]

# What takes seconds, and has tests of its own.
SLOW = [case[:2] for case in CASES if case[0] in ("MeanFieldCRF", "RoIAlign", "RoIPool")]


@pytest.mark.parametrize(
    ("name", "options", "inputs", "how"),
    [pytest.param(*case, marks=pytest.mark.slow) if case[:2] in SLOW else case for case in CASES],
)
def test_layer(name, options, inputs, how):
    check_layer(lambda **further: getattr(layers, name)(**options, **further), *inputs, **how)


def test_every_layer_is_checked():
    own = {name for name in layers.LAYERS if issubclass(getattr(layers, name), keras.layers.Layer)}
    elsewhere = {"PatchFeatures"}  # needs keras-hub: tests/hub
    assert {name for name, *_ in CASES} == own - elsewhere
