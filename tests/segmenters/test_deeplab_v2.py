"""DeepLab v2: published counts, branches that are added, scales that are fused, saving, and that it learns."""

import keras
import numpy as np
import pytest
from examples.half_precision import needs_half_precision
from examples.rectangles import losses_of
from examples.segmenter_checks import (
    check_any_size,
    check_head,
    check_mixed_precision,
    check_same_as_any_size,
    check_saving,
    photograph,
    randomise,
)
from references.class_maps import bilinear
from references.convolutions import atrous

from wsseg import segmenters
from wsseg.backbones.shapes_only import shapes_only
from wsseg.backbones.vgg_dense import Affine
from wsseg.errors import InputError
from wsseg.segmenters import deeplab_v2
from wsseg.segmenters.complexity import cost

SMALL = {"backbone": "plain", "rates": (1, 2, 3), "input_size": (64, 64)}


def build(**options):
    keras.utils.set_random_seed(0)
    return segmenters.create("deeplab_v2", **{"num_classes": 3, "backbone": "mobilenet_0.25"} | options)


@pytest.fixture(scope="module")
def single():
    return randomise(build())


@pytest.fixture(scope="module")
def fused(single):
    model = build(multi_scale=True)
    model.set_weights(single.get_weights())
    return model


@pytest.fixture(scope="module")
def vgg():
    return randomise(build(backbone="vgg16", channels=8, rates=(1, 2)))


def test_published_counts():
    # ResNet-101 has 44,707,176 parameters in keras.applications, 2,049,000 of them in its dense layer.
    resnet = cost("deeplab_v2", 64, num_classes=21).parameters
    assert resnet == 44_707_176 - 2_049_000 + 4 * (3 * 3 * 2048 * 21 + 21)
    # Each branch on VGG-16 (14,714,688) is LargeFOV's: with one it has LargeFOV's published 20.5 M.
    branch = (3 * 3 * 512 * 1024 + 1024) + (1024 * 1024 + 1024) + (1024 * 21 + 21)
    assert cost("deeplab_v2", 64, backbone="vgg16").parameters == 14_714_688 + 4 * branch
    large_fov = cost("deeplab_v2", 64, backbone="vgg16", rates=(12,)).parameters
    assert large_fov == 14_714_688 + branch and round(large_fov / 1e6, 1) == 20.5


def test_published_structure_on_vgg():
    with shapes_only():
        model = build(backbone="vgg16", input_size=(321, 321))
    assert [model.get_layer(f"fc6_{i}").dilation_rate[0] for i in (1, 2, 3, 4)] == [6, 12, 18, 24]
    assert model.get_layer("fc6_1").kernel.shape == (3, 3, 512, 1024)
    # 321 pixels make a map of 41 cells (Chen et al. 2016, section 4.1).
    assert model.get_layer("aspp_sum").output.shape == (None, 41, 41, 3)
    assert model.get_layer("block5_pool").pool_size == (3, 3)
    assert model.get_layer("block5_conv3").dilation_rate == (2, 2)


@pytest.mark.parametrize("name", ["single", "fused", pytest.param("vgg", marks=pytest.mark.slow)])
def test_any_size(name, request):
    check_any_size(request.getfixturevalue(name))


@pytest.mark.slow
def test_fixed_size_gives_the_same_as_any_size(fused):
    check_same_as_any_size(build(multi_scale=True, input_size=(64, 80)), fused, (64, 80))


def test_the_scores_are_the_sum_of_all_branches(single):
    branches = [single.get_layer(f"aspp_{i}") for i in (1, 2, 3, 4)]
    both = keras.Model(single.input, [branches[0].input, single.get_layer("aspp_sum").output])
    features, scores = (np.array(x) for x in both(photograph((104, 112))))
    assert features.std() > 0.1 and scores.std() > 0.1
    expected = sum(
        atrous(features, *branch.get_weights(), rate) for branch, rate in zip(branches, (6, 12, 18, 24))
    )
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3)


def test_scales_are_fused_by_their_largest_logits(single, fused):
    image = photograph((64, 80))
    found = np.array(fused(image))[0]
    maps = []
    for height, width in ((64, 80), (32, 40), (48, 60)):
        scaled = np.stack([bilinear(image[0, :, :, c], height, width) for c in range(3)], axis=-1)
        logits = np.array(single(scaled[None].astype("float32")))[0]
        maps.append(np.stack([bilinear(logits[:, :, c], 64, 80) for c in range(3)], axis=-1))
    assert len(set(np.argmax(maps, axis=0).ravel())) == 3  # each scale wins somewhere
    np.testing.assert_allclose(found, np.max(maps, axis=0), rtol=1e-3, atol=1e-3)


def test_scales_share_their_layers(single, fused):
    new = {"image_50", "image_75", "logits_50", "logits_75", "largest_logits"}
    assert {layer.name for layer in fused.layers} == {layer.name for layer in single.layers} | new
    assert [w.path for w in fused.weights] == [w.path for w in single.weights]
    assert fused.backbone_layers == single.backbone_layers


def test_head_is_all_that_is_not_the_backbone(fused, vgg):
    assert sorted(check_head(fused)) == sorted(
        f"aspp_{i}/{w}" for i in (1, 2, 3, 4) for w in ("kernel", "bias")
    )
    # As in the authors' training definition only the classifiers learn at ten times the rate.
    assert sorted(check_head(vgg)) == sorted(f"fc8_{i}/{w}" for i in (1, 2) for w in ("kernel", "bias"))


@pytest.mark.parametrize(
    "options",
    [
        {"multi_scale": True},
        pytest.param({"backbone": "vgg16", "channels": 8, "rates": [1, 2]}, marks=pytest.mark.slow),
    ],
)
def test_save_and_load(tmp_path, options):
    check_saving(build(**options), tmp_path)


def test_pretrained_dense_layers_begin_every_branch(monkeypatch):
    rng = np.random.default_rng(0)
    shapes = [((7 * 7 * 512, 16), (16,)), ((16, 16), (16,))]
    (fc1, fc2) = [Affine(*(rng.normal(0, 1, shape).astype("float32") for shape in pair)) for pair in shapes]
    monkeypatch.setattr(deeplab_v2, "read_dense", lambda weights: (fc1, fc2))
    model = build(backbone="vgg16", channels=8, rates=(1, 2))
    for branch in (1, 2):
        kernel, bias = model.get_layer(f"fc6_{branch}").get_weights()
        np.testing.assert_array_equal(kernel, fc1.kernel.reshape(7, 7, 512, 16)[::3, ::3, :, ::2])
        np.testing.assert_array_equal(bias, fc1.bias[::2])
        kernel, bias = model.get_layer(f"fc7_{branch}").get_weights()
        np.testing.assert_array_equal(kernel[0, 0], fc2.kernel[::2, ::2])


def test_scales_start_from_a_network_without(tmp_path, single):
    single.save(tmp_path / "single.keras")
    model = build(multi_scale=True, weights=tmp_path / "single.keras")
    for found, expected in zip(model.get_weights(), single.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_training_with_all_scales_reduces_the_loss():
    losses = losses_of(build(**SMALL, multi_scale=True), 8)
    assert losses[-1] < 0.7 * losses[0]


@needs_half_precision
def test_mixed_precision():
    check_mixed_precision(lambda: build(**SMALL, multi_scale=True))


@shapes_only()
def test_wrong_options():
    for rates in ([], [6, 0], [1.5], 6):
        with pytest.raises(
            InputError, match=r"`rates` must be positive integers, one per branch; got .*; try"
        ):
            build(rates=rates)
    with pytest.raises(InputError, match="`output_stride` of `deeplab_v2` on `vgg16` can only be 8; got 16"):
        build(backbone="vgg16", output_stride=16)
