import numpy as np
import pytest
from references import instance_scores as loops

from wsseg.errors import InputError
from wsseg.metrics import BoundaryScores, boundary_iou, boundary_region, mask_iou


def ragged(random, count, size_hw=(14, 17)):
    masks = np.zeros((count, *size_hw), bool)
    for mask in masks:
        (top, left), sides = random.integers(0, 8, 2), random.integers(3, 12, 2)
        mask[top : top + sides[0], left : left + sides[1]] = True
        mask &= random.random(size_hw) < 0.98
    return masks


@pytest.mark.parametrize("seed", range(2))
def test_iou_equal_to_counting_pixels(seed):
    random = np.random.default_rng(seed)
    masks, others, crowd = ragged(random, 5), ragged(random, 4), [True, False, False, True]
    expected = [[loops.mask_overlap(m, o, c) for o, c in zip(others, crowd)] for m in masks]
    assert np.ptp(expected) > 0.3
    np.testing.assert_allclose(mask_iou(masks, others, crowd), expected, atol=1e-12)
    expected = [[loops.mask_overlap(m, o, False) for o in others] for m in masks]
    np.testing.assert_allclose(mask_iou(masks, others), expected, atol=1e-12)


def test_none_and_empty_masks():
    empty = np.zeros((2, 3, 4), bool)
    assert mask_iou(empty, empty).tolist() == [[0, 0], [0, 0]]
    assert mask_iou(empty[:0], empty).shape == (0, 2) and boundary_iou(empty, empty[:0]).shape == (2, 0)
    assert boundary_iou(empty, empty).max() == 0


@pytest.mark.parametrize("ratio", [0.02, 0.1, 0.14])
def test_boundary_iou_equal_to_the_loops(ratio):
    random = np.random.default_rng(1)
    masks, others = ragged(random, 4), ragged(random, 3)
    for mask in masks:
        found = {tuple(place) for place in np.argwhere(boundary_region(mask, ratio)).tolist()}
        assert found == loops.boundary_pixels(mask.tolist(), ratio)
    expected = [[loops.boundary_iou(m.tolist(), o.tolist(), ratio) for o in others] for m in masks]
    np.testing.assert_allclose(boundary_iou(masks, others, ratio), expected, atol=1e-12)


def test_boundary_by_hand():
    # A diagonal of 50 and 6 %: d = 3. A 20 x 20 square away from the border keeps an inner 14 x 14.
    masks = np.zeros((1, 30, 40), bool)
    masks[0, 5:25, 10:30] = True
    region = boundary_region(masks, ratio=0.06)[0]
    assert region.sum() == 400 - 14 * 14 and not region[8:22, 13:27].any()
    # Three pixels to the right: rows above and below share 2 * 3 * 17 pixels; the 14 rows between 0 + 0, as the left
    # sides are 10..12 and 13..15, the right ones 27..29 and 30..32.
    moved = np.roll(masks, 3, axis=2)
    assert boundary_iou(masks, moved, 0.06)[0, 0] == pytest.approx(102 / (2 * 204 - 102))
    # The border of the image is a boundary: all of a full image but its inner part.
    full = boundary_region(np.ones((30, 40), bool), 0.06)
    assert full.sum() == 1200 - 24 * 34 and full[0].all() and not full[3, 3]
    assert boundary_region(np.ones((9, 9), bool)).sum() == 81 - 49  # d is at least 1


def test_thin_masks_have_their_plain_iou():
    masks = np.zeros((2, 60, 60), bool)
    masks[0, 10:12, 5:50] = masks[1, 11:13, 5:50] = True
    assert boundary_iou(masks[:1], masks[1:]) == mask_iou(masks[:1], masks[1:]) == pytest.approx(1 / 3)


def test_an_outline_that_is_off_costs_more_than_in_plain_iou():
    masks = np.zeros((2, 100, 100), bool)
    masks[0, 10:90, 10:90] = masks[1, 12:92, 10:90] = True
    assert mask_iou(masks[:1], masks[1:]) > 0.9 > 0.7 > boundary_iou(masks[:1], masks[1:])


def test_classes_of_masks_by_the_loops():
    random = np.random.default_rng(2)
    score, counts = BoundaryScores(4, ratio=0.1), np.zeros((2, 4))
    for _ in range(3):
        truth, prediction = (np.kron(random.integers(0, 3, (3, 4)), np.ones((4, 4), int)) for _ in range(2))
        truth[random.random(truth.shape) < 0.05] = 255
        prediction[random.random(truth.shape) < 0.05] = 255
        score.update(prediction, truth)
        known = truth != 255
        for number in range(4):
            regions = [
                loops.boundary_pixels(((m == number) & known).tolist(), 0.1) for m in (prediction, truth)
            ]
            counts[:, number] += len(regions[0] & regions[1]), len(regions[0] | regions[1])
    result = score.result(["background", "cat", "dog", "cow"])
    expected = counts[0, :3] / counts[1, :3]
    assert result["boundary_iou"]["cow"] is None and expected.min() > 0
    np.testing.assert_allclose(list(result["boundary_iou"].values())[:3], expected)
    assert result["boundary_miou"] == pytest.approx(expected.mean())


def test_a_perfect_mask_scores_one_whatever_it_says_where_the_truth_is_open():
    truth = np.zeros((40, 40), np.uint8)
    truth[8:32, 8:32], truth[10:30, 10:30] = 255, 1  # an open band around the object
    for filled in (0, 1):
        score = BoundaryScores(2)
        score.update(np.where(truth == 255, filled, truth), truth)
        assert score.result(["background", "cat"])["boundary_miou"] == 1
    assert BoundaryScores(1).result(["background"]) == {
        "boundary_miou": None,
        "boundary_iou": {"background": None},
    }


def test_wrong_input():
    masks = np.zeros((1, 3, 4), bool)
    with pytest.raises(InputError, match="of one size"):
        mask_iou(masks, masks[:, :2])
    with pytest.raises(InputError, match="`crowd` must be"):
        mask_iou(masks, masks, crowd=[True, False])
    with pytest.raises(InputError, match="`ratio` must be positive"):
        boundary_iou(masks, masks, ratio=0)
    with pytest.raises(InputError, match="of one size"):
        BoundaryScores(2).update(masks[0], masks[0, :2])
    with pytest.raises(InputError, match=r"id 7; expected 0\.\.1"):
        BoundaryScores(2).update(np.full((2, 2), 7), np.zeros((2, 2), int))
