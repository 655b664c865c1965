"""DeepLab v3+: structure as published, sizes, saving, and that it learns."""

import keras
import numpy as np
import pytest
from examples.segmenter_checks import check_same_as_any_size, randomise

from wsseg import backbones, segmenters
from wsseg.backbones.placement import place
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError
from wsseg.saved_models import load_model


def build(**options):
    keras.utils.set_random_seed(0)
    options = {"backbone": "mobilenet_0.25", "num_classes": 3, "channels": 16} | options
    return segmenters.create("deeplab_v3_plus", **options)


@pytest.fixture(scope="module")
def any_size():
    return randomise(build())


@pytest.mark.parametrize("size_hw", [(64, 64), (64, 96), (65, 71), (33, 50)])
def test_any_size_in_gives_the_same_size_out(any_size, size_hw):
    assert any_size.output_shape == (None, None, None, 3)
    logits = any_size(np.zeros((2, *size_hw, 3)))
    assert (
        logits.shape == (2, *size_hw, 3) and str(keras.backend.standardize_dtype(logits.dtype)) == "float32"
    )


@pytest.mark.parametrize("size_hw", [(64, 96), (66, 70)])  # of an odd size the places are known only if fixed
def test_fixed_size_gives_the_same_as_any_size(any_size, size_hw):
    check_same_as_any_size(build(input_size=size_hw), any_size, size_hw)


@shapes_only()
def test_published_structure():
    # ECCV 2018: 256 channels, 48 low-level ones (section 4.1), rates 6, 12, 18 at stride 16, two 3x3 layers.
    model = build(backbone="resnet50", channels=256, num_classes=21, input_size=(64, 64))
    assert model.get_layer("low_level").kernel.shape == (1, 1, 256, 48)  # conv2's 256 channels, stride 4
    assert model.get_layer("decoder_concat").output.shape == (None, 16, 16, 256 + 48)
    assert model.get_layer("aspp_0").input.shape == (None, 4, 4, 2048)
    rates = [model.get_layer(f"aspp_{i}_depthwise").dilation_rate for i in (1, 2, 3)]
    assert rates == [(6, 6), (12, 12), (18, 18)]
    assert model.get_layer("aspp_project").kernel.shape == (1, 1, 5 * 256, 256)
    assert model.get_layer("decoder_0_depthwise").kernel.shape == (3, 3, 304, 1)
    assert model.get_layer("decoder_1_depthwise").kernel.shape == (3, 3, 256, 1)
    assert model.get_layer("scores").kernel.shape == (1, 1, 256, 21)


@pytest.mark.parametrize(("stride", "rates"), [(8, (12, 24, 36)), (32, (3, 6, 9))])
@shapes_only()
def test_rates_go_with_the_output_stride(stride, rates):
    model = build(output_stride=stride, input_size=(64, 64))
    assert model.get_layer("aspp_0").input.shape[1] == 64 // stride
    assert tuple(model.get_layer(f"aspp_{i}_depthwise").dilation_rate[0] for i in (1, 2, 3)) == rates


@pytest.mark.slow
@shapes_only()
def test_rates_can_be_chosen():
    model = build(rates=[1, 2, 4], input_size=(64, 64))
    assert [model.get_layer(f"aspp_{i}_depthwise").dilation_rate for i in (1, 2, 3)] == [
        (1, 1),
        (2, 2),
        (4, 4),
    ]
    assert build(rates=(1, 2, 4), input_size=(64, 64)).get_config() == model.get_config()
    with pytest.raises(InputError, match="`rates` must be positive integers"):
        build(rates=[1, 0, 4])


@shapes_only()
def test_levels_are_joined_where_they_look():
    # MobileNet pads after: each stride of 2 moves a cell's centre by one input cell. Level 2 looks at pixel
    # 1 + 2 = 3 first, half-pixel resizing assumes 1.5; level 5 at 1 + 2 + 4 + 8 + 16 = 31, not at 7.5.
    network = backbones.create("mobilenet_0.25", 16)
    to_low, to_image = place(network, "level_5", "level_2"), place(network, "level_2")
    assert to_low["shift_hw"] == pytest.approx(((1.5 - 23.5) / 16,) * 2) and to_low["step_hw"] == (0.25, 0.25)
    assert to_image["shift_hw"] == pytest.approx((-1.5 / 4,) * 2) and to_image["step_hw"] == (0.25, 0.25)


def test_head_is_all_that_is_not_the_backbone(any_size):
    head = {v.path for v in any_size.head_variables}
    backbone = {
        v.path for name in any_size.backbone_layers for v in any_size.get_layer(name).trainable_variables
    }
    assert not head & backbone
    assert head | backbone == {v.path for v in any_size.trainable_variables}
    assert any(path.startswith("scores/") for path in head) and any(
        path.startswith("low_level/") for path in head
    )
    assert any(path.startswith("conv1/") for path in backbone)


def test_save_and_load(tmp_path, any_size):
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype("float32")
    any_size.save(tmp_path / "segmenter.keras")
    loaded = load_model(tmp_path / "segmenter.keras")
    np.testing.assert_array_equal(loaded(images), any_size(images))
    assert loaded.get_config() == any_size.get_config()
    assert loaded.backbone_layers == any_size.backbone_layers


@shapes_only()
def test_wrong_options():
    with pytest.raises(InputError, match="counts the background, so it must be at least 2; got 1"):
        build(num_classes=1)
    with pytest.raises(InputError, match="`output_stride` must be 8, 16 or 32; got 4"):
        build(output_stride=4)
    with pytest.raises(InputError, match="unknown segmenter `deeplab`"):
        segmenters.create("deeplab", backbone="mobilenet_0.25", num_classes=2)
