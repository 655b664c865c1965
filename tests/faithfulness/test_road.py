import numpy as np
import pytest
from examples.bright_block import block_classifier, block_image, block_mask
from references.faithfulness import imputed

from wsseg.errors import InputError
from wsseg.faithfulness import Road, Scorer
from wsseg.faithfulness.noisy_linear_imputation import impute, linear_system


@pytest.fixture(scope="module")
def scorer():
    return Scorer(block_classifier(), batch_size=4)


def test_imputation_of_4_by_4_pixels_is_the_dense_solution():
    random = np.random.default_rng(0)
    image = random.uniform(0, 255, (4, 4, 3))
    for share in (0.2, 0.5, 0.8):
        removed = random.random((4, 4)) < share
        found = impute(image, removed, noise=0.0)
        np.testing.assert_allclose(found, imputed(image, removed), rtol=1e-5)
        np.testing.assert_array_equal(found[~removed], image[~removed].astype(np.float32))
    only = np.ones((4, 4), bool)
    only[1, 2] = False
    np.testing.assert_allclose(impute(image, only, 0.0), np.broadcast_to(image[1, 2], (4, 4, 3)), rtol=1e-5)


def test_the_equations_by_hand():
    """Two neighbours in the middle of 3 x 4 are removed; each keeps 7 known neighbours and the other one."""
    image = np.arange(12.0).reshape(3, 4, 1)
    removed = np.zeros((3, 4), bool)
    removed[1, 1:3] = True
    matrix, right = linear_system(image, removed)
    np.testing.assert_allclose(matrix.toarray(), [[1, -1 / 6], [-1 / 6, 1]])
    left = (1 + 9 + 4) / 6 + (0 + 2 + 8 + 10) / 12
    np.testing.assert_allclose(right[:, 0], [left, (2 + 10 + 7) / 6 + (1 + 3 + 9 + 11) / 12])
    # A plane solves them: each pixel is the mean of its surroundings.
    np.testing.assert_allclose(impute(image, removed, 0.0), image, rtol=1e-6)


def test_a_corner_has_three_neighbours():
    image = np.zeros((2, 2, 1))
    image[0, 1], image[1, 0], image[1, 1] = 30, 60, 120
    removed = np.array([[True, False], [False, False]])
    # (30 / 6 + 60 / 6 + 120 / 12) / (1 / 6 + 1 / 6 + 1 / 12)
    assert impute(image, removed, 0.0)[0, 0, 0] == pytest.approx(25 / (5 / 12))


def test_noise_is_on_removed_pixels_only():
    image, removed = np.full((20, 20, 3), 100.0), np.zeros((20, 20), bool)
    removed[5:15, 5:15] = True
    found = impute(image, removed, noise=0.02, random=np.random.default_rng(1))
    assert (found[~removed] == 100).all()
    assert found[removed].std() == pytest.approx(0.02 * 255, rel=0.15)
    assert found[removed].mean() == pytest.approx(100, abs=1.5)
    np.testing.assert_array_equal(impute(image, np.zeros((20, 20), bool)), image)


def test_curves_are_the_scores_of_imputed_images(scorer):
    image, values = block_image(), np.random.default_rng(0).random((12, 12))
    measure = Road(scorer, shares=(0.25, 0.5), noise=0.0)
    found = measure.update(image, values, 1)
    places = np.argsort(values.ravel())
    expected = []
    for order in (places[::-1], places):  # the most relevant first, the least relevant first
        for count in (36, 72):
            removed = np.zeros(144, bool)
            removed[order[:count]] = True
            expected.append(float(scorer.model(imputed(image, removed.reshape(12, 12))[None])[0, 1]))
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-5)
    result = measure.result()
    np.testing.assert_allclose(result["morf_curve"] + result["lerf_curve"], expected, atol=1e-5)
    assert result["gap"] == pytest.approx((sum(expected[2:]) - sum(expected[:2])) / 4, abs=1e-6)


def test_a_perfect_map_has_a_gap_and_its_inverse_the_opposite(scorer):
    gaps, accuracy = [], []
    for values in (block_mask(), ~block_mask()):
        measure = Road(scorer, shares=(0.2, 0.5, 0.8))
        for seed in range(2):
            measure.update(block_image(seed), values.astype(float), 1)
        result = measure.result()
        gaps.append(result["gap"])
        accuracy.append((result["morf_accuracy"], result["lerf_accuracy"]))
    assert gaps[0] > 0.1 and gaps[1] == pytest.approx(-gaps[0], abs=0.02)
    assert accuracy[0] == ([0, 0, 0], [1, 1, 1])


def test_wrong_input(scorer):
    for shares in ((), (0.0,), (1.0,), (10,)):
        with pytest.raises(InputError, match=r"`shares` must be in \(0, 1\)"):
            Road(scorer, shares)
    with pytest.raises(InputError, match="`noise`"):
        Road(scorer, noise=-1)
    with pytest.raises(InputError, match="leaves no pixel"):
        impute(np.zeros((2, 2, 3)), np.ones((2, 2), bool))
    with pytest.raises(InputError, match="bool"):
        impute(np.zeros((2, 2, 3)), np.ones((2, 2)))
    measure = Road(scorer)
    with pytest.raises(InputError, match="from 0 to 2; got -1"):
        measure.update(block_image(), np.zeros((12, 12)), -1)
    assert measure.result()["gap"] is None
