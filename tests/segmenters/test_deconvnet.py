"""DeconvNet: parameters as published, switches that lead back, pretrained weights, saving, and that it learns."""

import keras
import numpy as np
import pytest
from examples.half_precision import needs_half_precision

from wsseg import segmenters
from wsseg.backbones.shapes_only import shapes_only
from wsseg.backbones.vgg_dense import Affine
from wsseg.errors import InputError
from wsseg.saved_models import load_model

ENCODER = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
ENCODER += [(256, 512), (512, 512), (512, 512), (512, 512), (512, 512), (512, 512)]
# Table 2 of the paper: deconv5-1 to deconv1-2, and what comes in.
DECODER = [(512, 512)] * 5 + [(512, 256), (256, 256), (256, 256), (256, 128), (128, 128), (128, 64)]
DECODER += [(64, 64), (64, 64)]


def build(**options):
    keras.utils.set_random_seed(0)
    return segmenters.create("deconvnet", **{"num_classes": 3, "width": 1 / 32, "channels": 16} | options)


@pytest.fixture(scope="module")
def any_size():
    return build()


def shapes(width, channels, num_classes):
    """Kernels of all layers in order: height and width, inputs, outputs."""

    def scaled(pairs):
        return [tuple(n if n == 3 else int(n * width) for n in pair) for pair in pairs]

    encoder, decoder = scaled(ENCODER), scaled(DECODER)
    dense = [(7, encoder[-1][1], channels), (1, channels, channels), (7, channels, encoder[-1][1])]
    return [
        *((3, *pair) for pair in encoder),
        *dense,
        *((3, *pair) for pair in decoder),
        (1, decoder[-1][1], num_classes),
    ]


def parameters(width, channels, num_classes):
    """Return weights and biases, and the parameters of batch norm (all layers but the last have one)."""
    kernels = shapes(width, channels, num_classes)
    weights = sum(side * side * into * out + out for side, into, out in kernels)
    return weights, sum(4 * out for _, _, out in kernels[:-1])


@pytest.mark.parametrize(("width", "channels", "num_classes"), [(1 / 32, 16, 3), (1 / 16, 40, 5)])
@shapes_only()
def test_structure(width, channels, num_classes):
    model = build(width=width, channels=channels, num_classes=num_classes, input_size=(224, 224))
    kernels = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose):
            side, _, *ends = layer.kernel.shape
            transposed = isinstance(layer, keras.layers.Conv2DTranspose)
            kernels.append((side, *(reversed(ends) if transposed else ends)))
            assert transposed == layer.name.startswith(("decoder", "fc6_transposed"))
    assert kernels == shapes(width, channels, num_classes)
    assert model.count_params() == sum(parameters(width, channels, num_classes))
    assert model.get_layer("fc7_relu").output.shape == (None, 1, 1, channels)
    assert model.get_layer("fc6_transposed_relu").output.shape == (None, 7, 7, int(512 * width))


def test_published_parameters():
    weights, normalisation = parameters(1, 4096, 21)
    assert weights == 251_772_245  # "about 252 M", 222 M of them in fc6, fc7 and the layer that undoes fc6
    assert normalisation == 66_816


@pytest.mark.slow  # a gigabyte of weights
@shapes_only()
def test_published_network():
    model = build(width=1, channels=4096, num_classes=21, input_size=(224, 224))
    assert model.count_params() == 251_772_245 + 66_816
    assert model.output_shape == (None, 224, 224, 21)


@pytest.mark.parametrize("size_hw", [(224, 224), (256, 288)])
def test_sizes(any_size, size_hw):
    assert any_size.output_shape == (None, None, None, 3)
    logits = any_size(np.zeros((1, *size_hw, 3)))
    assert logits.shape == (1, *size_hw, 3) and keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_each_unpooling_takes_its_blocks_switches(any_size):
    for block in range(1, 6):
        _, switches = any_size.get_layer(f"unpool{block}").input
        assert switches is any_size.get_layer(f"block{block}_pool").output[1]


def test_pretrained_weights(tmp_path, monkeypatch):
    path = tmp_path / "vgg16.weights.h5"
    network = keras.applications.VGG16(include_top=False, weights=None)
    network.save_weights(path)
    # Dense layers of 16 units instead of 4096, as if read from the file (tests/backbones/test_vgg_dense.py does).
    generator = np.random.default_rng(0)
    shapes = ((7 * 7 * 512, 16), (16, 16))
    dense = [Affine(generator.normal(size=shape), generator.normal(size=16)) for shape in shapes]
    monkeypatch.setattr("wsseg.segmenters.deconvnet.read_dense", lambda weights: weights and dense)
    model = build(width=1, weights=path)
    for name in ("block1_conv1", "block5_conv3"):
        np.testing.assert_array_equal(model.get_layer(name).kernel, network.get_layer(name).kernel)
    cells = generator.normal(size=(2, 7, 7, 512)).astype("float32")
    units = cells.reshape(2, -1) @ dense[0].kernel + dense[0].bias
    np.testing.assert_allclose(model.get_layer("fc6")(cells)[:, 0, 0], units, rtol=1e-3, atol=1e-2)
    last = units @ dense[1].kernel + dense[1].bias
    found = model.get_layer("fc7")(units[:, None, None].astype("float32"))
    np.testing.assert_allclose(found[:, 0, 0], last, rtol=1e-3, atol=1e-1)


def test_the_head_is_the_decoder(any_size):
    head = {variable.path.split("/")[0] for variable in any_size.head_variables}
    assert all(name.startswith(("decoder", "fc6_transposed", "logits")) for name in head)
    assert len(head) == 2 * 14 + 1
    assert {"fc6", "fc7", "block1_conv1"} <= set(any_size.backbone_layers)


@needs_half_precision
def test_mixed_precision_ends_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("unpool1").compute_dtype == "bfloat16"
    logits = model(np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3)))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32" and np.isfinite(logits).all()


def test_save_and_load(tmp_path, any_size):
    images = np.random.default_rng(0).uniform(0, 255, (1, 224, 256, 3)).astype("float32")
    any_size.save(tmp_path / "segmenter.keras")
    loaded = load_model(tmp_path / "segmenter.keras")
    np.testing.assert_array_equal(loaded(images), any_size(images))
    assert loaded.get_config() == any_size.get_config()
    assert loaded.backbone_layers == any_size.backbone_layers and loaded.sizes == any_size.sizes


def test_illegal_sizes_name_the_nearest_legal_ones(any_size):
    message = r"`deconvnet` .* 200 x 230 .*multiples of 32, from 224; try \(224, 256\)"
    with pytest.raises(InputError, match=message):
        build(input_size=(200, 230))
    with pytest.raises(InputError, match=message):
        any_size(np.zeros((1, 200, 230, 3)))


def test_wrong_options(tmp_path):
    with pytest.raises(
        InputError, match=r"pretrained weights exist for `width` 1 only; got 0\.5 for `deconvnet`"
    ):
        build(width=0.5, weights=tmp_path / "vgg16.weights.h5")
    with pytest.raises(InputError, match="`backbone` of `deconvnet` can only be vgg16"):
        build(backbone="resnet50")
