"""Each backbone against the network of keras.applications that it is made from."""

import keras
import numpy as np
import pytest
from examples.half_precision import needs_half_precision

from wsseg import backbones
from wsseg.backbones.shapes_only import shapes_only
from wsseg.backbones.table import NETWORKS
from wsseg.errors import InputError

# Keras reads TensorFlow's variables, whose `__array__` NumPy 2 finds out of date.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIZE = (64, 96)

# name -> application, preprocessing, channels of the levels as the papers and keras.applications have them
CASES = {
    "vgg16": ("VGG16", "caffe", (128, 256, 512, 512, 512)),
    "resnet50": ("ResNet50", "caffe", (64, 256, 512, 1024, 2048)),
    "mobilenet_0.25": ("MobileNet", "tf", (16, 32, 64, 128, 256)),
    "mobilenet_v2": ("MobileNetV2", "tf", (96, 144, 192, 576, 1280)),
    "efficientnet_b0": ("EfficientNetB0", None, (96, 144, 240, 672, 1280)),
    "convnext_tiny": ("ConvNeXtTiny", "torch", (96, 192, 384, 768)),
}


def randomise(model):
    """Weights and statistics that differ everywhere, of a size that keeps activations alive."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            randomise(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            low_high = ((0.8, 1.2), (-0.3, 0.3), (-0.3, 0.3), (0.5, 2.0))
            layer.set_weights([rng.uniform(*bounds, shape) for bounds in low_high])
        elif isinstance(layer, keras.layers.Normalization):
            layer.set_weights([rng.uniform(0.3, 0.6, 3), rng.uniform(0.05, 0.1, 3), np.array(0)])
            layer.finalize_state()
        elif layer.name.endswith("se_expand"):  # a constant gate: the globally pooled statistic drops out
            kernel, bias = layer.get_weights()
            layer.set_weights([0 * kernel, rng.uniform(-1, 1, bias.shape)])
        elif layer.weights:
            layer.set_weights(
                [rng.normal(0.1, 0.3, w.shape) if w.ndim == 1 else w for w in layer.get_weights()]
            )


def run(model, images):
    """Call eagerly, which is faster for one batch, except where Keras compiles each convolution (groups)."""
    features = model.predict(images, verbose=0) if "convnext" in model.name else model(images, training=False)
    return {level: np.array(features[level]) for level in sorted(features)}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow) if name in ("convnext_tiny", "efficientnet_b0") else name
        for name in CASES
    ],
)
def case(request, tmp_path_factory):
    """Return name, the original network's features at each level, its weights file, and images."""
    name = request.param
    application, preprocessing, _ = CASES[name]
    arguments = {"alpha": 0.25} if name.startswith("mobilenet_0") else {}
    if name == "convnext_tiny":
        arguments = {"include_preprocessing": False}
    network = getattr(keras.applications, application)(
        include_top=False, weights=None, input_shape=(*SIZE, 3), **arguments
    )
    randomise(network)
    path = tmp_path_factory.mktemp("weights") / f"{name}.weights.h5"
    network.save_weights(path)
    images = np.random.default_rng(1).uniform(0, 255, (1, *SIZE, 3)).astype("float32")
    fed = images.copy()
    if preprocessing:
        fed = keras.applications.imagenet_utils.preprocess_input(fed, mode=preprocessing)
    if name == "convnext_tiny":  # each level is what the next downsampling is fed
        blocks = [network.get_layer(f"convnext_tiny_downsampling_block_{i}") for i in range(3)]
        tensors = [block._inbound_nodes[-1].input_tensors[0] for block in blocks] + [network.output]
        levels = dict(zip(("level_2", "level_3", "level_4", "level_5"), tensors))
    else:
        table = NETWORKS["mobilenet" if arguments else name].levels
        levels = {level: network.get_layer(layer).output for level, layer in table.items()}
    features = run(keras.Model(network.input, levels, name=name), fed)
    return name, features, path, images


def test_original_stride_equals_keras_applications(case):
    name, features, path, images = case
    backbone = backbones.create(name, weights=path)  # any size
    levels = run(backbone, images)
    strides = backbones.level_strides(name)
    assert list(levels) == list(strides) == list(features)
    for (level, expected), channels in zip(features.items(), CASES[name][2]):
        assert levels[level].shape == (1, *(n // strides[level] for n in SIZE), channels)
        assert expected.std() > 1e-3
        np.testing.assert_allclose(levels[level], expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


@pytest.mark.parametrize("output_stride", [pytest.param(16, marks=pytest.mark.slow), 8])
def test_dense_features_hold_the_original_ones(case, output_stride):
    name, features, path, images = case
    # The other kind of input size than in the test above.
    backbone = backbones.create(name, output_stride, weights=path, input_size=SIZE)
    levels = run(backbone, images)
    for level, stride in backbones.level_strides(name, output_stride).items():
        oversampling = 2 ** int(level[-1]) // stride
        expected = features[level]
        assert levels[level].shape[1:3] == tuple(n // stride for n in SIZE)
        np.testing.assert_allclose(
            levels[level][:, ::oversampling, ::oversampling],
            expected,
            rtol=1e-3,
            atol=1e-4 * abs(expected).max(),
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_b0", "convnext_tiny"])
def test_two_builds_are_named_alike_and_exchange_weights(name, tmp_path):
    # The networks whose layers keras.applications leaves unnamed in part.
    first = backbones.create(name, 16, input_size=(32, 32))
    second = backbones.create(name, 8, input_size=(32, 32))
    named = [[layer.name for layer in model.layers if layer.weights] for model in (first, second)]
    assert named[0] == named[1]
    assert [operation.name for operation in first.operations] == [o.name for o in second.operations]
    assert first.layers[0].name == "image"
    assert first.layers[1].name == "image_preprocessing"

    randomise(first)
    second.set_weights(first.get_weights())
    first.save(tmp_path / "backbone.keras")
    loaded = keras.saving.load_model(tmp_path / "backbone.keras")
    for expected, restored in zip(first.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(restored, expected)
    if name == "convnext_tiny":  # on a CPU, each of its convolutions takes long to compile
        return
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    expected, dense = run(first, images), run(second, images)
    for level, features in run(loaded, images).items():
        np.testing.assert_allclose(features, expected[level], rtol=1e-5, atol=1e-6)
    for level in ("level_2", "level_3"):
        np.testing.assert_allclose(dense[level], expected[level], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dense["level_5"][:, ::2, ::2], expected["level_5"], rtol=1e-3, atol=1e-4)


@needs_half_precision
@pytest.mark.slow
def test_mixed_precision_features_are_near_those_of_float32():
    full = backbones.create("mobilenet_0.25", 16, input_size=(32, 32))
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = backbones.create("mobilenet_0.25", 16, input_size=(32, 32))
        efficientnet = backbones.create("efficientnet_b0")
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(full.get_weights())
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    expected, features = run(full, images), run(half, images)
    assert features["level_5"].dtype == np.float16
    np.testing.assert_allclose(features["level_2"], expected["level_2"], atol=0.01)
    assert efficientnet.get_layer("stem_conv").compute_dtype == "float16"
    assert efficientnet.get_layer("efficientnet_b0_rescaling_1").compute_dtype == "float32"


@pytest.mark.parametrize("name", ["vgg16", "mobilenet_0.25"])
def test_odd_sizes_agree_away_from_the_far_borders(name):
    original, dense = (backbones.create(name, stride) for stride in (32, 8))
    randomise(original)
    dense.set_weights(original.get_weights())
    images = np.random.default_rng(0).uniform(0, 255, (1, 203, 181, 3)).astype("float32")
    sparse, levels = run(original, images), run(dense, images)
    assert levels["level_5"].shape[1:3] == levels["level_3"].shape[1:3] == (25, 22)
    expected = sparse["level_5"][:, :2, :2]
    np.testing.assert_allclose(levels["level_5"][:, :8:4, :8:4], expected, rtol=1e-3, atol=1e-4)


@shapes_only()
def test_alpha_by_name_by_option_and_the_default():
    assert backbones.create("mobilenet_0.5", input_size=(32, 32)).alpha == 0.5
    by_option = backbones.create("mobilenet", alpha=0.25, input_size=(32, 32))
    assert (by_option.name, by_option.output["level_5"].shape[-1]) == ("mobilenet_0.25", 256)
    assert backbones.create("mobilenet", input_size=(32, 32)).name == "mobilenet_1.0"


def test_levels_and_strides():
    assert list(backbones.level_strides("vgg16", 8).values()) == [2, 4, 8, 8, 8]
    assert "level_1" not in backbones.level_strides("convnext_tiny")
    assert set(backbones.NAMES) >= {*CASES, "resnet101", "mobilenet_1.0", "efficientnet_b7"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "mobilenet_v3"}, "did you mean `mobilenet_v2`"),
        ({"name": "vgg16", "output_stride": 4}, "`output_stride` must be 8, 16 or 32; got 4"),
        ({"name": "vgg16", "input_size": (64, 31)}, "`input_size` must be"),
        ({"name": "vgg16", "input_size": 64}, "`input_size` must be"),
        ({"name": "mobilenet", "alhpa": 0.5}, "did you mean `alpha`"),
        ({"name": "resnet50", "alpha": 0.5}, "`resnet50` has no option `alpha`"),
        ({"name": "mobilenet", "alpha": 0}, "`alpha` must be a number"),
        ({"name": "mobilenet_0.5", "alpha": 0.25}, "remove `alpha`"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        backbones.create(**arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet101", *(f"efficientnet_b{n}" for n in range(1, 8))])
@shapes_only()
def test_large_networks_have_their_levels(name):
    backbone = backbones.create(name, 8, input_size=(64, 64))
    for level, stride in backbones.level_strides(name, 8).items():
        assert backbone.output[level].shape[1:3] == (64 // stride, 64 // stride)
