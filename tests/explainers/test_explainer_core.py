"""What every explainer checks and promises: shapes, targets, one trace a shape, names."""

import numpy as np
import pytest
from examples.networks import small_classifier

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.explainers.cam import CAM
from wsseg.explainers.grad_cam import GradCAM


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
    assert explainer._function.experimental_get_tracing_count() <= 2


@pytest.mark.parametrize(
    ("images", "targets", "message"),
    [
        (np.zeros((9, 9, 3)), [0], r"must be \(B, H, W, 3\); got \(9, 9, 3\); add a batch axis"),
        (np.zeros((1, 9, 9, 4)), [0], r"must be \(B, H, W, 3\)"),
        (np.zeros((2, 9, 9, 3)), [0], r"with B = 2; got \(1, 1\)"),
        (np.zeros((1, 9, 9, 3)), 0, r"with B = 1; got \(\)"),
        (np.zeros((1, 9, 9, 3)), [[[0]]], "with B = 1"),
        (np.zeros((1, 9, 9, 3)), [3], "from 0 to 2; got 3 to 3"),
        (np.zeros((1, 9, 9, 3)), [-2], "from 0 to 2; got -2"),
        (np.zeros((1, 9, 9, 3)), [0.7], "class indices .integers.; got float64"),
        (np.zeros((1, 9, 9, 3)), ["cat"], "class indices .integers."),
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
