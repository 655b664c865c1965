"""U-Net: the published sizes and parameters, padding, saving, and that it learns."""

import keras
import numpy as np
import pytest
from examples.half_precision import needs_half_precision

from wsseg import segmenters
from wsseg.backbones.shapes_only import shapes_only
from wsseg.errors import InputError
from wsseg.saved_models import load_model


def build(name, **options):
    keras.utils.set_random_seed(0)
    return segmenters.create(name, **{"num_classes": 3, "channels": 2} | options)


@pytest.fixture(scope="module")
def valid():
    return build("unet_valid")


@pytest.fixture(scope="module")
def same():
    return build("unet")


def parameters(channels, image_channels, num_classes):
    """Weights and biases of the 23 convolutions that figure 1 shows."""
    sides = [channels * 2**level for level in range(5)]
    total, before = 0, image_channels
    for filters in sides:
        total += 9 * before * filters + filters + 9 * filters * filters + filters
        before = filters
    for filters in sides[-2::-1]:
        total += 4 * 2 * filters * filters + filters  # the up-convolution halves the channels
        total += 9 * 2 * filters * filters + filters + 9 * filters * filters + filters
    return total + channels * num_classes + num_classes


@shapes_only()
def test_published_network():
    model = build("unet_valid", num_classes=2, channels=64, input_size=(572, 572))
    assert model.output_shape == (None, 388, 388, 2)
    # 31,030,658 for the paper's one-channel images; ours have two more channels.
    assert parameters(64, 1, 2) == 31_030_658
    assert model.count_params() == 31_030_658 + 2 * 9 * 64 == parameters(64, 3, 2)
    # Figure 1: the sides after each pair of convolutions, and the joined channels.
    for layer, side, filters in [
        ("down_0_conv2", 568, 64),
        ("down_1_conv2", 280, 128),
        ("down_2_conv2", 136, 256),
        ("down_3_conv2", 64, 512),
        ("bottom_conv2", 28, 1024),
        ("up_3_concat", 56, 1024),
        ("up_3_conv2", 52, 512),
        ("up_2_conv2", 100, 256),
        ("up_1_conv2", 196, 128),
        ("up_0_concat", 392, 128),
        ("up_0_conv2", 388, 64),
    ]:
        assert model.get_layer(layer).output.shape == (None, side, side, filters), layer
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convolutions) == 23 - 4 and all(c.kernel.shape[:2] == (3, 3) for c in convolutions[:-1])
    # sqrt(2 / N): 9 x 512 inputs of a neuron of the bottom, 1024 of one of its up-convolution.
    assert np.std(model.get_layer("bottom_conv1").kernel) == pytest.approx((2 / 4608) ** 0.5, rel=0.01)
    assert np.std(model.get_layer("up_3").kernel) == pytest.approx((2 / 1024) ** 0.5, rel=0.01)


@pytest.mark.parametrize("size_hw", [(188, 188), (204, 220)])
def test_output_is_184_pixels_smaller(valid, size_hw):
    assert valid.margin == 92
    assert valid(np.zeros((1, *size_hw, 3))).shape == (1, size_hw[0] - 184, size_hw[1] - 184, 3)
    assert build("unet_valid", input_size=size_hw).output_shape == (None, *(n - 184 for n in size_hw), 3)


def test_same_gives_the_images_size(same):
    logits = same(np.zeros((2, 32, 48, 3)))
    assert logits.shape == (2, 32, 48, 3) and keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert same.margin == 0 and build("unet", input_size=(64, 80)).output_shape == (None, 64, 80, 3)


def test_valid_is_the_interior_of_same(valid):
    # Without padding the poolings begin at pixels 2, 6, 14 and 30: at -2 modulo their strides 2, 4, 8 and 16. So
    # the padded network sees the same cells if its image begins at pixel 14. Its padding reaches up to 107 pixels.
    padded = build("unet")
    padded.set_weights(valid.get_weights())
    image = np.random.default_rng(0).uniform(0, 255, (1, 428, 412, 3)).astype("float32")
    without, whole = np.asarray(valid(image)), np.asarray(padded(image[:, 14:414, 14:398]))
    without = without[:, 126 - 92 : 302 - 92, 126 - 92 : 286 - 92]
    assert without.shape == (1, 176, 160, 3) and without.std() > 1e-2
    np.testing.assert_allclose(
        without, whole[:, 112:-112, 112:-112], rtol=1e-4, atol=1e-4 * np.abs(whole).max()
    )


@pytest.mark.parametrize(
    ("name", "size_hw", "message"),
    [
        (
            "unet_valid",
            (570, 572),
            r"`unet_valid` .* 570 x 572 .*12 modulo 16, from 188; try \(556, 572\) or \(572, 572\)",
        ),
        ("unet_valid", (188, 172), r"try \(188, 188\)"),
        ("unet", (64, 70), r"`unet` .* 64 x 70 .*multiples of 16, from 16; try \(64, 64\) or \(64, 80\)"),
    ],
)
def test_illegal_sizes_name_the_nearest_legal_ones(name, size_hw, message, request):
    with pytest.raises(InputError, match=message):
        build(name, input_size=size_hw)
    model = request.getfixturevalue({"unet": "same", "unet_valid": "valid"}[name])
    with pytest.raises(InputError, match=message):
        model(np.zeros((1, *size_hw, 3)))


@needs_half_precision
def test_mixed_precision_ends_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build("unet")
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("up_0").compute_dtype == "bfloat16"
    logits = model(np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32" and np.isfinite(logits).all()


@pytest.mark.parametrize(("name", "size_hw"), [("unet", (32, 48)), ("unet_valid", (188, 204))])
def test_save_and_load(tmp_path, name, size_hw, request):
    model = request.getfixturevalue({"unet": "same", "unet_valid": "valid"}[name])
    images = np.random.default_rng(0).uniform(0, 255, (1, *size_hw, 3)).astype("float32")
    model.save(tmp_path / "segmenter.keras")
    loaded = load_model(tmp_path / "segmenter.keras")
    np.testing.assert_array_equal(loaded(images), model(images))
    assert loaded.get_config() == model.get_config()
    assert (loaded.margin, loaded.sizes) == (model.margin, model.sizes)
    assert loaded.backbone_layers == () and loaded.head_variables == []
    other = segmenters.create(name, num_classes=5, channels=2, weights=tmp_path / "segmenter.keras")
    np.testing.assert_array_equal(other.get_layer("up_0").kernel, model.get_layer("up_0").kernel)


def test_wrong_options(tmp_path):
    with pytest.raises(
        InputError, match="`unet` has no pretrained backbone, so it cannot start from 'imagenet'"
    ):
        build("unet", weights="imagenet")
    with pytest.raises(InputError, match=r"no file|does not exist"):
        build("unet", weights=tmp_path / "none.keras")
    with pytest.raises(InputError, match="segmenter `unet` has no option `padding`"):
        build("unet", padding="valid")
