"""Attention rollout and relevance against a vision transformer in NumPy, and what they refuse."""

import keras
import numpy as np
import pytest
from examples import transformers
from examples.half_precision import needs_half_precision
from examples.networks import small_classifier
from keras import layers
from references.class_maps import numeric_gradient
from references.vision_transformer import VisionTransformer, relevance, rollout, weights_of

from wsseg import explainers
from wsseg.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:each token of .* sees more than a patch")

SIZE_HW, GRID_HW = (16, 24), (2, 3)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(-1, 1, (2, *SIZE_HW, 3)).astype("float32")


def shaken(**options):
    """Return a small transformer whose weights all show: sharp attention, biases that are not 0."""
    model = transformers.transformer(size_hw=SIZE_HW, **options)
    generator = np.random.default_rng(1)
    for weight in model.weights:
        if "seed" not in weight.path:
            centre = 1 if weight.name == "gamma" else 0
            weight.assign(generator.normal(centre, 0.4 if len(weight.shape) < 4 else 0.1, weight.shape))
    return model


@pytest.fixture(scope="module")
def class_token():
    return shaken()


@pytest.fixture(scope="module")
def twin(class_token):
    return VisionTransformer(weights_of(class_token))


def scores_of(twin, image):
    x, found = twin.tokens(image), []
    for number in range(twin.blocks):
        found.append(twin.attention(x, number))
        x = twin.block(x, number)
    return found


def test_the_twin_is_the_model(class_token, twin, images):
    expected = [[twin.score(twin.tokens(image), target) for target in range(3)] for image in images]
    np.testing.assert_allclose(class_token(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "function"),
    [
        ({}, np.mean),
        ({"fusion": "max"}, np.max),
        ({"fusion": "min", "discard": 0.5}, np.min),
        ({"discard": 0.9}, np.mean),
    ],
)
def test_rollout_equals_the_twin(options, function, class_token, twin, images):
    explainer = explainers.create("attention_rollout", model=class_token, **options)
    found = explainer.raw(images, [[0, 2]] * 2)
    for image, (first, second) in zip(images, found):
        expected = rollout(scores_of(twin, image), function, options.get("discard", 0.0))[0, 1:]
        np.testing.assert_allclose(first, expected.reshape(GRID_HW), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(first, second)  # it knows no class
    assert np.ptp(found, axis=(2, 3)).min() > 1e-3
    assert explainer(images, [0, 2]).shape == (2, *SIZE_HW) and explainer.grid.stride_hw == (8, 8)


def test_relevance_equals_the_twin(class_token, twin, images):
    found = explainers.create("attention_relevance", model=class_token).raw(images, [[0, 2, -1]] * 2)
    for image, maps in zip(images, found):
        for target, one in zip((0, 2), maps):
            expected = relevance(twin.scores_and_gradients(image, target))[0, 1:].reshape(GRID_HW)
            assert expected.max() > 1e-3
            np.testing.assert_allclose(one, expected, rtol=1e-3, atol=1e-4 * expected.max())
        assert np.abs(maps[0] - maps[1]).max() > 1e-3 and not maps[2].any()


def test_behind_a_mean_all_rows_count_and_the_identity_does_not(images):
    model = shaken(first=0, head="mean")
    twin = VisionTransformer(weights_of(model), head="mean")
    found = explainers.create("attention_relevance", model=model).raw(images, [1, 1])
    rolled = explainers.create("attention_rollout", model=model).raw(images, [1, 1])
    for image, one, other in zip(images, found, rolled):
        expected = (relevance(twin.scores_and_gradients(image, 1)) - np.eye(6)).mean(axis=0)
        np.testing.assert_allclose(one, expected.reshape(GRID_HW), rtol=1e-3, atol=1e-4 * expected.max())
        expected = rollout(scores_of(twin, image)).mean(axis=0)
        np.testing.assert_allclose(other, expected.reshape(GRID_HW), rtol=1e-4)


def test_a_head_that_pools_by_attention_is_the_first_step(images):
    model = shaken(first=0, head="pooling")
    twin = VisionTransformer(weights_of(model), head="pooling")
    found = explainers.create("attention_relevance", model=model).raw(images, [1, 1])
    rolled = explainers.create("attention_rollout", model=model).raw(images, [1, 1])
    for image, one, other in zip(images, found, rolled):
        tokens = twin.tokens(image)
        pooling = twin.pooling(twin.final(tokens))
        gradient = numeric_gradient(lambda a, t=tokens: twin.score(t, 1, pooling=a), pooling)
        start = np.maximum(pooling * gradient, 0).mean(axis=0)[0]
        expected = start @ relevance(twin.scores_and_gradients(image, 1))
        np.testing.assert_allclose(one, expected.reshape(GRID_HW), rtol=1e-3, atol=1e-4 * expected.max())
        expected = pooling.mean(axis=0)[0] @ rollout(scores_of(twin, image))
        np.testing.assert_allclose(other, expected.reshape(GRID_HW), rtol=1e-4)


@pytest.mark.parametrize("body", ["encoder", "layer", "operation"])
def test_scores_of_layers_of_ones_own(body, images):
    model = transformers.transformer(body=body)
    picture = np.random.default_rng(0).uniform(0, 1, (1, *transformers.SIZE_HW, 3))
    for name in ("attention_rollout", "attention_relevance"):
        found = explainers.create(name, model=model).raw(picture, [0])
        assert found.shape == (1, *transformers.GRID_HW) and np.ptp(found) > 0


def test_rollout_of_one_own_block_by_hand():
    model = transformers.transformer(first=0, head="mean", body="layer", blocks=1)
    picture = np.random.default_rng(0).uniform(0, 1, (1, *transformers.SIZE_HW, 3)).astype("float32")
    block = model.get_layer("block_0")
    tokens = keras.Model(model.input, model.get_layer("positions").output)(picture)
    query, key = (part(block.first(tokens)).numpy()[0] for part in block.attention.parts[:2])
    scores = np.exp(query @ key.T / 4)
    scores /= scores.sum(axis=1, keepdims=True)
    expected = ((scores + np.eye(24)) / 2).mean(axis=0).reshape(transformers.GRID_HW)
    found = explainers.create("attention_rollout", model=model).raw(picture, [0])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@needs_half_precision
def test_mixed_precision(class_token, images):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mixed = transformers.transformer(size_hw=SIZE_HW)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(class_token.get_weights())
    for name in ("attention_rollout", "attention_relevance"):
        expected = explainers.create(name, model=class_token).raw(images, [0, 1])
        found = explainers.create(name, model=mixed).raw(images, [0, 1])
        np.testing.assert_allclose(found, expected, rtol=5e-2, atol=3e-2 * np.abs(expected).max())


def pyramid():
    image = keras.Input((32, 48, 3))
    x = transformers.plain_block(transformers.patches(image), 0)
    x = layers.Conv2D(transformers.WIDTH, 2, strides=2)(layers.Reshape((4, 6, transformers.WIDTH))(x))
    x = transformers.plain_block(layers.Reshape((6, transformers.WIDTH))(x), 1)
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (lambda: small_classifier((9, 11)), "has no attention over tokens"),
        (lambda: transformers.windows(), "attention within windows"),
        (pyramid, "another number of tokens in some blocks"),
        (lambda: transformers.transformer(body="mixer", first=0, head="mean"), "no attention scores"),
    ],
)
def test_other_models_are_refused_with_what_does_work(model, said):
    with pytest.raises(InputError, match=rf"{said}.*`grad_cam`.*`occlusion`"):
        explainers.create("attention_rollout", model=model())


def test_a_model_of_any_size_is_refused_with_its_first_image():
    explainer = explainers.create("attention_relevance", model=small_classifier())
    with pytest.raises(InputError, match=r"has no attention over tokens.*`grad_cam`.*`occlusion`"):
        explainer(np.zeros((1, 9, 11, 3)), [0])


def test_wrong_options(class_token):
    for options, said in (
        ({"layer": "end_0"}, "reads the attention of all blocks; remove `layer`"),
        ({"fusion": "median"}, "unknown `fusion` 'median'"),
        ({"discard": 1.0}, r"`discard` must be in \[0, 1\)"),
    ):
        with pytest.raises(InputError, match=said):
            explainers.create("attention_rollout", model=class_token, **options)
