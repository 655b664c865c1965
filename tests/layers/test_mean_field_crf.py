"""The CRF as a layer: beside `DenseCRF`, its gradients, and that a network's end can learn it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage import data
from skimage.transform import resize

from wsseg.errors import InputError
from wsseg.layers import MeanFieldCRF
from wsseg.refiners import DenseCRF
from wsseg.refiners.unary import unary_from_probabilities

PHOTOGRAPHS = [
    np.ascontiguousarray(photograph[100:160, 120:200])
    for photograph in (data.astronaut(), data.coffee(), data.chelsea())
]


def blobs(classes, seed=0, size_hw=(60, 80)):
    rng = np.random.default_rng(seed)
    scores = np.exp(3 * resize(rng.normal(size=(6, 8, classes)), size_hw, order=1))
    return (scores / scores.sum(-1, keepdims=True)).astype("float32")


def logits_of(probs):
    return -unary_from_probabilities(probs)[None]


def graph_of(layer, classes, **how):
    """A graph that knows no size."""
    sides = [(None, None, None, channels) for channels in (3, classes)]
    return tf.function(
        lambda images, logits: keras.ops.softmax(layer([images, logits])),
        input_signature=[tf.TensorSpec(sides[0], tf.uint8), tf.TensorSpec(sides[1], tf.float32)],
        **how,
    )


@pytest.mark.parametrize(
    ("preset", "classes"),
    [
        ("irn", 2),
        pytest.param("psa", 5, marks=pytest.mark.slow),
        pytest.param("deeplab_v2", 21, marks=pytest.mark.slow),
        pytest.param("toco", 3, marks=pytest.mark.slow),
    ],
)
def test_equal_to_the_crf_on_photographs(preset, classes):
    graph = graph_of(MeanFieldCRF.preset(preset), classes)
    for seed, image in enumerate(PHOTOGRAPHS):
        probs = blobs(classes, seed)
        expected = DenseCRF.preset(preset)(image, probs)
        found = graph(image[None], logits_of(probs)).numpy()[0]
        assert (expected.argmax(-1) != probs.argmax(-1)).mean() > 0.05, "the CRF has something to do"
        assert (found.argmax(-1) == expected.argmax(-1)).mean() > 0.9995
        np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.slow
def test_a_batch_is_its_images_one_by_one_under_xla_too():
    images = np.stack(PHOTOGRAPHS)
    logits = np.concatenate([logits_of(blobs(3, seed)) for seed in range(3)])
    layer = MeanFieldCRF(iterations=3, room=2)
    expected = [keras.ops.softmax(layer([image[None], one[None]]))[0] for image, one in zip(images, logits)]
    np.testing.assert_allclose(graph_of(layer, 3, jit_compile=True)(images, logits), expected, atol=1e-4)


def test_a_kernel_of_weight_0_is_left_out():
    image, probs = PHOTOGRAPHS[0], blobs(3)
    for changes in ({"gaussian_weight": 0}, {"bilateral_weight": 0}):
        found = keras.ops.softmax(MeanFieldCRF(**changes)([image[None], logits_of(probs)]))[0]
        np.testing.assert_allclose(found, DenseCRF(**changes)(image, probs), atol=1e-3)


def test_gradients_are_those_of_small_steps():
    """Central differences along random directions, of the logits and of each weight."""
    rng = np.random.default_rng(0)
    images, given = PHOTOGRAPHS[0][None, :12, :16], rng.normal(size=(1, 12, 16, 3)).astype("float32")
    layer = MeanFieldCRF(
        gaussian_weight=0.5, bilateral_sxy=8, bilateral_srgb=20, bilateral_weight=0.7, iterations=3
    )
    layer([images, given])
    for weight in layer.weights:
        weight.assign_add(rng.normal(0, 0.1, weight.shape))
    wanted = rng.normal(size=given.shape).astype("float32")

    def value(logits):
        return keras.ops.sum(keras.ops.softmax(layer([images, logits])) * wanted)

    logits = tf.Variable(given)
    variables = [logits, *(weight.value for weight in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        total = value(logits)
    for variable, gradient in zip(variables, tape.gradient(total, variables), strict=True):
        start, direction = variable.numpy(), rng.normal(size=variable.shape).astype("float32")
        ends = []
        for sign in (1, -1):
            variable.assign(start + sign * 0.01 * direction)
            ends.append(float(value(logits)))
        variable.assign(start)
        slope = float(np.sum(gradient.numpy() * direction))
        assert abs(slope) > 0.1
        assert (ends[0] - ends[1]) / 0.02 == pytest.approx(slope, rel=0.03)


@pytest.mark.slow
def test_a_networks_end_learns_its_weights():
    """A CRF that begins far too weak learns to clean noisy logits along the photograph's edges."""
    rng = np.random.default_rng(0)
    image = np.full((1, 24, 32, 3), 60, np.uint8)
    truth = np.zeros((1, 24, 32), int)
    image[:, 6:18, 8:24], truth[:, 6:18, 8:24] = (200, 120, 40), 1
    noisy = (2 * np.eye(2)[truth] - 1 + rng.normal(0, 2, (1, 24, 32, 2))).astype("float32")
    inputs = keras.Input((24, 32, 3)), keras.Input((24, 32, 2))
    crf = MeanFieldCRF(gaussian_weight=0, bilateral_weight=0.01, iterations=3)
    model = keras.Model(inputs, crf(inputs))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.1), loss)
    losses = [float(model.train_on_batch([image, noisy], truth)) for _ in range(40)]
    right = (np.array(model([image, noisy])).argmax(-1) == truth).mean()
    assert losses[-1] < 0.3 * losses[0]
    assert right > 0.98 > 0.85 > (noisy.argmax(-1) == truth).mean()


def test_too_little_room_is_seen():
    image, logits = PHOTOGRAPHS[0][None], logits_of(blobs(3))
    small, large = MeanFieldCRF(iterations=1, room=0.001), MeanFieldCRF(iterations=1, room=6)
    assert np.isnan(small([image, logits])).all() and np.isfinite(large([image, logits])).all()
    assert large.supports_jit and not MeanFieldCRF().supports_jit


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 9), (9, 1)])
def test_odd_sizes(size_hw):
    image, probs = PHOTOGRAPHS[0][: size_hw[0], : size_hw[1]], blobs(3)[: size_hw[0], : size_hw[1]]
    found = keras.ops.softmax(MeanFieldCRF()([image[None], logits_of(probs)]))[0]
    np.testing.assert_allclose(found, DenseCRF()(image, probs), atol=1e-3)


@pytest.mark.slow
def test_the_backend_gives_the_same_with_another_compatibility():
    image, probs = PHOTOGRAPHS[2], blobs(3)
    for compatibility in (0.4, [[0, 1, 2], [1, 0, 0.2], [2, 0.2, -0.5]]):
        one, other = (
            DenseCRF.preset("psa", compatibility=compatibility, backend=backend)(image, probs)
            for backend in ("keras", "numba")
        )
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_the_backend_refuses_images_whose_places_it_cannot_tell_apart():
    image, probs = np.zeros((1, 4097, 3), np.uint8), np.full((1, 4097, 2), 0.5)
    with pytest.raises(InputError, match="at most 4096 pixels per side"):
        DenseCRF(backend="keras")(image, probs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MeanFieldCRF(gaussian_sxy=0), "`gaussian_sxy` must be positive"),
        (lambda: MeanFieldCRF(bilateral_srgb=0.01), "at least 0.1"),
        (lambda: MeanFieldCRF(bilateral_weight=-1), "`bilateral_weight` must be 0 or more"),
        (lambda: MeanFieldCRF(iterations=0), "`iterations` must be"),
        (lambda: MeanFieldCRF(room=7), "at most 6"),
        (lambda: MeanFieldCRF.preset("irm"), "unknown CRF preset `irm`"),
        (lambda: MeanFieldCRF()([np.zeros((1, 4, 5, 3)), np.zeros((1, 5, 4, 2))]), "the CRF takes"),
        (
            lambda: MeanFieldCRF(bilateral_sxy=1, bilateral_srgb=0.1)(
                [np.zeros((1, 99, 99, 3)), np.zeros((1, 99, 99, 2))]
            ),
            "too small",
        ),
    ],
)
def test_wrong_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
