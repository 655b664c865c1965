"""`PatchFeatures` against keras-hub's own passes, and what a layer must do."""

import keras
import numpy as np
import pytest
from examples.half_precision import needs_half_precision

hub = pytest.importorskip("keras_hub")

from hub.tiny import TEXTS, images, shake  # noqa: E402
from layers.layer_checks import check_config, check_graph, check_shapes  # noqa: E402
from references.resampling import resampled  # noqa: E402

from wsseg.errors import InputError  # noqa: E402
from wsseg.layers.hub_architecture import Architecture  # noqa: E402
from wsseg.layers.patch_features import PatchFeatures  # noqa: E402
from wsseg.layers.vision_tokens import positions_for, rotations  # noqa: E402


@pytest.fixture(scope="module")
def made():
    layers = {name: PatchFeatures(text) for name, text in TEXTS.items()}
    for layer in layers.values():
        shake(layer.encoder)
    return layers


def own_tokens(layer, pixels):
    """What keras-hub makes of images of the size that the network was built for, one token a patch."""
    encoder = layer.encoder
    if layer.family == "siglip":  # its output is pooled
        return keras.Model(encoder.inputs, encoder.post_layer_norm.output)([pixels])
    tokens = encoder({"pixel_values" if layer.family == "dinov3" else "images": pixels})
    return tokens[:, 1 + getattr(encoder, "num_register_tokens", 0) :]


@pytest.mark.parametrize("name", TEXTS)
def test_equals_keras_hub_at_the_size_it_was_built_for(made, name):
    layer = made[name]
    pixels = images((3 * layer.patch, 3 * layer.patch)) / 128 - 1
    encoder = layer.encoder
    if layer.family == "dinov2":
        encoder.embeddings.interpolated_position_embeddings.assign(encoder.embeddings.position_embeddings)
    expected = np.reshape(own_tokens(layer, pixels), (2, 3, 3, 16))
    np.testing.assert_allclose(layer(pixels), expected, atol=2e-5)


@pytest.mark.parametrize("name", ["dinov2", "registers"])
@pytest.mark.parametrize("side", [2, 5])
def test_equals_keras_hub_interpolated_to_another_square(made, name, side):
    layer = made[name]
    other = Architecture.parse(
        TEXTS[name].replace("image_shape=(42, 42, 3)", f"image_shape=({14 * side}, {14 * side}, 3)", 1)
    )
    encoder = other.build()
    for mine, theirs in zip(layer.encoder.weights, encoder.weights):
        if mine.name != "interpolated_position_embeddings":
            theirs.assign(mine)
    embeddings = encoder.embeddings
    embeddings.interpolated_position_embeddings.assign(
        embeddings._interpolate_position_embeddings(
            embeddings.position_embeddings, 14, (42, 42), (14 * side, 14 * side), name == "registers"
        )
    )
    pixels = images((14 * side, 14 * side)) / 128 - 1
    tokens = encoder({"images": pixels})[:, -side * side :]
    # TensorFlow reads the kernel off a table of 1024 places.
    np.testing.assert_allclose(layer(pixels), np.reshape(tokens, (2, side, side, 16)), atol=1e-2)


def test_dinov3_equals_keras_hub_at_another_size(made):
    layer = made["dinov3"]
    encoder = Architecture.parse(TEXTS["dinov3"].replace("48, 48", "32, 80")).build()
    encoder.set_weights(layer.encoder.get_weights())
    pixels = images((32, 80)) / 128 - 1
    expected = np.reshape(encoder({"pixel_values": pixels})[:, 5:], (2, 2, 5, 16))
    np.testing.assert_allclose(layer(pixels), expected, atol=2e-5)


def test_rotations_by_hand():
    # One head of 4 channels has one frequency, 2 pi; the two rows of one column are at -1/2 and 1/2, that column at 0.
    cosines, sines = rotations((2, 1), 4, 100.0)
    np.testing.assert_allclose(cosines, [[-1, 1, -1, 1]] * 2, atol=1e-6)
    np.testing.assert_allclose(sines, np.zeros((2, 4)), atol=1e-6)


def test_positions_follow_the_image():
    table = np.random.default_rng(0).normal(0, 1, (9, 4)).astype("float32")
    np.testing.assert_array_equal(positions_for(table, (3, 3))[0], table)
    found = positions_for(table, (2, 5), antialias=True)
    expected = resampled(table.reshape(1, 3, 3, 4), (2, 5), "cubic", True)
    np.testing.assert_allclose(found[0], expected.reshape(10, 4), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stride", [14, 16, 8])
def test_a_cell_reads_its_own_pixels(stride):
    """Without blocks a cell depends on one patch: that of the pixels that `alignment` puts it on."""
    layer = PatchFeatures(TEXTS["dinov2"].replace("num_layers=2", "num_layers=0"), stride)
    shake(layer.encoder)
    pixels = images((3 * stride, 4 * stride), 1)
    other = pixels.copy()
    other[0, stride + stride // 2, 2 * stride + stride // 2] += 50
    changed = np.abs(layer(other) - layer(pixels)).max(axis=(0, 3)) > 1e-6
    expected = np.zeros((3, 4), bool)
    expected[1, 2] = True
    np.testing.assert_array_equal(changed, expected)


@pytest.mark.parametrize("stride", [None, 8])
@pytest.mark.parametrize("name", ["registers", "dinov3", "clip", "siglip"])
def test_shapes_config_and_sizes_unknown_until_the_graph_runs(name, stride):
    def make(**further):
        return PatchFeatures(TEXTS[name], stride, **further)

    step = stride or make().patch
    pixels = images((2 * step, 3 * step)) / 128 - 1
    check_shapes(make, [pixels], True)
    check_config(make, [pixels], True)
    check_graph(make, [pixels], True, size_known=False)


def test_saves_within_a_model(made, tmp_path):
    for name in ("registers", "dinov3", "clip", "siglip"):
        image = keras.Input((None, None, 3))
        layer = PatchFeatures(TEXTS[name])
        model = keras.Model(image, layer(image))
        layer.encoder.set_weights(made[name].encoder.get_weights())
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        pixels = images((2 * layer.patch, 4 * layer.patch)) / 128 - 1
        np.testing.assert_array_equal(loaded(pixels), model(pixels))
        assert not loaded.trainable_weights


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # mask tokens, SigLIP's pooling
def test_frozen_until_told_otherwise():
    image = keras.Input((28, 28, 3))
    layer = PatchFeatures(TEXTS["dinov2"])
    model = keras.Model(image, layer(image))
    assert not model.trainable_weights
    layer.trainable = True
    shake(layer.encoder)
    before = [weight.numpy() for weight in layer.encoder.weights]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(images((28, 28)) / 128 - 1, np.ones((2, 2, 2, 16)), verbose=0)
    changed = {w.path: (w.numpy() != b).any() for w, b in zip(layer.encoder.weights, before)}
    kernels = [path for path in changed if path.endswith("kernel")]
    assert kernels and not [path for path in kernels if not changed[path]]
    assert not any(moved for path, moved in changed.items() if "position_embeddings" in path)


@needs_half_precision
def test_mixed_precision_is_near_float32(made):
    for name in TEXTS:
        half = PatchFeatures(TEXTS[name], dtype="mixed_float16")
        half.encoder.set_weights(made[name].encoder.get_weights())
        pixels = images((2 * half.patch, 2 * half.patch)) / 128 - 1
        found = half(pixels)
        assert keras.backend.standardize_dtype(found.dtype) == "float16"
        np.testing.assert_allclose(np.array(found, "float32"), made[name](pixels), atol=0.1)


def test_refuses_sizes_that_are_no_whole_patches(made):
    with pytest.raises(InputError, match=r"multiples of 14, from 14; try \(28, 28\) or \(42, 28\)"):
        made["dinov2"](images((30, 28)))
    with pytest.raises(InputError, match="multiples of 16"):
        PatchFeatures(TEXTS["dinov2"], 16)(keras.Input((28, 28, 3)))


@pytest.mark.parametrize("stride", [0, 2.5])
def test_refuses_other_strides(stride):
    with pytest.raises(InputError, match="`output_stride` must be a whole number from 1"):
        PatchFeatures(TEXTS["clip"], stride)


def test_keras_hubs_refusal_is_passed_on():
    with pytest.raises(InputError, match="keras-hub refuses these arguments"):
        Architecture.parse(TEXTS["clip"].replace("48, 48", "48, 64")).build()
