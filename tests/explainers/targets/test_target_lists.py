"""Targets in lists: each keeps its own absences and bounds; and bounds hold for every call, not the first alone."""

import keras
import numpy as np
import pytest
from examples.networks import small_classifier
from keras import layers

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.explainers.targets import CaptionToken, ClassScores, Negated, SegmentationPixels

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 32, 48, 3)).astype("float32")


@pytest.fixture(scope="module")
def model():
    return small_classifier(classes=3)


@pytest.mark.parametrize("method", ["grad_cam", "eigen_cam", "occlusion", "integrated_gradients"])
def test_a_class_that_an_image_has_not_has_no_map_in_a_list_either(model, method):
    options = {"occlusion": {"window": 16, "stride": 16}, "integrated_gradients": {"steps": 2}}.get(
        method, {}
    )
    explainer = explainers.create(method, model, **options)
    maps = explainer(
        IMAGES, [ClassScores([1, -1]), ClassScores([[0, 2], [-1, 2]]), lambda scores: scores[:, 0]]
    )
    assert maps.shape == (2, 4, 32, 48)
    assert not maps[1, 0].any() and not maps[1, 1].any()
    assert maps.any(axis=(2, 3)).sum() >= 2
    np.testing.assert_allclose(maps[:, 1:3], explainer(IMAGES, [[0, 2], [-1, 2]]), atol=1e-5)


def test_a_list_takes_one_score_an_image_of_each():
    with pytest.raises(InputError, match="must give one score per image; one gives 2"):
        explainers.create("grad_cam", small_classifier())(IMAGES, [lambda x: x[:, :2], ClassScores([0])])


def test_bounds_hold_for_every_call(model):
    explainer = explainers.create("grad_cam", model)
    explainer(IMAGES, [ClassScores([0])])
    explainer(IMAGES, Negated(ClassScores([0])))
    for target in ([ClassScores([7])], Negated(ClassScores([7])), [Negated(ClassScores([-2]))]):
        with pytest.raises(InputError, match="class indices from 0 to 2"):
            explainer(IMAGES, target)


def test_bounds_of_pixels_and_words_hold_after_a_first_good_call():
    image = layers.Input((32, 48, 3))
    features = layers.Conv2D(4, 3, 4, "same", activation="relu")(image)
    segmenter = keras.Model(image, layers.UpSampling2D(4)(layers.Conv2D(3, 1)(features)))
    explainer = explainers.create("grad_cam", segmenter)
    explainer(IMAGES, SegmentationPixels(2, np.ones((32, 48), bool)))
    with pytest.raises(InputError, match="from 0 to 2"):
        explainer(IMAGES, SegmentationPixels(9, np.ones((32, 48), bool)))
    with pytest.raises(InputError, match="mask"):
        explainer(IMAGES, SegmentationPixels(2, np.ones((8, 48), bool)))
    words = layers.Reshape((2, 5))(layers.Dense(10)(layers.GlobalAveragePooling2D()(features)))
    explainer = explainers.create("grad_cam", keras.Model(image, words))
    explainer(IMAGES, CaptionToken(step=1, token=4))
    for step, token in ((1, 9), (9, 1)):
        with pytest.raises(InputError, match="from 0 to"):
            explainer(IMAGES, CaptionToken(step=step, token=token))


def test_of_a_segmenter_the_features_before_its_class_scores_are_explained():
    """So the map depends on the pixels asked for; at the scores themselves it would not."""
    from wsseg import segmenters

    for name in ("deeplab_v3", "pspnet", "fcn_8s"):
        options = {} if name == "fcn_8s" else {"backbone": "mobilenet_0.25"}
        model = segmenters.create(name, num_classes=4, channels=16, **options)
        explainer = explainers.create("grad_cam", model)
        assert explainer.network.feature_channels > 4, name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: explainers.create("grad_cam", model)(IMAGES[:0], []), "at least one image"),
        (
            lambda model: explainers.create("grad_cam", model)(IMAGES, lambda scores: scores[0, 0]),
            "one score per image",
        ),
        (lambda model: Negated(3), "a target or a function"),
        (
            lambda model: explainers.create("integrated_gradients", model, value_range=5),
            "`value_range` must be",
        ),
        (
            lambda model: explainers.create("integrated_gradients", model, value_range=["a", "b"]),
            "`value_range`",
        ),
        (
            lambda model: explainers.create("integrated_gradients", model, steps=2.5),
            "`steps` must be a whole",
        ),
        (
            lambda model: explainers.create("integrated_gradients", model, baseline=["a"]),
            "`baseline` must be",
        ),
        (lambda model: explainers.create("smooth_grad", model, copies="abc"), "`copies` must be"),
        (lambda model: explainers.create("smooth_grad", model, noise="abc"), "`noise` must be"),
    ],
)
def test_wrong_input_is_named(model, call, message):
    with pytest.raises(InputError, match=message):
        call(model)
