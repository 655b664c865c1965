"""A class at a set of pixels of a segmenter: the score in NumPy, its gradient, and where the maps lie."""

import keras
import numpy as np
import pytest
from examples.networks import small_classifier
from keras import layers
from references.class_maps import convolution_relu, grad_cam
from references.target_scores import pixel_sum

from wsseg.errors import InputError
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.hires_cam import HiResCAM
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets import SegmentationPixels

SCORES = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")
MASKS = np.random.default_rng(1).random((2, 4, 5)) > 0.6


def score(target, values=SCORES):
    outputs = Outputs(values, values, ("scores",))
    return keras.ops.convert_to_numpy(target.evaluate(outputs, target.arrays, False, None))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("classes", [1, [2, 0]])
@pytest.mark.parametrize("mask", [None, MASKS, MASKS[0], MASKS[0].astype("uint8")])
def test_equals_the_loops(reduction, classes, mask):
    masks = [None, None] if mask is None else np.broadcast_to(mask, (2, 4, 5))
    found = score(SegmentationPixels(classes, mask, reduction))
    for i, class_id in enumerate(np.broadcast_to(classes, 2)):
        total, count = pixel_sum(SCORES[i], class_id, masks[i])
        assert count > 0
        assert found[i, 0] == pytest.approx(
            total if reduction == "sum" else total / count, rel=1e-5, abs=1e-5
        )


def test_class_that_is_predicted_nowhere():
    values = SCORES - np.array([0, 0, 100], "float32")
    assert score(SegmentationPixels(2), values).tolist() == [[0], [0]]
    assert score(SegmentationPixels(2, reduction="mean"), values).tolist() == [[0], [0]]


def some_images():
    return np.random.default_rng(0).uniform(0, 1, (2, 9, 11, 3)).astype("float32")


@pytest.fixture(scope="module")
def segmenter():
    """Images -> one convolution of stride 2 (`features`) -> scores a pixel, each pixel of its cell alone."""
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3))
    tensor = layers.Conv2D(4, 3, strides=2, activation="relu", name="features")(image)
    tensor = layers.Dense(5, activation="tanh", bias_initializer="uniform", name="hidden")(tensor)
    last = layers.Dense(3, name="last")
    model = keras.Model(image, layers.UpSampling2D(2)(last(tensor)))
    # So that each class is predicted somewhere: as often as the others on what `images` has.
    hidden = model.get_layer("hidden").output
    cells = keras.Model(image, last(hidden))(some_images()).numpy()
    last.bias.assign(-np.median(cells, axis=(0, 1, 2)))
    return model


@pytest.fixture
def images():
    return some_images()


def twin(model, image, class_id, mask):
    """Seg-Grad-CAM by finite differences in float64."""
    kernel, bias = model.get_layer("features").get_weights()
    (w1, b1), (w2, b2) = (
        [w.astype(float) for w in model.get_layer(n).get_weights()] for n in ("hidden", "last")
    )

    def of_features(features):
        cells = np.tanh(features @ w1 + b1) @ w2 + b2
        return pixel_sum(cells.repeat(2, axis=0).repeat(2, axis=1), class_id, mask)[0]

    return grad_cam(convolution_relu(image, kernel, bias, 2), of_features)


def test_seg_grad_cam_equals_finite_differences_without_a_new_trace(segmenter, images):
    explainer, rng = GradCAM(segmenter, layer="features"), np.random.default_rng(0)
    for classes in ([2, 0], [1, 1]):
        masks = rng.random((2, 8, 10)) > 0.7
        expected = [twin(segmenter, images[i], classes[i], masks[i]) for i in range(2)]
        assert max(x.max() for x in expected) > 1e-2
        np.testing.assert_allclose(
            explainer.raw(images, SegmentationPixels(classes, masks)), expected, atol=1e-4
        )
    (function,) = explainer._functions.values()
    assert function.experimental_get_tracing_count() == 1


def test_predicted_pixels_are_those_of_the_highest_score(segmenter, images):
    predicted = segmenter(images).numpy().argmax(axis=-1)
    class_id = int(np.bincount(predicted.ravel()).argmax())
    assert 0 < (predicted == class_id).sum() < predicted.size
    explainer = HiResCAM(segmenter, layer="features")
    given = explainer.raw(images, SegmentationPixels(class_id, predicted == class_id))
    np.testing.assert_allclose(explainer.raw(images, SegmentationPixels(class_id)), given, atol=1e-5)
    assert (
        np.abs(given - explainer.raw(images, SegmentationPixels(class_id, np.ones((8, 10), bool)))).max()
        > 1e-3
    )


def test_only_the_cells_of_the_pixels_speak(segmenter, images):
    mask = np.zeros((8, 10), bool)
    mask[2:4, 4:8] = True  # cells (1, 2) and (1, 3)
    map_ = np.abs(
        HiResCAM(segmenter, layer="features").raw(images, [SegmentationPixels(c, mask) for c in range(3)])
    )
    cells = map_.max(axis=(0, 1))
    assert cells[1, 2:4].min() > 0 and cells[1, 2:4].sum() == cells.sum()


def test_softmax_at_the_end_is_looked_through(segmenter, images):
    ended = keras.Model(segmenter.input, layers.Softmax()(segmenter.output))
    target = SegmentationPixels(1, np.ones((8, 10), bool))
    expected = HiResCAM(segmenter, layer="features").raw(images, target)
    np.testing.assert_allclose(HiResCAM(ended, layer="features").raw(images, target), expected, atol=1e-5)
    of_probabilities = SegmentationPixels(1, np.ones((8, 10), bool), logits=False)
    assert np.abs(HiResCAM(ended, layer="features").raw(images, of_probabilities) - expected).max() > 1e-3


ONES = np.ones((8, 10), bool)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            lambda: SegmentationPixels(3),
            "`class_id` must be from 0 to 2, since the output has 3 classes; got 3",
        ),
        (lambda: SegmentationPixels(-1), "`class_id` must be a whole number from 0"),
        (lambda: SegmentationPixels([[0, 1]]), "give a list of targets"),
        (
            lambda: SegmentationPixels(0, ONES[:7]),
            r"`mask` must be \(8, 10\) .height, width., like .*got \(7, 10\)",
        ),
        (
            lambda: SegmentationPixels(0, np.stack([ONES, 0 * ONES])),
            "no pixel in 1 of 2 images .first: number 1.",
        ),
        (lambda: SegmentationPixels(0, ONES[0]), r"`mask` must be \(H, W\) or \(B, H, W\)"),
        (lambda: SegmentationPixels(0, 2 * ONES), "for a mask of class ids give `mask == class_id`"),
        (lambda: SegmentationPixels(0, np.stack([ONES] * 3)), "one for each of the 2 images"),
        (lambda: SegmentationPixels(0, reduction="max"), "`reduction` must be sum or mean; got 'max'"),
    ],
)
def test_wrong_classes_and_masks(segmenter, images, target, message):
    with pytest.raises(InputError, match=message):
        GradCAM(segmenter, layer="features").raw(images, target())


def test_outputs_that_are_no_segmenters(images):
    with pytest.raises(InputError, match=r"needs an output \(batch, height, width, classes\).*ClassScores"):
        GradCAM(small_classifier()).raw(images, SegmentationPixels(0))
    image = keras.Input((9, 11, 3))
    binary = keras.Model(image, layers.Conv2D(1, 1)(layers.Conv2D(2, 3, name="features")(image)))
    with pytest.raises(InputError, match=r"an output of one class .* give the pixels to explain as `mask`"):
        GradCAM(binary, layer="features").raw(images, SegmentationPixels(0))
    assert GradCAM(binary, layer="features").raw(
        images, SegmentationPixels(0, np.ones((7, 9), bool))
    ).shape == (2, 7, 9)
