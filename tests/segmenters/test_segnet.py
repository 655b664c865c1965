"""SegNet: parameters as published, switches that lead back, pretrained weights, saving, and that it learns."""

import keras
import numpy as np
import pytest
from examples.half_precision import needs_half_precision

from wsseg import backbones, segmenters
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError
from wsseg.saved_models import load_model

ENCODER = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
ENCODER += [(256, 512), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512)]


def build(**options):
    keras.utils.set_random_seed(0)
    return segmenters.create("segnet", **{"num_classes": 3, "width": 1 / 16} | options)


@pytest.fixture(scope="module")
def any_size():
    return build()


@shapes_only()
def test_published_parameters():
    model = build(width=1, num_classes=21, input_size=(64, 96))
    assert model.output_shape == (None, 64, 96, 21)
    # The decoder mirrors the encoder; in place of the layer to 3 channels it has the classes'.
    decoder = [(out, into) for into, out in ENCODER[:0:-1]] + [(64, 21)]
    weights = sum(9 * into * out + out for into, out in ENCODER + decoder)
    scales = sum(2 * out for _, out in ENCODER + decoder[:-1])
    assert weights == 29_439_253  # "29.5 M": the 26 convolutions with their biases
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert trainable == weights + scales == 29_439_253 + 15_872
    assert model.count_params() == weights + 2 * scales  # batch norm's running mean and variance
    kernels = [layer.kernel.shape for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert kernels == [(3, 3, *pair) for pair in ENCODER + decoder]


@pytest.mark.parametrize("size_hw", [(32, 32), (64, 96)])
def test_sizes(any_size, size_hw):
    assert any_size.output_shape == (None, None, None, 3)
    logits = any_size(np.zeros((2, *size_hw, 3)))
    assert logits.shape == (2, *size_hw, 3) and keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_unpooling_leads_back_to_the_encoders_maxima(any_size):
    last = {1: 2, 2: 2, 3: 3, 4: 3, 5: 3}
    before = [any_size.get_layer(f"block{block}_conv{index}_relu").output for block, index in last.items()]
    after = [any_size.get_layer(f"unpool{block}").output for block in last]
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype("float32")
    outputs = keras.Model(any_size.input, [*before, *after])(image)
    for block, features, unpooled in zip(last, outputs[:5], outputs[5:]):
        features, unpooled = np.asarray(features)[0], np.asarray(unpooled)[0]
        assert features.shape == unpooled.shape
        # (h, 2, w, 2, C) -> windows of 4 values
        both = [x.reshape(-1, 2, x.shape[1] // 2, 2, x.shape[2]) for x in (features, unpooled)]
        features, unpooled = (np.moveaxis(x, 3, 2).reshape(len(x), 4, -1) for x in both)
        filled = unpooled != 0
        assert filled.any(), block
        expected = np.zeros_like(filled)
        np.put_along_axis(expected, features.argmax(axis=1, keepdims=True), True, axis=1)
        assert not (filled & ~expected).any(), block


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.weights.h5"
    keras.applications.VGG16(include_top=False, weights=None).save_weights(path)
    return path


def test_pretrained_weights_make_the_encoder_vgg16(vgg_file):
    model = build(width=1, weights=vgg_file)
    original = backbones.create("vgg16", weights=vgg_file)
    image = np.random.default_rng(0).uniform(0, 255, (1, 32, 64, 3)).astype("float32")
    expected = np.asarray(original(image)["level_5"])
    # Batch norm does nothing yet but divide by sqrt(1 + 1e-5), 13 times.
    features = keras.Model(model.input, model.get_layer("block5_pool").output[0])(image)
    assert expected.max() > 0
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3 * expected.max())
    assert "weights" not in model.get_config()["options"]


def test_the_encoder_is_the_backbone(any_size):
    head = {variable.path.split("/")[0] for variable in any_size.head_variables}
    assert all(name.startswith(("decoder", "logits")) for name in head) and len(head) == 12 + 12 + 1
    assert "block1_conv1" in any_size.backbone_layers and "block5_conv3_bn" in any_size.backbone_layers


@needs_half_precision
def test_mixed_precision_ends_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("unpool1").compute_dtype == "bfloat16"
    logits = model(np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32" and np.isfinite(logits).all()


def test_save_and_load(tmp_path, any_size):
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 32, 3)).astype("float32")
    any_size.save(tmp_path / "segmenter.keras")
    loaded = load_model(tmp_path / "segmenter.keras")
    np.testing.assert_array_equal(loaded(images), any_size(images))
    assert loaded.get_config() == any_size.get_config()
    assert loaded.backbone_layers == any_size.backbone_layers and loaded.sizes == any_size.sizes


def test_illegal_sizes_name_the_nearest_legal_ones(any_size):
    message = (
        r"`segnet` can't take images of 65 x 32 .*multiples of 32, from 32; try \(64, 32\) or \(96, 32\)"
    )
    with pytest.raises(InputError, match=message):
        build(input_size=(65, 32))
    with pytest.raises(InputError, match=message):
        any_size(np.zeros((1, 65, 32, 3)))


def test_wrong_options(vgg_file):
    with pytest.raises(
        InputError, match=r"pretrained weights exist for `width` 1 only; got 0\.5 for `segnet`"
    ):
        build(width=0.5, weights=vgg_file)
    with pytest.raises(InputError, match=r"`width` must be a number from 0\.015625; got 0\.001; try 0\.25"):
        build(width=0.001)
    with pytest.raises(InputError, match="`backbone` of `segnet` can only be vgg16; got 'resnet50'"):
        build(backbone="resnet50")
