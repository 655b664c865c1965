"""PSPNet: published structure and count, both heads, saving, and that both learn."""

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

from wsseg import segmenters
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError
from wsseg.losses import BalancedCrossEntropy
from wsseg.losses.with_auxiliary import WithAuxiliary

SMALL = {"backbone": "plain", "input_size": (64, 64)}
LOSS = WithAuxiliary(BalancedCrossEntropy(), num_classes=3)


def build(**options):
    keras.utils.set_random_seed(0)
    options = {"backbone": "mobilenet_0.25", "num_classes": 3, "channels": 16} | options
    return segmenters.create("pspnet", **options)


@pytest.fixture(scope="module")
def any_size():
    return randomise(build())


def test_published_count_and_structure():
    with shapes_only():
        model = segmenters.create("pspnet", num_classes=21, input_size=(64, 64))
    # ResNet-50 has 25,636,712 parameters in keras.applications, 2,049,000 of them in its dense layer. Each of
    # four levels: 1x1 to a quarter of 2048 channels, batch norm (four numbers a channel).
    pyramid = 4 * (2048 * 512 + 4 * 512)
    fusion = 9 * 4096 * 512 + 4 * 512 + (512 * 21 + 21)
    second = 9 * 1024 * 256 + 4 * 256 + (256 * 21 + 21)
    assert model.count_params() == 25_636_712 - 2_049_000 + pyramid + fusion + second
    assert [model.get_layer(f"pyramid_{i}_pooling").bins for i in (1, 2, 3, 4)] == [1, 2, 3, 6]
    assert model.get_layer("pyramid_concat").output.shape == (None, 8, 8, 4096)  # output stride 8
    assert model.get_layer("fuse").kernel.shape == (3, 3, 4096, 512)
    assert model.get_layer("fuse_dropout").rate == 0.1
    assert model.auxiliary.get_layer("auxiliary_0").input.shape == (None, 8, 8, 1024)  # conv4's


def test_any_size(any_size):
    check_any_size(any_size)
    check_any_size(any_size.auxiliary)


def test_fixed_size_gives_the_same_as_any_size(any_size):
    fixed = build(input_size=(66, 70))
    check_same_as_any_size(fixed, any_size, (66, 70))
    check_same_as_any_size(fixed.auxiliary, any_size.auxiliary, (66, 70))


def test_both_heads_side_by_side(any_size):
    image = photograph()
    both = any_size.with_auxiliary()
    assert both.output_shape == (None, None, None, 6)
    np.testing.assert_allclose(both(image)[..., :3], any_size(image), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(both(image)[..., 3:], any_size.auxiliary(image), rtol=1e-5, atol=1e-5)
    assert {id(v) for v in both.variables} >= {id(v) for v in any_size.weights}


@shapes_only()
def test_without_the_second_head(any_size):
    model = build(auxiliary=False)
    assert model.auxiliary is None and model.with_auxiliary() is model
    # MobileNet's level 4 has 128 channels at width 0.25.
    assert any_size.count_params() - model.count_params() == 9 * 128 * 8 + 4 * 8 + (8 * 3 + 3)


def test_head_is_all_that_is_not_the_backbone(any_size):
    head = check_head(any_size)
    assert {
        "scores/bias",
        "pyramid_4/kernel",
        "fuse/kernel",
        "auxiliary_0/kernel",
        "auxiliary_scores/bias",
    } <= set(head)


@pytest.mark.slow
def test_save_and_load_both_heads(tmp_path):
    model = build()
    loaded = check_saving(model, tmp_path)
    names = ("auxiliary_0", "auxiliary_0_bn", "auxiliary_scores")
    for name in names:
        for found, expected in zip(
            loaded.named_layers()[name].get_weights(), model.named_layers()[name].get_weights(), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(loaded.auxiliary(photograph()), model.auxiliary(photograph()))
    model.save_weights(tmp_path / "model.weights.h5")
    other = build()
    assert not np.array_equal(other.get_weights()[-1], model.get_weights()[-1])
    other.load_weights(tmp_path / "model.weights.h5")
    for found, expected in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_training_reduces_the_loss_of_both_heads():
    model = build(**SMALL)
    before = [np.array(v) for v in model.auxiliary.get_layer("auxiliary_scores").weights]
    both = model.with_auxiliary()
    losses = losses_of(both, 8, loss=LOSS)
    assert losses[-1] < 0.7 * losses[0]
    after = [np.array(v) for v in model.auxiliary.get_layer("auxiliary_scores").weights]
    assert all((a != b).any() for a, b in zip(after, before))


@needs_half_precision
def test_mixed_precision():
    check_mixed_precision(lambda: build(**SMALL).with_auxiliary(), LOSS)


@shapes_only()
def test_wrong_options():
    with pytest.raises(InputError, match="`output_stride` must be 8, 16 or 32; got 4"):
        build(output_stride=4)
    with pytest.raises(InputError, match="segmenter `pspnet` has no option `rates`"):
        build(rates=(1, 2))
