"""Losses on a few pixels, worked out by hand, and against Keras' own where it has one."""

import keras
import numpy as np
import pytest

from wsseg import losses
from wsseg.losses.expansion import rank_pooling


def logits(*probabilities):
    """Return `(1, 1, P, K)` logits of the pixels' probabilities."""
    return np.log(np.array([[probabilities]], "float32"))


def value(name, masks, scores, **options):
    return float(losses.create(name, **options)(np.array([[masks]]), scores))


def test_cross_entropy_is_averaged_over_the_known_pixels_only():
    # -(log 1/2 + log 1/4) / 2 = 1.5 log 2, with or without two ignored pixels; a mean over all four is half of it.
    scores = logits([0.5, 0.5], [0.75, 0.25], [0.9, 0.1], [0.9, 0.1])
    assert value("cross_entropy", [0, 1, 255, 255], scores) == pytest.approx(1.5 * np.log(2), rel=1e-6)
    assert value("cross_entropy", [0, 1], scores[:, :, :2]) == pytest.approx(1.5 * np.log(2), rel=1e-6)


def test_focal_counts_an_easy_pixel_a_hundredth():
    # The paper's example: p_t = 0.9 and gamma = 2 cost a hundred times less than the cross-entropy.
    scores = logits([0.1, 0.9])
    assert value("focal", [1], scores) == pytest.approx(-np.log(0.9) / 100, rel=1e-5)
    assert value("focal", [1], scores, alpha=[0, 3]) == pytest.approx(-3 * np.log(0.9) / 100, rel=1e-5)


def test_focal_equals_keras():
    random = np.random.default_rng(0)
    scores, masks = random.normal(0, 2, (2, 3, 4, 5)).astype("float32"), random.integers(0, 5, (2, 3, 4))
    other = keras.losses.CategoricalFocalCrossentropy(alpha=0.25, gamma=2, from_logits=True)
    found = losses.create("focal", gamma=2, alpha=[0.25] * 5)(masks, scores)
    assert float(found) == pytest.approx(float(other(np.eye(5)[masks], scores)), rel=1e-5)


def test_generalised_cross_entropy_ends():
    scores = logits([0.2, 0.8])
    assert value("generalised_cross_entropy", [0], scores, q=1) == pytest.approx(0.8, rel=1e-6)
    assert value("generalised_cross_entropy", [0], scores, q=1e-4) == pytest.approx(-np.log(0.2), rel=1e-3)
    assert value("generalised_cross_entropy", [0], logits([0.25, 0.75]), q=0.5) == pytest.approx(1, rel=1e-6)


def test_symmetric_cross_entropy():
    # p_y = 1/4: alpha log 4 + beta A-part, 4 * 3/4.
    found = value("symmetric_cross_entropy", [0], logits([0.25, 0.75]), alpha=0.5, beta=2, log_zero=-4)
    assert found == pytest.approx(0.5 * np.log(4) + 2 * 3, rel=1e-6)


def test_bootstrapping():
    scores = logits([0.75, 0.25])
    # Hard: half the label's cost, half that of the class it believes in.
    assert value("bootstrapping", [1], scores, beta=0.5) == pytest.approx(
        (np.log(4) + np.log(4 / 3)) / 2, rel=1e-6
    )
    # Soft, trusting itself alone: the entropy.
    entropy = 0.75 * np.log(4 / 3) + 0.25 * np.log(4)
    assert value("bootstrapping", [1], scores, hard=False, beta=0) == pytest.approx(entropy, rel=1e-6)


def test_dice_weighs_a_small_class_as_a_large_one():
    # Of 100 pixels one is of class 1, and all are called background for sure: Dice 2 * 99 / 199 and 0.
    masks = np.zeros((1, 10, 10), int)
    masks[0, 3, 3] = 1
    sure = np.zeros((1, 10, 10, 2), "float32")
    sure[..., 0] = 100
    found = float(losses.create("dice")(masks, sure))
    assert found == pytest.approx((1 - 198 / 199 + 1) / 2, rel=1e-4)
    # The trap: without `axis`, Keras sums the classes together and sees hardly any error.
    one_hot, probabilities = np.eye(2)[masks], np.eye(2)[np.zeros_like(masks)]
    assert float(keras.losses.Dice()(one_hot, probabilities)) == pytest.approx(0.01, abs=1e-4)


def test_dice_by_hand():
    # p(1) = 1/4 and 3/4, truth 0 and 1: class 1: 2 (3/4) / (1 + 1) = 3/4, class 0 the same.
    assert value("dice", [0, 1], logits([0.75, 0.25], [0.25, 0.75])) == pytest.approx(0.25, rel=1e-5)


def test_dice_with_twice_the_cross_entropy_by_hand():
    scores = logits([0.75, 0.25], [0.25, 0.75], [0.5, 0.5])
    both = 0.25 - 2 * np.log(0.75)  # the third pixel is ignored in both parts
    assert value("dice", [0, 1, 255], scores, cross_entropy=2) == pytest.approx(both, rel=1e-5)


def test_lovasz_of_sure_predictions_is_one_minus_iou():
    masks = np.array([[[0, 0, 1, 1, 1, 2]]])
    found = np.array([0, 1, 1, 1, 2, 2])
    sure = (100 * np.eye(4)[found]).astype("float32")[None, None]
    # IoU: 1/2, 2/4, 1/2; class 3 is absent.
    assert float(losses.create("lovasz_softmax")(masks, sure)) == pytest.approx(0.5, rel=1e-5)


def test_lovasz_between():
    # Class 1 is the second pixel; errors 1/4 (first) and 1/2 (second). Falling: 1/2 of a true pixel: Jaccard loss 1;
    # then the other: still 1. So 1/2 * 1 + 1/4 * 0. Class 0: errors 1/4 (true) and 1/2 (false): falling: the false
    # one: 1 - 1/2, then 1: 1/2 * 1/2 + 1/4 * 1/2 = 3/8. Mean 7/16.
    scores = logits([0.75, 0.25], [0.5, 0.5])
    assert value("lovasz_softmax", [0, 1], scores) == pytest.approx(7 / 16, rel=1e-5)


def test_seeds_of_an_image_share_its_weight():
    # Image 1 has one seed of cost log 2, image 2 three of cost log 4.
    masks = np.array([[[0, 255, 255]], [[0, 0, 0]]])
    scores = np.log(
        np.array([[[[0.5, 0.5]] * 3], [[[0.25, 0.75]] * 3]], "float32"),
    )
    found = float(losses.create("seed")(masks, scores))
    assert found == pytest.approx((np.log(2) + np.log(4)) / 2, rel=1e-6)


def test_published_shares_of_rank_pooling():
    # SEC, section 3.3: on its 41 x 41 map 0.996 gives half of the weight to 10 % of the pixels, 0.999 to 30 %.
    # So of a map that is 1 on that share and 0 elsewhere, half is left; and as much at any other size.
    for side, cells in ((41, None), (41, 1681), (128, 1681)):
        for share, decay in ((0.1, 0.996), (0.3, 0.999)):
            values = np.zeros((1, side * side, 1), "float32")
            values[0, : round(share * side * side)] = 1
            counted = np.ones((1, side * side, 1), "float32")
            assert float(rank_pooling(values, counted, decay, cells)[0, 0]) == pytest.approx(0.5, abs=0.02)


def test_rank_pooling_between_maximum_and_mean():
    values = np.array([[[0.1], [0.7], [0.4]]], "float32")
    counted = np.array([[[1], [0], [1]]], "float32")
    for decay, expected in ((0, 0.4), (1, 0.25), (0.5, (0.4 + 0.5 * 0.1) / 1.5)):
        assert float(rank_pooling(values, counted, decay)[0, 0]) == pytest.approx(expected, rel=1e-6)


def test_expansion_reads_classes_from_masks():
    random = np.random.default_rng(0)
    scores = random.normal(0, 1, (2, 3, 4, 4)).astype("float32")
    masks = np.full((2, 3, 4), 255)
    masks[0, 0, :2], masks[1, 2, 2] = [0, 2], 3
    labels = np.array([[1, 0, 1, 0], [0, 0, 0, 1]])
    whole = losses.create("expansion")
    assert float(whole(masks, scores)) == pytest.approx(float(whole(labels, scores)), rel=1e-6)
    seeds = losses.create("expansion", pool_unknown=False)
    only = scores[0, 0, :2][None, None]
    one = float(seeds(masks[:1], scores[:1]))
    assert one == pytest.approx(float(whole(labels[:1], only)), rel=1e-5)
    assert one != pytest.approx(float(whole(masks[:1], scores[:1])), rel=1e-2)


def test_constraint_vanishes_where_the_crf_agrees():
    q = np.array([[[[0.25, 0.75], [0.5, 0.5]]]])
    loss = losses.create("constrain_to_boundary")
    assert float(loss(q, np.log(q))) == pytest.approx(0, abs=1e-6)
    # 0.25 log(1/2) + 0.75 log(3/2), and 0.
    assert float(loss(q, np.zeros((1, 1, 2, 2)))) == pytest.approx(
        (0.25 * np.log(0.5) + 0.75 * np.log(1.5)) / 2, rel=1e-5
    )


def test_boundary_loss_pays_inside_and_costs_outside():
    loss = losses.create("boundary", alpha=1, cross_entropy=0)
    mask = np.array([[0, 0, 1, 1, 1]])
    target = np.concatenate([mask[..., None], loss.maps(mask, 2)], -1)[None]
    sure = (100 * np.eye(2)[mask]).astype("float32")[None]
    assert float(loss(target, sure)) == pytest.approx((0 - 1 - 2) / 5, rel=1e-5)
    assert float(loss(target, -sure)) == pytest.approx((2 + 1) / 5, rel=1e-5)
    # Symmetric distances would cancel where the network does not know.
    assert float(loss(target, 0 * sure)) == pytest.approx((2 + 1 + 0 - 1 - 2) / 2 / 5, abs=1e-6)


def test_two_heads():
    scores = np.log(np.array([[[[0.5, 0.5, 0.25, 0.75]]]]))
    loss = losses.WithAuxiliary(losses.create("cross_entropy"), 2, weight=0.4)
    found = float(loss(np.array([[[0]]]), scores))
    assert found == pytest.approx(np.log(2) + 0.4 * np.log(4), rel=1e-6)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert float(again(np.array([[[0]]]), scores)) == pytest.approx(found)
    with pytest.raises(
        losses.InputError, match=r"two heads of 2 classes have 4 channels; got 2; train `model.with"
    ):
        loss(np.array([[[0]]]), scores[..., :2])
