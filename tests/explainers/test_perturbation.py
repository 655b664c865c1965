"""What Score-CAM, Ablation-CAM, occlusion and RISE promise alike; each one's formula has a file of its own."""

import inspect

import keras
import numpy as np
import pytest
from examples.explained_models import (
    SubclassedClassifier,
    nested_classifier,
    two_input_classifier,
    two_inputs,
)
from examples.half_precision import needs_half_precision
from examples.networks import small_classifier

from wsseg import progress
from wsseg.errors import InputError
from wsseg.explainers.ablation_cam import AblationCAM
from wsseg.explainers.occlusion import Occlusion
from wsseg.explainers.perturbation import chunk_size
from wsseg.explainers.rise import RISE
from wsseg.explainers.score_cam import ScoreCAM
from wsseg.explainers.targets import ClassScores

METHODS = {
    "score": (ScoreCAM, {}),
    "ablation": (AblationCAM, {}),
    "occlusion": (Occlusion, {"window": 4, "stride": 3}),
    "rise": (RISE, {"samples": 13, "cells": 3}),
}


def assert_near(found, expected):
    """Assert equality but for rounding, which Ablation-CAM's division by a small score magnifies."""
    np.testing.assert_allclose(found, expected, atol=5e-5 * np.abs(expected).max())


def build(name, model, **options):
    method, own = METHODS[name]
    if not method.at_layer:
        options.pop("layer", None)
    return method(model, **own, **options)


@pytest.fixture(scope="module", params=METHODS)
def method(request):
    return request.param


@pytest.fixture(scope="module")
def model():
    return two_input_classifier()


@pytest.fixture(scope="module")
def explainer(method, model):
    return build(method, model)


@pytest.fixture(scope="module")
def each(explainer):
    """Maps of all three classes, `(2, 3, h, w)`."""
    return explainer.raw(two_inputs(), [[0, 1, 2]] * 2)


def test_targets_share_passes_and_equal_one_by_one(explainer, each):
    inputs = two_inputs()
    assert np.abs(each).max(axis=(0, 2, 3)).min() > 1e-3
    together = explainer.raw(inputs, [[2, 0, -1], [1, -1, 2]])
    assert_near(together[0, :2], each[0, [2, 0]])
    assert_near(together[1, [0, 2]], each[1, [1, 2]])
    assert not together[0, 2].any() and not together[1, 1].any()
    assert_near(explainer.raw(inputs, [2, 0]), [each[0, 2], each[1, 0]])
    probability = ClassScores([1], logits=False)
    several = explainer.raw(inputs, [ClassScores([2]), lambda output: output[:, 1], probability])
    assert several.shape == each.shape
    assert_near(several[:, 0], each[:, 2])
    assert_near(several[:, 1], several[:, 2])


def test_an_image_is_explained_by_itself_with_its_own_inputs(explainer, each):
    second = [x[1:] for x in two_inputs()]
    assert_near(explainer.raw(second, [[0, 1, 2]])[0], each[1])
    other_words = explainer.raw([second[0], second[1] + 1], [[0, 1, 2]])[0]
    assert np.abs(other_words - each[1]).max() > 1e-3


def test_size_of_the_chunks_does_not_matter(method, model, explainer, each):
    for size in (1, 4):
        small = build(method, model, batch_size=size)
        assert_near(small.raw(two_inputs(), [[0, 1, 2]] * 2), each)
        shapes = {
            function.experimental_get_tracing_count()
            for key, function in small._functions.items()
            if key != "features"
        }
        assert shapes == {1}


def test_one_trace_a_shape(method, model):
    explainer = build(method, model)
    for batch in (1, 3):
        for targets in ([[0, 1]] * batch, [[2, -1]] * batch):
            explainer.raw(two_inputs(batch), targets)
    assert {f.experimental_get_tracing_count() for f in explainer._functions.values()} == {1}
    for size_hw in ((8, 10), (13, 17)):
        explainer.raw(two_inputs(1, size_hw), [[0, 1]])
    # What differed has become None: now one trace serves all sizes.
    before = [f.experimental_get_tracing_count() for f in explainer._functions.values()]
    for size_hw in ((10, 14), (16, 9)):
        explainer.raw(two_inputs(1, size_hw), [[0, 1]])
    assert [f.experimental_get_tracing_count() for f in explainer._functions.values()] == before
    assert max(before) <= 3


@needs_half_precision
def test_mixed_precision(method):
    images = two_inputs()[0]
    functional = small_classifier((9, 11))
    expected = build(method, functional).raw(images, [[0, 1]] * 2)
    mixed = small_classifier((9, 11), dtype="mixed_float16")
    mixed.set_weights(functional.get_weights())
    found = build(method, mixed).raw(images, [[0, 1]] * 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-2 * np.abs(expected).max())


def test_subclassed_and_nested(method):
    images = two_inputs()[0]
    functional = small_classifier((9, 11))
    expected = build(method, functional).raw(images, [[0, 1]] * 2)
    assert np.abs(expected).max() > 1e-3
    nested = nested_classifier((9, 11), functional)
    assert_near(build(method, nested).raw(images, [[0, 1]] * 2), expected)
    subclassed = SubclassedClassifier(functional)
    found = build(method, subclassed, layer="features").raw(images, [[0, 1]] * 2)
    assert_near(found, expected)


def test_maps_of_the_whole_call(explainer):
    maps = explainer(two_inputs(), [[0, 1, -1]] * 2)
    assert maps.shape == (2, 3, 9, 11) and maps.dtype == np.float32
    assert maps.min() == 0 and not maps[:, 2].any()
    assert set(maps.max(axis=(2, 3)).round(6).ravel()) <= {0.0, 1.0}


def test_model_without_logits_of_its_own_in_eight_bits():
    """Images of integers stay integers: what a mask leaves of a value is rounded."""
    image = keras.Input((9, 11, 3), dtype="uint8")
    inner = small_classifier((9, 11))
    model = keras.Model(image, inner(keras.layers.Rescaling(1 / 255)(image)))
    images = np.random.default_rng(0).integers(0, 256, (1, 9, 11, 3), np.uint8)
    found = build("rise", model).raw(images, [1])
    np.testing.assert_allclose(found, build("rise", inner).raw(images / 255, [1]), atol=5e-3)


def test_score_of_the_whole_batch_is_refused(explainer):
    with pytest.raises(InputError, match=r"it gave 1 rows for \d+ rows of the output"):
        explainer.raw(two_inputs(), lambda output: keras.ops.sum(output[:, 0], keepdims=True))


def test_progress(method, model, monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    inputs = two_inputs()
    build(method, model, progress=False).raw(inputs, [0, 1])
    assert capsys.readouterr().err == ""
    build(method, model, progress=True, batch_size=4).raw(inputs, [0, 1])
    shown = capsys.readouterr().err
    counts = {"score": 5, "ablation": 6, "occlusion": 3 * 4 + 1, "rise": 13}
    # Ablation: five channels are not 0, and the whole; Score-CAM: four vary, and the baseline.
    assert f"{METHODS[method][0].__name__} image 2/2 {counts[method]}/{counts[method]} passes" in shown


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "8"])
def test_wrong_batch_size(method, model, size):
    with pytest.raises(InputError, match="`batch_size` must be a whole number from 1"):
        build(method, model, batch_size=size)


def test_an_explainer_of_the_image_takes_no_layer(model):
    for name in ("occlusion", "rise"):
        with pytest.raises(InputError, match="explains the image itself; remove `layer`"):
            METHODS[name][0](model, layer="features")


@pytest.mark.parametrize("fill", ["grey", [], [[1, 2, 3]], float("nan"), None, object()])
def test_wrong_fill(model, fill):
    for name in METHODS:
        if "fill" in inspect.signature(METHODS[name][0]).parameters:
            with pytest.raises(
                InputError, match='`fill` must be a number, one number per channel, or "mean"'
            ):
                build(name, model, fill=fill)


def test_fill_for_another_number_of_channels(method, model):
    if method != "ablation":
        with pytest.raises(InputError, match="`fill` has 4 values and the image 3 channels"):
            build(method, model, fill=[1, 2, 3, 4]).raw(two_inputs(), [0, 1])


def test_chunks_leave_little_to_fill_up():
    assert [chunk_size(count, 32) for count in (1, 32, 33, 64, 100, 2048)] == [1, 32, 17, 32, 25, 32]
