"""What every explainer checks and promises: shapes, targets, one trace a shape, names."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.networks import small_classifier

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.explainers.cam import CAM
from wsseg.explainers.eigen_cam import EigenCAM
from wsseg.explainers.grad_cam import GradCAM
from wsseg.explainers.hires_cam import HiResCAM
from wsseg.explainers.targets import ClassScores, Target, present_classes


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 1, (2, 9, 11, 3)).astype("float32")


@pytest.mark.parametrize("method", [CAM, GradCAM])
def test_range_and_shapes(images, method):
    explainer = method(small_classifier())
    single, several = explainer(images, [0, 1]), explainer(images, [[0, 1, 2], [1, 2, -1]])
    assert single.shape == (2, 9, 11) and several.shape == (2, 3, 9, 11)
    assert explainer.raw(images, [0, 1]).shape == (2, 4, 5)
    assert explainer.raw(images, [[0, 1, 2]] * 2).shape == (2, 3, 4, 5)
    for maps in (single, several):
        assert maps.dtype == np.float32 and maps.min() == 0 and maps.max() <= 1
    peaks = several.max(axis=(2, 3))
    assert set(np.round(peaks.ravel(), 6)) <= {0.0, 1.0}
    np.testing.assert_allclose(several[0, 0], single[0], atol=1e-6)
    assert peaks[1, 2] == 0  # -1


def test_eight_bit_and_float_images_are_the_same():
    images = np.random.default_rng(0).integers(0, 256, (1, 9, 9, 3), np.uint8)
    explainer = GradCAM(small_classifier())
    np.testing.assert_array_equal(
        explainer(images, [0]), explainer(images.astype("float64"), np.array([0], np.uint8))
    )


def test_an_image_is_explained_by_itself(images):
    explainer = GradCAM(small_classifier())
    both = explainer.raw(images, [0, 1])
    np.testing.assert_allclose(both[0], explainer.raw(images[:1], [0])[0], atol=1e-6)


@pytest.mark.parametrize("method", [CAM, GradCAM])
def test_one_trace_a_shape_at_most(method):
    explainer = method(small_classifier())
    for _ in range(2):
        for size in (9, 13, 17, 21):
            explainer.raw(np.zeros((2, size, size, 3)), [[0, 1]] * 2)
    # Keras' sizes of None: from the second shape on one trace serves all.
    (function,) = explainer._functions.values()
    assert function.experimental_get_tracing_count() <= 2


@pytest.mark.parametrize(
    ("images", "targets", "message"),
    [
        (np.zeros((9, 9, 3)), [0], r"must be \(B, H, W, 3\); got \(9, 9, 3\); add a batch axis"),
        (np.zeros((1, 9, 9, 4)), [0], r"must be \(B, H, W, 3\)"),
        (np.zeros((2, 9, 9, 3)), [0], r"each of the 2 images; got \(1, 1\); .* ClassScores"),
        (
            np.zeros((3, 9, 9, 3)),
            ClassScores([0, 1]),
            r"one row, or one for each of the 3 images; got \(2, 1\)",
        ),
        (np.zeros((1, 9, 9, 3)), lambda y: y[:, :, None], r"\(B, T\); it gave \(1, 3, 1\)"),
        (np.zeros((1, 9, 9, 3)), [[[0]]], r"must be \(B,\) or \(B, T\)"),
        (np.zeros((1, 9, 9, 3)), [3], "from 0 to 2; got 3 to 3"),
        (np.zeros((1, 9, 9, 3)), [-2], "from 0 to 2; got -2"),
        (np.zeros((1, 9, 9, 3)), [0.7], "class indices .integers. or callables.*; got float64"),
        (np.zeros((1, 9, 9, 3)), ["cat"], "the name 'cat', but the model knows no names of its classes"),
    ],
)
def test_wrong_images_and_targets(images, targets, message):
    with pytest.raises(InputError, match=message):
        GradCAM(small_classifier())(images, targets)


def test_wrong_size_for_a_fixed_model():
    explainer = GradCAM(small_classifier((9, 11)))
    with pytest.raises(InputError, match=r"must be \(9, 11\).*got \(9, 12\).*width differs"):
        explainer(np.zeros((1, 9, 12, 3)), [0])


def test_layer_option_and_names():
    model = small_classifier()
    assert explainers.create("grad_cam", model=model, layer="features").layer == "features"
    with pytest.raises(InputError, match="did you mean `features`"):
        explainers.create("grad_cam", model=model, layer="feature")
    with pytest.raises(InputError, match="unknown explainer `gradcam`; did you mean `grad_cam`"):
        explainers.create("gradcam", model=model)


def test_a_class_for_all_images(images):
    explainer = GradCAM(small_classifier())
    for same in (ClassScores([2]), lambda logits: logits[:, 2]):
        np.testing.assert_array_equal(explainer.raw(images, same), explainer.raw(images, [2, 2]))


def test_list_of_callables_and_one_that_gives_several_scores(images):
    explainer = GradCAM(small_classifier())
    expected = explainer.raw(images, [[0, 2]] * 2)
    several = [ClassScores([0]), lambda logits: logits[:, 2]]
    np.testing.assert_allclose(explainer.raw(images, several), expected, atol=1e-6)
    found = explainer.raw(images, lambda logits: keras.ops.stack([logits[:, 0], logits[:, 2]], axis=1))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_function_gets_the_models_own_output(images):
    logits = small_classifier()
    model = keras.Model(logits.input, keras.ops.softmax(logits.output))
    probability = GradCAM(model).raw(images, lambda output: output[:, 1])
    expected = GradCAM(logits).raw(images, lambda output: keras.ops.softmax(output)[:, 1])
    np.testing.assert_allclose(probability, expected, atol=1e-7)
    np.testing.assert_allclose(
        GradCAM(model).raw(images, ClassScores([1], logits=False)), expected, atol=1e-7
    )
    assert np.abs(GradCAM(model).raw(images, [1, 1]) - expected).max() > 1e-3


class Weighted(Target):
    """A weighted sum of the logits, the weights an array of the image's own."""

    def __init__(self, weights):
        self.arrays = (np.asarray(weights, "float32"),)

    def scores(self, outputs, weights):
        return keras.ops.sum(outputs * weights, axis=1)


def test_other_values_of_a_target_need_no_new_trace(images):
    explainer = HiResCAM(small_classifier())
    each = explainer.raw(images, [[0, 1, 2]] * 2)
    for weights in ([[1, 2, -3], [0, 0, 5]], [[0, 1, 0], [1, 1, 1]]):
        expected = np.einsum("bthw,bt->bhw", each, np.array(weights, float))
        np.testing.assert_allclose(explainer.raw(images, Weighted(weights)), expected, atol=1e-5)
    assert [f.experimental_get_tracing_count() for f in explainer._functions.values()] == [1, 1]


def test_present_classes(images):
    targets = present_classes([[0, 1, 0], [1, 0, 1]])
    assert targets.tolist() == [[1, -1], [0, 2]]
    assert present_classes(np.zeros((2, 3))).tolist() == [[-1], [-1]]
    maps = GradCAM(small_classifier())(images, targets)
    assert maps.shape == (2, 2, 9, 11) and not maps[0, 1].any()
    with pytest.raises(InputError, match=r"`labels` must be \(B, K\)"):
        present_classes([0, 1])


def test_images_and_maps_that_are_no_numbers_are_refused(images):
    model = small_classifier()
    with pytest.raises(InputError, match="image 1 of the batch holds NaN"):
        spoilt = images.copy()
        spoilt[1, 4, 4] = np.nan
        GradCAM(model)(spoilt, [0, 1])
    model.get_layer("logits").kernel.assign(np.full((4, 3), [1, np.nan, 1]))
    for method in (CAM, GradCAM, HiResCAM):
        with pytest.raises(
            InputError, match=r"of 2 images .first: number .*. at layer `features` are not finite"
        ):
            explainer_of(method, model)(images, [0, 1])


def explainer_of(method, model):
    """CAM refuses such a head when it is made: its weights are spoilt after."""
    if method is not CAM:
        return method(model)
    kernel = model.get_layer("logits").kernel
    values = kernel.numpy()
    kernel.assign(np.ones_like(values))
    explainer = CAM(model)
    explainer.weights = tf.constant(values)
    kernel.assign(values)
    return explainer


class Own(keras.Model):
    """What `small_classifier` computes, without a graph."""

    def __init__(self, functional):
        super().__init__()
        self.features, self.logits = functional.get_layer("features"), functional.get_layer("logits")

    def call(self, images):
        return self.logits(keras.ops.mean(self.features(images), axis=(1, 2)))


@pytest.mark.parametrize("method", [GradCAM, HiResCAM, EigenCAM])
def test_subclassed_model_with_a_named_layer(images, method):
    functional = small_classifier()
    explainer, expected = method(Own(functional), layer="features"), method(functional)
    for targets in ([1, 2], [[0, 1, -1], [2, 1, 0]], lambda logits: logits[:, 0]):
        np.testing.assert_allclose(explainer.raw(images, targets), expected.raw(images, targets), atol=1e-5)
    assert "call" not in vars(functional.get_layer("features"))  # the model is as it was
    with pytest.raises(InputError, match="from 0 to 2; got 0 to 3"):
        explainer.raw(images, [3, 0])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (None, "subclassed Own: name the layer to explain with `layer=`; choose one of: features, logits"),
        ("feature", "subclassed Own: no layer `feature`; did you mean `features`"),
        ("logits", r"`logits` gives .*3.*, which has no height and width"),
    ],
)
def test_subclassed_model_and_a_wrong_layer(images, layer, message):
    with pytest.raises(InputError, match=message):
        GradCAM(Own(small_classifier()), layer=layer)(images, [0, 1])
