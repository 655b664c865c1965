"""Erasing by hand, against loops, and its gradient; and the classes whose regions are erased."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layers.layer_checks import check_layer
from references import class_map_heads

from wsseg.classifiers.acol import PredictedClasses
from wsseg.classifiers.erasing import AdversarialErasing

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(0, 1, (3, 4, 6, 5)).astype("float32")
MAPS = RNG.normal(0, 2, (3, 4, 6, 3)).astype("float32")
CLASSES = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], "float32")
SIZES = ((64, 96), (40, 70), (24, 96))


def validity():
    valid = np.zeros((3, 64, 96), "float32")
    for place, (height, width) in enumerate(SIZES):
        valid[place, :height, :width] = 1
    return valid


def test_a_row_of_cells_by_hand():
    """Class 0 goes from -2 to 8: 0.6 of the way is 4. Class 1 goes from 0 to 1: 0.6."""
    maps = np.array([[[[-2, 0.0], [4, 0.59], [3.9, 0.61], [8, 1.0]]]], "float32")
    layer = AdversarialErasing(0.6)
    for classes, erased in (
        ((1, 0), (0, 1, 0, 1)),
        ((0, 1), (0, 0, 1, 1)),
        ((1, 1), (0, 1, 1, 1)),
        ((0, 0), (0,) * 4),
    ):
        found = layer.region(maps, np.array([classes], "float32"))
        assert found.numpy()[0, 0].tolist() == [bool(x) for x in erased], classes
    kept = layer(np.full((1, 1, 4, 2), 3.0), maps, np.array([[1.0, 0.0]]))
    assert kept[0, 0].numpy().tolist() == [[3, 3], [0, 0], [3, 3], [0, 0]]


def test_padding_neither_counts_nor_is_erased():
    """Beyond the first three cells the map is higher and lower than in the image."""
    maps = np.array([[0, 1, 2, 50, -50]], "float32").reshape(1, 1, 5, 1)
    valid = np.zeros((1, 1, 5), "float32")
    valid[..., :3] = 1
    found = AdversarialErasing(0.6).region(maps, np.ones((1, 1)), valid)
    assert found.numpy().ravel().tolist() == [False, False, True, False, False]
    assert not AdversarialErasing(0.6).region(maps, np.ones((1, 1)), 0 * valid).numpy().any()


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("padded", [False, True])
def test_equals_the_loops(threshold, padded):
    valid = validity() if padded else None
    found = AdversarialErasing(threshold)(FEATURES, MAPS, CLASSES, valid).numpy()
    for place, (image, maps) in enumerate(zip(FEATURES, MAPS)):
        inside = class_map_heads.cells_inside((4, 6), (64, 96), SIZES[place]) if padded else None
        region = class_map_heads.erased_region(maps, np.flatnonzero(CLASSES[place]), threshold, inside)
        assert region.any() == (place < 2)
        np.testing.assert_allclose(found[place], image * ~region[..., None])


def test_no_gradient_through_the_region():
    features, maps = tf.Variable(FEATURES), tf.Variable(MAPS)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(AdversarialErasing(0.6)(features, maps, CLASSES) ** 2)
    by_features, by_maps = tape.gradient(total, [features, maps])
    region = AdversarialErasing(0.6).region(MAPS, CLASSES).numpy()
    np.testing.assert_allclose(by_features, 2 * FEATURES * ~region[..., None], rtol=1e-6)
    assert by_maps is None


@pytest.mark.parametrize("inputs", [[FEATURES, MAPS, CLASSES], [FEATURES, MAPS, CLASSES, validity()]])
def test_the_layers_checks(inputs):
    # Sizes unknown until the graph runs are the classifiers' tests': here the classes' number is not one of them.
    check_layer(
        lambda **options: AdversarialErasing(threshold=0.7, **options),
        *inputs,
        as_list=False,
        unknown_size=False,
    )


def test_predicted_classes():
    logits = np.array([[2.0, 0.1, -1.0], [-3.0, -1.0, -2.0], [0.0, 0.5, 3.0]], "float32")
    assert PredictedClasses()(logits).numpy().tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 1]]
    assert PredictedClasses(single_label=True)(logits).numpy().tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    for single in (False, True):
        for row in RNG.normal(0, 1, (20, 4)):
            found = np.flatnonzero(PredictedClasses(single_label=single)(row[None])[0])
            assert set(found) == class_map_heads.predicted(row, single)


def test_predicted_classes_are_restored():
    restored = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(PredictedClasses(single_label=True))
    )
    assert type(restored) is PredictedClasses and restored.single_label
