"""ParseNet: the context module by hand, counts, sizes, saving, and that it learns."""

import keras
import numpy as np
import pytest
from examples.segmenter_checks import check_head, check_mixed_precision_types, check_saving

from wsseg import segmenters
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError


def build(**options):
    keras.utils.set_random_seed(0)
    return segmenters.create("parsenet", **{"num_classes": 3, "channels": 16} | options)


def images_of(*size_hw):
    return np.random.default_rng(0).uniform(0, 255, (1, *size_hw, 3)).astype("float32")


@pytest.fixture(scope="module")
def any_size():
    model = build()
    rng = np.random.default_rng(1)
    for name in ("fc7_norm", "pool6_norm"):  # scales that have learnt
        model.get_layer(name).set_weights([rng.uniform(5, 15, 16)])
    return model


@shapes_only()
def test_published_parameters():
    # LargeFOV up to fc7, a scale for each channel of both features, and a classifier of both.
    model = build(num_classes=21, channels=1024, input_size=(321, 321))
    large_fov = 14_714_688 + 4_719_616 + 1_049_600
    assert model.count_params() == large_fov + 2 * 1024 + (2 * 1024 + 1) * 21 == 20_528_981
    assert model.get_layer("fused").output.shape == (None, 41, 41, 2048)
    assert all(np.all(model.get_layer(f"{x}_norm").get_weights()[0] == 10) for x in ("fc7", "pool6"))


def test_context_module_by_numpy(any_size):
    names = ("drop7", "fused", "score")
    maps = keras.Model(any_size.input, {name: any_size.get_layer(name).output for name in names})
    maps = {name: x[0].numpy() for name, x in maps(images_of(33, 50)).items()}
    fc7 = maps["drop7"].astype("float64")
    assert fc7.shape == (5, 8, 16)

    def unit(vectors, name):
        length = np.sqrt((vectors**2).sum(-1, keepdims=True))
        return vectors / np.maximum(length, 1e-12) * any_size.get_layer(name).get_weights()[0]

    context = unit(fc7.mean((0, 1)), "pool6_norm")
    fused = np.concatenate([unit(fc7, "fc7_norm"), np.broadcast_to(context, fc7.shape)], axis=-1)
    np.testing.assert_allclose(maps["fused"], fused, rtol=1e-2, atol=1e-3)
    kernel, bias = any_size.get_layer("score").get_weights()
    np.testing.assert_allclose(maps["score"], fused @ kernel[0, 0] + bias, rtol=1e-2, atol=1e-2)


def test_a_far_change_of_the_image_moves_every_place(any_size):
    # What the context is for: fc6 reaches 96 pixels, the average the whole image.
    image = images_of(17, 401)
    changed = image.copy()
    changed[:, :, 380:] = 255
    fused = keras.Model(any_size.input, any_size.get_layer("fused").output)
    difference = np.abs(fused(changed) - fused(image))[0, :, 0]
    assert difference[:, :16].max() == 0 < difference[:, 16:].max()


@pytest.mark.parametrize("size_hw", [(1, 1), (33, 50)])
def test_any_size_in_gives_the_same_size_out(any_size, size_hw):
    assert any_size.output_shape == (None, None, None, 3)
    logits = any_size(images_of(*size_hw))
    assert logits.shape == (1, *size_hw, 3) and np.isfinite(logits).all()
    fixed = build(input_size=size_hw)
    fixed.set_weights(any_size.get_weights())
    np.testing.assert_allclose(
        fixed(images_of(*size_hw)), logits, rtol=1e-3, atol=1e-4 * np.abs(logits).max()
    )


def test_head_is_the_context_module(any_size):
    assert {path.split("/")[0] for path in check_head(any_size)} == {"fc7_norm", "pool6_norm", "score"}


def test_save_and_load(tmp_path):
    check_saving(build(), tmp_path, (33, 50))


def test_logits_are_float32_in_mixed_precision():
    check_mixed_precision_types(lambda: build(input_size=(64, 64)), fused="float16")


@shapes_only()
def test_wrong_options():
    with pytest.raises(InputError, match="`backbone` of `parsenet` can only be vgg16; got 'mobilenet'"):
        build(backbone="mobilenet")
    with pytest.raises(InputError, match=r"`rate` must be a whole number from 1; got 1\.5"):
        build(rate=1.5)
