"""Multi-grid: the published rates, at unchanged sizes, against loops in NumPy."""

import keras
import numpy as np
import pytest
from references.convolutions import atrous

from wsseg import backbones
from wsseg.backbones.multi_grid import multiply_rates
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError


@pytest.fixture(scope="module")
def networks():
    """Return each ResNet-50 at output stride 16 without and with multi-grid."""
    names = ("resnet50", "resnet50_torch")
    with shapes_only():
        return {
            name: [
                backbones.create(name, 16, input_size=(64, 96), multi_grid=grid) for grid in (None, (1, 2, 4))
            ]
            for name in names
        }


def rates(network):
    return {
        layer.name: layer.dilation_rate[0]
        for layer in network.layers
        if getattr(layer, "dilation_rate", 1) != 1
    }


@pytest.mark.parametrize(
    ("name", "units", "expected"),
    [
        # Chen et al. 2017, section 3.2.1: at output stride 16 the rates are 2 x (1, 2, 4).
        ("resnet50", [f"conv5_block{unit}_2_conv" for unit in (1, 2, 3)], [2, 4, 8]),
        # The stride itself is in the first unit's 3x3 convolution, whose rate stays 1.
        ("resnet50_torch", [f"layer4_{unit}_conv2" for unit in (0, 1, 2)], [1, 4, 8]),
    ],
)
def test_published_rates(networks, name, units, expected):
    without, with_grid = networks[name]
    before, after = rates(without), rates(with_grid)
    assert [after[unit] for unit in units] == expected
    assert {k: v for k, v in after.items() if k not in units} == {
        k: v for k, v in before.items() if k not in units
    }
    assert {level: x.shape for level, x in with_grid.output.items()} == {
        level: x.shape for level, x in without.output.items()
    }
    assert [w.shape for w in with_grid.weights] == [w.shape for w in without.weights]


def one_unit(padding, stride=1):
    image = keras.Input((8, 10, 2))
    x = image
    if padding == "valid":
        x = keras.layers.ZeroPadding2D(1, name="layer4_0_conv2_pad")(x)
    convolution = keras.layers.Conv2D(3, 3, strides=stride, padding=padding, name="layer4_0_conv2")
    return keras.Model(image, convolution(x))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_values_against_loops(padding):
    model = one_unit(padding)
    config = model.get_config()
    multiply_rates(config, (3, 1, 1), "resnet50_torch")
    changed = keras.Model.from_config(config)
    changed.set_weights(model.get_weights())
    maps = np.random.default_rng(0).normal(0, 1, (1, 8, 10, 2)).astype("float32")
    np.testing.assert_allclose(changed(maps), atrous(maps, *model.get_weights(), 3), rtol=1e-4, atol=1e-5)


def test_a_strided_unit_keeps_its_rate():
    config = one_unit("valid", stride=2).get_config()
    multiply_rates(config, (1, 2, 4), "resnet50_torch")
    with pytest.raises(InputError, match="`multi_grid` must begin with 1 for backbone `resnet50_torch`"):
        multiply_rates(config, (2, 2, 4), "resnet50_torch")


def test_what_cannot_be():
    with pytest.raises(InputError, match="backbone `mobilenet` has none; remove it, or use one of: resnet50"):
        backbones.create("mobilenet", 16, multi_grid=(1, 2, 4))
    with pytest.raises(InputError, match="backbone `plain` has none"):
        backbones.create("plain", 8, multi_grid=(1, 2, 4))
    for grid in [(1, 2), (1, 2, 0), (1, 2, 1.5)]:
        with pytest.raises(InputError, match=r"`multi_grid` must be three positive integers; got .*; try"):
            backbones.create("resnet50", 16, multi_grid=grid)
