"""Likeness to a reference: the score in NumPy, its gradient, and where the maps of a retrieval model lie."""

import keras
import numpy as np
import pytest
from examples.colour_networks import colour_embedding, half_captioner, painted
from examples.networks import small_classifier
from references.class_maps import convolution_relu, grad_cam
from references.target_scores import cosine

from wsseg.errors import InputError
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets import EmbeddingSimilarity, Negated

RED, BLUE = (slice(0, 3), slice(1, 3)), (slice(4, 8), slice(5, 8))


def score(target, values):
    outputs = Outputs(values, values, ("embedding",))
    return keras.ops.convert_to_numpy(target.evaluate(outputs, target.arrays, False, None))


def test_equals_the_loops():
    rng = np.random.default_rng(0)
    embeddings, references = rng.normal(size=(2, 3, 7)).astype("float32")
    expected = [[cosine(e, r)] for e, r in zip(embeddings, references)]
    np.testing.assert_allclose(score(EmbeddingSimilarity(references), embeddings), expected, atol=1e-5)
    expected = [[cosine(e, references[0])] for e in embeddings]
    np.testing.assert_allclose(score(EmbeddingSimilarity(5 * references[0]), embeddings), expected, atol=1e-5)


def test_an_embedding_of_zero_is_like_nothing_and_has_a_gradient():
    import tensorflow as tf

    embedding, target = tf.Variable(np.zeros((1, 3), "float32")), EmbeddingSimilarity([1.0, 0, 0])
    with tf.GradientTape() as tape:
        found = target.scores(embedding, *target.arrays)
    assert found.numpy().tolist() == [0] and np.isfinite(tape.gradient(found, embedding)).all()


def test_grad_cam_equals_finite_differences():
    model = small_classifier((9, 11), head="tanh")
    images = np.random.default_rng(0).uniform(0, 1, (2, 9, 11, 3)).astype("float32")
    references = np.array([[1, -1, 0.5], [-2, 0.3, 1]], "float32")
    kernel, bias = model.get_layer("features").get_weights()
    (w1, b1), (w2, b2) = (
        [w.astype(float) for w in model.get_layer(n).get_weights()] for n in ("hidden", "logits")
    )
    expected = [
        grad_cam(
            convolution_relu(image, kernel, bias, 2),
            lambda x, r=reference: cosine(np.tanh(x.ravel() @ w1 + b1) @ w2 + b2, r),
        )
        for image, reference in zip(images, references)
    ]
    assert max(x.max() for x in expected) > 1e-2
    np.testing.assert_allclose(
        GradCAM(model).raw(images, EmbeddingSimilarity(references)), expected, atol=1e-4
    )


@pytest.fixture(scope="module")
def explainer():
    return GradCAM(colour_embedding())


@pytest.mark.parametrize(("reference", "like", "unlike"), [("red", RED, BLUE), ("blue", BLUE, RED)])
def test_maps_lie_on_what_is_alike(explainer, reference, like, unlike):
    model = explainer.network.model
    other = model(
        painted(**{reference: (slice(2, 7), slice(0, 4))})
    ).numpy()  # another picture of that colour
    image = painted(red=RED, blue=BLUE)
    map_, against = explainer(image, [EmbeddingSimilarity(other), Negated(EmbeddingSimilarity(other))])[0]
    assert map_[like].min() == pytest.approx(1) and map_[like].sum() == pytest.approx(map_.sum(), rel=1e-4)
    assert against[unlike].min() == pytest.approx(1) and against[unlike].sum() == pytest.approx(
        against.sum(), rel=1e-4
    )


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ([1.0, 2.0], "`reference` must have 3 dimensions, like the model's embedding; got 2"),
        (
            [[1.0, 2, 3], [0, 0, 0]],
            "no direction in 1 of 2 rows .first: number 1.: all values are 0, or one is NaN or infinite",
        ),
        ([1.0, np.nan, 3], "no direction in 1 of 1 rows"),
        (np.ones((1, 1, 3)), r"`reference` must be \(D,\) or \(B, D\); got \(1, 1, 3\)"),
    ],
)
def test_wrong_references(explainer, reference, message):
    with pytest.raises(InputError, match=message):
        explainer.raw(np.concatenate([painted()] * 2), EmbeddingSimilarity(reference))


def test_an_output_that_is_no_embedding():
    with pytest.raises(InputError, match=r"needs an output \(batch, dimensions\)"):
        GradCAM(half_captioner()).raw(painted(), EmbeddingSimilarity([1.0, 0, 0]))
