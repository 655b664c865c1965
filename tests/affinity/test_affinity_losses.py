"""Losses of the affinity networks against loops, and what they teach."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from references.affinity_losses import affinity_loss, inter_pixel_loss

from wsseg.affinity.losses import AffinityLoss, InterPixelLoss
from wsseg.affinity.pairs import boundary_affinity, cell_labels
from wsseg.errors import InputError
from wsseg.grid import Grid
from wsseg.refiners.affinity import edge_affinity

EVERY = Grid((1.0, 1.0), (0.0, 0.0))


@pytest.fixture
def labels():
    return (
        np.random.default_rng(0)
        .choice([0, 1, 2, 255], size=(2, 7, 9), p=[0.4, 0.3, 0.2, 0.1])
        .astype("int32")
    )


@pytest.mark.parametrize("radius", [2, 4])
def test_affinity_loss_equals_loops(labels, radius):
    features = np.random.default_rng(1).normal(size=(2, 7, 9, 5)).astype("float32")
    found = float(AffinityLoss(EVERY, radius)(labels, features))
    assert found == pytest.approx(affinity_loss(labels, features.astype(float), radius), rel=1e-4)


@pytest.mark.parametrize("radius", [2, 4])
def test_inter_pixel_loss_equals_loops(labels, radius):
    outputs = np.random.default_rng(1).normal(size=(2, 7, 9, 3)).astype("float32")
    found = float(InterPixelLoss(EVERY, radius)(labels, outputs))
    assert found == pytest.approx(inter_pixel_loss(labels, outputs.astype(float), radius), rel=1e-4)


def test_affinity_of_a_boundary_is_that_of_the_walk():
    boundary = np.random.default_rng(0).random((1, 8, 11)).astype("float32")
    found = boundary_affinity(tf.constant(boundary), 3).numpy()[0]
    inside = edge_affinity(boundary[0], 3)[:, : 8 - 2, 2 : 11 - 2]
    np.testing.assert_allclose(found, inside.reshape(len(inside), -1), atol=1e-6)


def test_an_unknown_image_teaches_nothing():
    outputs = tf.Variable(np.random.default_rng(0).normal(size=(1, 7, 9, 3)).astype("float32"))
    with tf.GradientTape() as tape:
        loss = InterPixelLoss(EVERY, 3)(np.full((1, 7, 9), 255), outputs)
    assert float(loss) == 0
    assert np.abs(tf.convert_to_tensor(tape.gradient(loss, outputs)).numpy()).max() == 0


def test_boundaries_and_displacements_are_learnt_from_labels():
    labels = np.zeros((1, 12, 13), np.int32)
    labels[:, 2:10, 1:9] = 255  # a ring of one cell, where the boundary can lie
    labels[:, 3:9, 2:8] = 1
    outputs = tf.Variable(np.zeros((1, 12, 13, 3), "float32"))
    optimizer, loss = keras.optimizers.Adam(0.3), InterPixelLoss(EVERY, 3)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(labels, outputs)
        optimizer.apply_gradients([(tape.gradient(value, outputs), outputs)])

    for _ in range(300):
        step()
    boundary = 1 / (1 + np.exp(-outputs.numpy()[0, ..., 0]))
    inner = boundary[5:7, 4:6]
    assert inner.max() < 0.1 and boundary[:2].max() < 0.1
    assert (
        boundary[4, 8] > 0.9 and edge_affinity(boundary, 3)[1][4, 7] < 0.1
    )  # two to the right, across the ring
    # All ways in the object end at one place: one cell further right, one more to go to the left.
    way = outputs.numpy()[0, 4:8, 3:7, 1:]
    np.testing.assert_allclose(np.diff(way[..., 1], axis=1), -1, atol=0.1)
    np.testing.assert_allclose(np.diff(way[..., 0], axis=0), -1, atol=0.1)


def test_cells_take_the_label_of_the_pixel_they_look_at():
    masks = np.arange(12)[None, :, None] * 100 + np.arange(16)[None, None]
    cells = np.array(cell_labels(masks, (3, 4), (4.0, 4.0), (1.5, 1.0)))
    assert cells[0, :, 0].tolist() == [201, 601, 1001] and cells[0, 0].tolist() == [201, 205, 209, 213]


def test_a_crop_too_small_for_the_radius_is_refused():
    with pytest.raises(InputError, match="larger crop or a smaller radius"):
        AffinityLoss(EVERY, 5)(np.zeros((1, 8, 8)), np.zeros((1, 8, 8, 2), "float32"))
