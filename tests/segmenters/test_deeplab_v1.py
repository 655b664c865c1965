"""DeepLab v1 LargeFOV: structure and counts as released, sizes, places, saving, and that it learns."""

import keras
import numpy as np
import pytest
from examples.segmenter_checks import check_head, check_mixed_precision_types, check_saving

from wsseg import segmenters
from wsseg.backbones.alignment import grids
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError
from wsseg.grid import Grid


def build(**options):
    keras.utils.set_random_seed(0)
    return segmenters.create("deeplab_v1", **{"num_classes": 3, "channels": 16} | options)


def images_of(*size_hw):
    return np.random.default_rng(0).uniform(0, 255, (1, *size_hw, 3)).astype("float32")


@pytest.fixture(scope="module")
def any_size():
    return build()


@shapes_only()
def test_published_parameters():
    model = build(num_classes=21, channels=1024, input_size=(321, 321))
    fc6, fc7, fc8 = (9 * 512 + 1) * 1024, (1024 + 1) * 1024, (1024 + 1) * 21
    assert (fc6, fc7, fc8) == (4_719_616, 1_049_600, 21_525)
    assert model.count_params() == 14_714_688 + fc6 + fc7 + fc8 == 20_505_429
    # The released networks' training crop: 321 pixels are 161, 81 and 41 cells.
    sides = [model.get_layer(f"block{n}_pool").output.shape[1] for n in range(1, 6)]
    assert sides == [161, 81, 41, 41, 41]
    assert model.get_layer("fc8").output.shape == (None, 41, 41, 21)
    assert model.output_shape == (None, 321, 321, 21)


def test_published_structure(any_size):
    pools = [any_size.get_layer(f"block{n}_pool") for n in range(1, 6)]
    assert [pool.pool_size for pool in pools] == [(3, 3)] * 5
    assert [pool.strides[0] for pool in pools] == [2, 2, 2, 1, 1]
    convolutions = [layer for layer in any_size.layers if "_conv" in layer.name]
    assert [layer.dilation_rate[0] for layer in convolutions] == [1] * 10 + [2] * 3
    fc6 = any_size.get_layer("fc6")
    assert (fc6.kernel_size, fc6.dilation_rate) == ((3, 3), (12, 12))
    assert build(rate=6).get_layer("fc6").dilation_rate == (6, 6)


def test_cells_look_at_multiples_of_eight(any_size):
    fc7 = any_size.get_layer("drop7").output
    assert grids(keras.Model(any_size.input, fc7))[id(fc7)] == Grid((8, 8), (0, 0))


def test_average_after_pool5_counts_the_padding(any_size):
    # As Caffe's does: the corner's mean is over nine, of which five are the padding's zeros.
    tail = keras.Model(any_size.get_layer("pool5a_pad").input, any_size.get_layer("pool5a").output)
    averaged = tail(np.ones((1, 3, 3, 512)))[0, :, :, 0]
    np.testing.assert_allclose(averaged, np.array([[4, 6, 4], [6, 9, 6], [4, 6, 4]]) / 9, rtol=1e-6)


def test_mirrored_kernels_and_image_give_mirrored_scores(any_size):
    # Only so if poolings, padding and upsampling are centred: at a side of 8 k + 1.
    mirrored = build()
    for layer, twin in zip(any_size.layers, mirrored.layers):
        twin.set_weights([w[:, ::-1] if w.ndim == 4 else w for w in layer.get_weights()])
    image = images_of(20, 65)
    logits = any_size(image).numpy()
    assert logits.std() > 0
    np.testing.assert_allclose(
        mirrored(image[:, :, ::-1])[:, :, ::-1], logits, rtol=1e-3, atol=1e-4 * np.abs(logits).max()
    )


@pytest.mark.parametrize("size_hw", [(1, 1), (33, 50), (64, 65)])
def test_any_size_in_gives_the_same_size_out(any_size, size_hw):
    assert any_size.output_shape == (None, None, None, 3)
    logits = any_size(images_of(*size_hw))
    assert logits.shape == (1, *size_hw, 3) and np.isfinite(logits).all()
    fixed = build(input_size=size_hw)
    fixed.set_weights(any_size.get_weights())
    np.testing.assert_allclose(
        fixed(images_of(*size_hw)), logits, rtol=1e-3, atol=1e-4 * np.abs(logits).max()
    )


def test_head_is_fc8(any_size):
    assert set(check_head(any_size)) == {"fc8/kernel", "fc8/bias"}


def test_save_and_load(tmp_path):
    check_saving(build(), tmp_path, (33, 50))


def test_logits_are_float32_in_mixed_precision():
    check_mixed_precision_types(lambda: build(input_size=(64, 64)), fc6="float16")


@shapes_only()
def test_wrong_options():
    with pytest.raises(InputError, match="`backbone` of `deeplab_v1` can only be vgg16; got 'resnet50'"):
        build(backbone="resnet50")
    with pytest.raises(InputError, match="`rate` must be a whole number from 1; got 0"):
        build(rate=0)
    with pytest.raises(InputError, match="`input_size` must be"):
        build(input_size=(64,))
    with pytest.raises(InputError, match="has no option `output_stride`"):
        build(output_stride=8)
