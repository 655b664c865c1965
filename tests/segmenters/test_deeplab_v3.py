"""DeepLab v3: published structure and count, sizes, saving, and that it learns."""

import keras
import pytest
from examples.half_precision import needs_half_precision
from examples.segmenter_checks import (
    check_any_size,
    check_head,
    check_mixed_precision,
    check_same_as_any_size,
    check_saving,
    randomise,
)

from wsseg import segmenters
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError

SMALL = {"backbone": "plain", "output_stride": 8, "rates": (1, 2, 3), "input_size": (64, 64)}


def build(**options):
    keras.utils.set_random_seed(0)
    options = {"backbone": "mobilenet_0.25", "num_classes": 3, "channels": 16} | options
    return segmenters.create("deeplab_v3", **options)


def graph(**options):
    """Build a network whose variables take no memory."""
    with shapes_only():
        return segmenters.create("deeplab_v3", num_classes=21, input_size=(64, 64), **options)


@pytest.fixture(scope="module")
def any_size():
    return randomise(build())


def test_published_count_and_structure():
    model = graph()
    # ResNet-101 without its dense layer; branches of 1x1, three times 3x3 and pooling, each with batch norm of
    # four numbers a channel; projection of five branches; classes.
    branches = 256 * (2048 + 3 * 9 * 2048 + 2048) + 5 * 4 * 256
    projection = 5 * 256 * 256 + 4 * 256
    assert model.count_params() == 42_658_176 + branches + projection + (256 * 21 + 21)
    # Output stride 16: block 4 has rates 2 x (1, 2, 4) (section 3.2.1), the pyramid (6, 12, 18) (section 3.3).
    assert [model.get_layer(f"conv5_block{i}_2_conv").dilation_rate[0] for i in (1, 2, 3)] == [2, 4, 8]
    assert [model.get_layer(f"aspp_{i}").dilation_rate[0] for i in (1, 2, 3)] == [6, 12, 18]
    assert model.get_layer("aspp_1").kernel.shape == (3, 3, 2048, 256)
    assert model.get_layer("aspp_0").input.shape == (None, 4, 4, 2048)
    assert model.output_shape == (None, 64, 64, 21)


def test_rates_double_at_output_stride_8():
    model = graph(backbone="resnet50", output_stride=8)
    assert [model.get_layer(f"conv5_block{i}_2_conv").dilation_rate[0] for i in (1, 2, 3)] == [4, 8, 16]
    assert [model.get_layer(f"aspp_{i}").dilation_rate[0] for i in (1, 2, 3)] == [12, 24, 36]
    assert model.get_layer("aspp_0").input.shape == (None, 8, 8, 2048)


@shapes_only()
def test_multi_grid_and_rates_can_be_chosen():
    model = graph(backbone="resnet50", multi_grid=[1, 1, 1], rates=[1, 2])
    assert [model.get_layer(f"conv5_block{i}_2_conv").dilation_rate[0] for i in (1, 2, 3)] == [2, 2, 2]
    assert [model.get_layer(f"aspp_{i}").dilation_rate[0] for i in (1, 2)] == [1, 2]
    assert "aspp_3" not in {layer.name for layer in model.layers}


def test_any_size(any_size):
    check_any_size(any_size)


def test_fixed_size_gives_the_same_as_any_size(any_size):
    check_same_as_any_size(build(input_size=(66, 70)), any_size, (66, 70))


def test_head_is_all_that_is_not_the_backbone(any_size):
    head = check_head(any_size)
    assert {"scores/bias", "aspp_0/kernel", "aspp_image/kernel", "aspp_project/kernel"} <= set(head)


def test_save_and_load(tmp_path):
    loaded = check_saving(build(rates=[1, 2, 3], auxiliary=True), tmp_path)
    assert loaded.options["rates"] == (1, 2, 3)
    assert loaded.auxiliary is not None


@needs_half_precision
def test_mixed_precision():
    check_mixed_precision(lambda: build(**SMALL))


@shapes_only()
def test_wrong_options():
    with pytest.raises(InputError, match=r"backbone `mobilenet_0.25` has none"):
        build(multi_grid=(1, 2, 4))
    with pytest.raises(InputError, match="`multi_grid` must be three positive integers"):
        build(backbone="resnet50", multi_grid=(1, 2))
    with pytest.raises(InputError, match="`rates` must be positive integers"):
        build(rates=(0, 1, 2))
    with pytest.raises(InputError, match="`output_stride` must be 8, 16 or 32; got 4"):
        build(output_stride=4)
