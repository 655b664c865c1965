"""Boxes, matching, suppression, losses and pasting, against hand-worked numbers and slow twins."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from references import detection

from wsseg.detectors.anchors import anchors
from wsseg.detectors.boxes import HEAD_VARIANCE, LARGEST_GROWTH, RPN_VARIANCE, decode, encode, pairwise_iou
from wsseg.detectors.inference import pasted
from wsseg.detectors.losses import box_loss, class_loss, mask_loss, objectness_loss
from wsseg.detectors.matching import match, sample
from wsseg.detectors.suppression import suppress
from wsseg.errors import InputError


def random_boxes(random, *shape, side=60):
    corner = random.uniform(0, side, (*shape, 2))
    return np.concatenate([corner, corner + random.uniform(1, side / 2, (*shape, 2))], axis=-1).astype(
        "float32"
    )


def test_anchors_by_hand():
    first, second = anchors((32, 64), (16, 32), (2.0,), (0.5, 2.0))
    assert first.shape == (2 * 4 * 2, 4) and second.shape == (1 * 2 * 2, 4)
    # Around (8, 8): area 32 x 32; half as wide as high, then twice as wide as high.
    narrow, long = 32 / math.sqrt(2), 32 * math.sqrt(2)
    np.testing.assert_allclose(
        first[0], [8 - narrow / 2, 8 - long / 2, 8 + narrow / 2, 8 + long / 2], atol=1e-4
    )
    np.testing.assert_allclose(
        first[1], [8 - long / 2, 8 - narrow / 2, 8 + long / 2, 8 + narrow / 2], atol=1e-4
    )
    np.testing.assert_allclose(
        first[2:4] - first[:2], [[16, 0, 16, 0]] * 2, atol=1e-4
    )  # the next cell of the row
    np.testing.assert_allclose(first[8:10] - first[:2], [[0, 16, 0, 16]] * 2, atol=1e-4)  # the next row
    with pytest.raises(InputError, match="`ratios` must be positive"):
        anchors((32, 32), (16,), (2.0,), (0.0,))


@pytest.mark.parametrize("variance", [RPN_VARIANCE, HEAD_VARIANCE])
def test_offsets_equal_the_twin_and_decode_inverts_them(variance):
    random = np.random.default_rng(0)
    boxes, reference = random_boxes(random, 2, 9), random_boxes(random, 2, 9)
    found = encode(boxes, reference, variance).numpy()
    for b in range(2):
        for i in range(9):
            expected = detection.offsets(boxes[b, i].astype(float), reference[b, i].astype(float), variance)
            np.testing.assert_allclose(found[b, i], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(decode(found, reference, variance, (100, 100)), boxes, rtol=1e-4, atol=1e-3)


def test_decoded_boxes_stay_in_the_image_and_finite():
    wild = np.array([[[0, 0, 500, 500], [9, 9, 0, 0], [-9, 0, 0, 0]]], "float32")
    found = decode(wild, np.tile(np.float32([10, 10, 20, 20]), (1, 3, 1)), RPN_VARIANCE, (50, 80)).numpy()
    assert found[0, 0].tolist() == [0, 0, 80, 50]
    assert found[0, 1].tolist() == [80, 50, 80, 50]
    assert math.exp(LARGEST_GROWTH) == pytest.approx(62.5)


def test_overlap_equals_the_twin():
    random = np.random.default_rng(1)
    boxes, others = random_boxes(random, 2, 6), random_boxes(random, 2, 4)
    others[0, 0] = 0  # filled up
    found = pairwise_iou(boxes, others).numpy()
    expected = [[[detection.iou(a, b) for b in others[i]] for a in boxes[i]] for i in range(2)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("force", [True, False])
def test_matching_equals_the_twin_whatever_fills_the_array_up(force):
    random = np.random.default_rng(2)
    boxes, truth = random_boxes(random, 3, 40), random_boxes(random, 3, 5)
    valid = np.arange(5) < np.array([[5], [2], [0]])
    found = [part.numpy() for part in match(pairwise_iou(boxes, truth), valid, 0.3, 0.5, force)]
    for image in range(3):
        expected = detection.match(boxes[image], truth[image][valid[image]], 0.3, 0.5, force)
        np.testing.assert_array_equal(found[1][image], expected[1])
        np.testing.assert_array_equal(found[2][image], expected[2])
        sure = found[1][image]
        np.testing.assert_array_equal(found[0][image][sure], np.array(expected[0])[sure])
    assert found[1][0].any() and not found[1][2].any() and found[2][2].all()


def test_the_boxes_drawn_are_the_share_asked_for():
    positive = np.zeros((3, 50), bool)
    positive[0, :20] = positive[1, :2] = True
    negative = ~positive
    negative[2] = False
    negative[2, :3] = True
    seed = keras.random.SeedGenerator(1)
    index, chosen, used = (part.numpy() for part in sample(positive, negative, 16, 4, seed))
    assert chosen.sum(axis=1).tolist() == [4, 2, 0]
    assert used.sum(axis=1).tolist() == [16, 16, 3]
    for image in range(3):
        rows = index[image][used[image]]
        assert len(set(rows)) == len(rows)
        np.testing.assert_array_equal(positive[image][rows], chosen[image][used[image]])
        assert (positive | negative)[image][rows].all()
        assert (np.diff(chosen[image].astype(int)) <= 0).all()  # the positives come first
    again = [set(sample(positive, negative, 16, 4, seed)[0].numpy()[0, :4]) for _ in range(30)]
    assert set.union(*map(set, again)) == set(range(20))  # each positive is drawn some time


def test_suppression_equals_the_greedy_twin():
    random = np.random.default_rng(3)
    boxes = random_boxes(random, 4, 60, side=40)
    there = random.random((4, 60)) < 0.9
    groups = random.integers(0, 3, (4, 60))
    for groups_given, jit in ((groups, False), (np.zeros_like(groups), True)):
        run = tf.function(lambda b, t, g: suppress(b, t, 0.4, g), jit_compile=jit)
        found = run(boxes, there, groups_given).numpy()
        for image in range(4):
            expected = detection.suppress(boxes[image], there[image], 0.4, groups_given[image])
            np.testing.assert_array_equal(found[image], expected)


def test_a_chain_is_settled_link_by_link():
    # Each box overlaps its neighbours alone: the first stays, the second goes, the third stays ...
    left = np.arange(12, dtype="float32") * 4
    boxes = np.stack([left, np.zeros(12), left + 10, np.ones(12)], axis=1)[None].astype("float32")
    found = suppress(boxes, np.ones((1, 12), bool), 0.4).numpy()[0]
    assert found.tolist() == [True, False] * 6


def test_losses_by_hand():
    used = np.array([[True, True, False]])
    # Cross-entropies of a sigmoid at 0: log 2 each; the third is not used.
    assert float(
        objectness_loss(np.zeros((1, 3), "float32"), np.array([[True, False, True]]), used)
    ) == pytest.approx(math.log(2))
    logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [1, 1, 1]]], "float32"))
    expected = (math.log(2) + math.log(1 / 0.8)) / 2
    assert float(class_loss(logits, np.array([[0, 1, 2]]), used)) == pytest.approx(expected, rel=1e-5)
    # One positive: a small distance d gives 4.5 d^2, a large one d - 1/18; over two boxes used.
    moves = np.array([[[0.1, 0, 2, 0], [9, 9, 9, 9], [np.inf, 0, 0, 0]]], "float32")
    found = box_loss(moves, np.zeros_like(moves), np.array([[True, False, False]]), used)
    assert float(found) == pytest.approx((4.5 * 0.01 + 2 - 1 / 18) / 2, rel=1e-5)
    masks = np.zeros((1, 2, 2, 2), "float32")
    assert float(mask_loss(masks, masks > 1, np.array([[True, False]]))) == pytest.approx(math.log(2))
    assert float(mask_loss(masks, masks > 1, np.zeros((1, 2), bool))) == 0


def test_pasting_equals_the_twin():
    random = np.random.default_rng(4)
    masks = random.random((6, 7, 7)).astype("float32")
    boxes = np.array(
        [
            [0, 0, 20, 15],
            [3.2, 4.7, 9.9, 6.1],
            [5, 5, 5.4, 5.4],
            [2, 2, 2, 2],
            [-3, -2, 8, 9],
            [15, 9, 33, 22],
        ]
    )
    found = pasted(masks, boxes, (15, 20))
    for drawn, mask, box in zip(found, masks, boxes):
        np.testing.assert_array_equal(drawn, detection.paste(mask, box, (15, 20)))
    assert pasted(np.zeros((0, 28, 28)), np.zeros((0, 4)), (15, 20)).shape == (0, 15, 20)
