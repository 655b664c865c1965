"""FPN: published structure and count, the top-down pathway by hand, sizes, saving, and that it learns."""

import keras
import numpy as np
import pytest
from examples.half_precision import needs_half_precision
from examples.segmenter_checks import (
    check_any_size,
    check_head,
    check_mixed_precision,
    check_same_as_any_size,
    check_saving,
    photograph,
    randomise,
)

from wsseg import segmenters
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError


def build(**options):
    keras.utils.set_random_seed(0)
    options = {"backbone": "mobilenet_0.25", "num_classes": 3, "channels": 16, "head_channels": 8} | options
    return segmenters.create("fpn", **options)


@pytest.fixture(scope="module")
def any_size():
    return randomise(build())


def test_published_count_and_structure():
    with shapes_only():
        model = segmenters.create("fpn", num_classes=150, input_size=(64, 96))
    lateral = (256 + 512 + 1024 + 2048) * 256 + 4 * 256
    smooth = 4 * (9 * 256 * 256 + 256)
    # Of 3 + 2 + 1 + 1 convolutions the first of each level has 256 channels in; group norm has two numbers.
    head = 4 * 9 * 256 * 128 + 3 * 9 * 128 * 128 + 7 * 2 * 128
    resnet50 = 25_636_712 - 2_049_000
    assert model.count_params() == resnet50 + lateral + smooth + head + (128 * 150 + 150)
    names = [
        layer.name for layer in model.layers if layer.name.startswith("head_") and layer.name[-2:-1] == "_"
    ]
    assert sorted(names) == [
        *["head_2_0", "head_3_0", "head_4_0", "head_4_1", "head_5_0", "head_5_1", "head_5_2"],
    ]
    sizes = {level: model.get_layer(f"smooth_{level}").output.shape[1:] for level in (2, 3, 4, 5)}
    assert sizes == {2: (16, 24, 256), 3: (8, 12, 256), 4: (4, 6, 256), 5: (2, 3, 256)}
    assert model.get_layer("head_sum").output.shape == (None, 16, 24, 128)
    assert [x.shape[1:3] for x in model.get_layer("head_sum").input] == [(16, 24)] * 4
    assert {model.get_layer(f"{name}_norm").groups for name in names} == {32}


def test_the_pathway_adds_the_nearest_cell_of_the_level_above(any_size):
    names = ("lateral_4", "lateral_5", "merge_4")
    parts = keras.Model(any_size.input, [any_size.get_layer(name).output for name in names])
    fine, coarse, merged = (np.array(x)[0] for x in parts(photograph((64, 96))))
    # MobileNet's level 4 looks at pixels 15 + 16 j, level 5 at 31 + 32 i: fine cell j lies at j / 2 - 1 / 2 of the
    # coarse; of two as near the first is taken.
    rows, columns = [0, 0, 0, 1], [0, 0, 0, 1, 1, 2]
    np.testing.assert_allclose(merged, fine + coarse[rows][:, columns], rtol=1e-5, atol=1e-5)


def test_any_size(any_size):
    check_any_size(any_size)


def test_fixed_size_gives_the_same_as_any_size(any_size):
    check_same_as_any_size(build(input_size=(66, 70)), any_size, (66, 70))


def test_a_backbone_with_fewer_strides():
    model = build(backbone="plain")  # stride 8 only
    names = {layer.name for layer in model.layers}
    assert {"lateral_2", "lateral_3", "head_2_0", "head_3_0"} <= names
    assert not names & {"lateral_4", "lateral_5", "head_3_1"}
    check_any_size(model, sizes=((40, 56),))
    check_head(model)


@pytest.mark.parametrize(("channels", "groups"), [(128, 32), (64, 16), (8, 2), (3, 1), (130, 26), (256, 32)])
def test_groups_divide_the_channels(channels, groups):
    from wsseg.segmenters.fpn import _convolution

    image = keras.Input((4, 4, 2))
    layer = keras.Model(image, _convolution(image, channels, "part")).get_layer("part_norm")
    assert layer.groups == groups


def test_head_is_all_that_is_not_the_backbone(any_size):
    assert {"lateral_5/bias", "smooth_2/kernel", "head_5_2_norm/gamma", "scores/bias"} <= set(
        check_head(any_size)
    )


def test_save_and_load(tmp_path):
    check_saving(build(), tmp_path)


@needs_half_precision
def test_mixed_precision():
    check_mixed_precision(lambda: build(backbone="plain", input_size=(64, 64)))


@shapes_only()
def test_wrong_options():
    with pytest.raises(InputError, match="segmenter `fpn` has no option `output_stride`"):
        build(output_stride=8)
    with pytest.raises(InputError, match="unknown backbone `resnet`"):
        build(backbone="resnet")
