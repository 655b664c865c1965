"""Targets in every form that a user may give, and scores of every form that a function may return."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from examples.networks import small_classifier

from wsseg import explainers
from wsseg.errors import InputError
from wsseg.explainers.targets import ClassScores, present_classes

IMAGES = np.random.default_rng(0).uniform(0, 1, (2, 9, 11, 3)).astype("float32")


@pytest.fixture(scope="module")
def explainer():
    return explainers.create("hires_cam", model=small_classifier())


@pytest.fixture(scope="module")
def every(explainer):
    """The maps of all three classes, `(2, 3, h, w)`."""
    return explainer.raw(IMAGES, np.array([[0, 1, 2]] * 2))


@pytest.mark.parametrize(
    "given", [2, np.int64(2), np.array(2), tf.constant(2), [2, 2], (2, 2), ClassScores([2])]
)
def test_one_class_for_all(explainer, every, given):
    np.testing.assert_allclose(explainer.raw(IMAGES, given), every[:, 2], atol=1e-6)


@pytest.mark.parametrize(
    "given",
    [(0, 2), np.uint8([0, 2]), tf.constant([0, 2]), [tf.constant(0), np.int64(2)], np.array([0, 2], object)],
)
def test_a_class_for_each(explainer, every, given):
    np.testing.assert_allclose(explainer.raw(IMAGES, given), every[[0, 1], [0, 2]], atol=1e-6)


@pytest.mark.parametrize(
    "given", [[[0, 2], [1]], ([0, 2], (1,)), np.array([[0, 2], [1]], object), tf.ragged.constant([[0, 2], [1]]),
              [np.array([0, 2]), np.array([1])], [[0, 2], [1, -1]]],
)  # fmt: skip
def test_rows_of_different_lengths(explainer, every, given):
    found = explainer.raw(IMAGES, given)
    np.testing.assert_allclose(found[0], every[0, [0, 2]], atol=1e-6)
    np.testing.assert_allclose(found[1], [every[1, 1], np.zeros_like(every[1, 1])], atol=1e-6)


def test_no_target_is_the_top_class(explainer, every):
    top = explainer.network.model(IMAGES).numpy().argmax(axis=1)
    np.testing.assert_array_equal(explainer.targets_of(IMAGES), top)
    np.testing.assert_allclose(explainer.raw(IMAGES), every[[0, 1], top], atol=1e-6)
    np.testing.assert_array_equal(explainer(IMAGES), explainer(IMAGES, top))
    for method, options in {"rise": {"samples": 4, "cells": 3}, "integrated_gradients": {"steps": 2}}.items():
        other = explainers.create(method, model=explainer.network.model, **options)
        np.testing.assert_array_equal(other(IMAGES), other(IMAGES, top))
    maps = keras.Sequential([keras.Input((9, 11, 3)), keras.layers.Conv2D(2, 1), keras.layers.Conv2D(3, 1)])
    with pytest.raises(InputError, match="`targets` is None, which stands for the top class"):
        explainers.create("grad_cam", model=maps).raw(IMAGES)


def test_names_of_classes(every):
    model = small_classifier()
    model.class_names = ["cat", "dog", "owl"]
    explainer = explainers.create("hires_cam", model=model)
    np.testing.assert_allclose(explainer.raw(IMAGES, ["owl", "cat"]), every[[0, 1], [2, 0]], atol=1e-6)
    np.testing.assert_allclose(explainer.raw(IMAGES, "dog"), every[:, 1], atol=1e-6)
    np.testing.assert_allclose(explainer.raw(IMAGES, [["owl"], ["cat", "dog"]])[1], every[1, :2], atol=1e-6)
    with pytest.raises(InputError, match="no class is called 'dgo'; did you mean `dog`"):
        explainer.raw(IMAGES, ["owl", "dgo"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("cat", "the model knows no names of its classes"),
        (True, "class indices .*; got bool"),
        ([True, False], "class indices .*; got bool"),
        (np.array([[True, False, True], [False, True, True]]), "present_classes"),
        (np.eye(3)[[0, 2]], "present_classes"),
        ([[0, 1, 0], [1, 1, 0]], "seems to be labels; give `present_classes"),
        ([0.0, 1.0], "class indices .*; got float64"),
        (float("nan"), "class indices .*; got float64"),
        ([None, 1], "got object"),
        ([2**32, 0], "must be class indices; got 0 to 4294967296"),
        ([2**70, 0], "`targets` must be class indices"),
        ([3, 0], "from 0 to 2; got 0 to 3"),
        ([-2, 0], "from 0 to 2; got -2 to 0"),
        ([0, [1, 2]], "one class for each image, or a list of classes for each"),
        ([[], []], "holds no class"),
        ([], "one row for each of the 2 images"),
        ([[0], [1, 2], [1]], "one row for each of the 2 images"),
        ({"a": 1}, "in the order of the images; got a dict"),
        ({0, 1}, "in the order of the images; got a set"),
        (iter([0, 1]), "`targets` must be class indices"),
    ],
)
def test_what_is_no_target(explainer, given, message):
    with pytest.raises(InputError, match=message):
        explainer.raw(IMAGES, given)


def test_labels_that_are_classes_in_another_order_are_taken(explainer, every):
    np.testing.assert_allclose(explainer.raw(IMAGES, [[2, 1, 0]] * 2), every[:, ::-1], atol=1e-6)
    np.testing.assert_allclose(
        explainer.raw(IMAGES, present_classes([[0, 1, 1]] * 2)), every[:, 1:], atol=1e-6
    )


def test_one_score_has_one_class():
    explainer = explainers.create("grad_cam", model=small_classifier(classes=1))
    with pytest.raises(InputError, match=r"from 0 to 0; got 1 to 1; .* Negated"):
        explainer.raw(IMAGES, 1)


def test_lists_of_scores(explainer, every):
    found = explainer.raw(IMAGES, lambda o: [o[0, 0], o[1, 2]])
    np.testing.assert_allclose(found, every[[0, 1], [0, 2]], atol=1e-6)
    for several in (
        lambda o: [o[:, 0], o[:, 2]],
        lambda o: (o[:, 0], o[:, 2]),
        lambda o: tf.stack([o[:, 0], o[:, 2]], 1),
    ):
        np.testing.assert_allclose(explainer.raw(IMAGES, several), every[:, [0, 2]], atol=1e-6)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda o: None, "one score per image.*it gave None"),
        (lambda o: tf.reduce_sum(o), r"one score per image.*it gave \(\)"),
        (lambda o: 3.0, r"one score per image.*it gave \(\)"),
        (lambda o: o[0], r"it gave 3 rows for 2 rows of the output"),
        (lambda o: o[:, :, None], r"it gave \(2, 3, 1\)"),
        (lambda o: [], r"it gave \[\]"),
        (lambda o: {"a": o[:, 0]}, "it gave {'a'"),
        (lambda o: [o[:, 0], o[0, 0]], "one score per image"),
        (lambda o: ["a", "b"], "one score per image|does not depend"),
        (lambda o: o["main"], "function given as `targets` failed on the model's outputs, .*TypeError"),
        (lambda o: np.asarray(o)[:, 0], "function given as `targets` failed"),
        (lambda: 0, "function given as `targets` failed .*TypeError"),
        (lambda o: tf.argmax(o, axis=1), "has no gradient either"),
    ],
)
def test_scores_that_are_none(explainer, function, message):
    with pytest.raises(InputError, match=message):
        explainer.raw(IMAGES, function)


def test_scores_by_position_need_the_images_alone():
    explainer = explainers.create("occlusion", model=small_classifier((9, 11)))
    with pytest.raises(InputError, match="it gave 2 rows for"):
        explainer.raw(IMAGES, lambda o: [o[0, 0], o[1, 2]])
