"""U-Net's weights and the boundary loss's distances: against loops, and by hand."""

import numpy as np
import pytest
from references import losses as twins

from wsseg.errors import InputError
from wsseg.losses.border_weights import border_weights
from wsseg.losses.signed_distances import signed_distances

MASK = np.array(
    [
        [0, 1, 1, 0, 0, 0, 2, 2],
        [0, 1, 1, 0, 1, 0, 2, 2],
        [0, 0, 0, 0, 1, 1, 2, 255],
        [255, 0, 1, 0, 0, 0, 0, 255],
        [0, 1, 0, 0, 0, 0, 0, 0],
    ],
    np.uint8,
)


def test_objects_of_the_example():
    assert sorted(len(piece) for piece in twins.objects_of(MASK)) == [1, 1, 3, 4, 5]  # diagonals do not join


@pytest.mark.parametrize("sigma", [1.0, 5.0])
def test_weights_equal_the_loop(sigma):
    found = border_weights(MASK, 10, sigma, [1, 2, 3])
    np.testing.assert_allclose(found, twins.border_weights(MASK, 10, sigma, [1, 2, 3]), rtol=1e-5)
    assert found.dtype == np.float32 and (found[MASK == 255] == 0).all()


@pytest.mark.parametrize("seed", range(6))
def test_weights_of_speckled_masks_equal_the_loop(seed):
    # Many pieces, touching ones of other classes among them, rings, and ignored pixels.
    rng = np.random.default_rng(seed)
    mask = rng.choice([0, 1, 2, 255], (9, 11), p=[0.5, 0.25, 0.2, 0.05])
    if seed % 2:
        mask[1:8, 1:8] = 1
        mask[2:7, 2:7] = seed % 3
        mask[4, 4] = 2
    assert len(twins.objects_of(mask)) > 5
    found = border_weights(mask, 10, 3.0, [1, 2, 3])
    np.testing.assert_allclose(found, twins.border_weights(mask, 10, 3.0, [1, 2, 3]), rtol=1e-5)


def test_balanced_classes_weigh_the_same():
    found = border_weights(MASK, w0=0)
    sums = [found[class_id == MASK].sum() for class_id in (0, 1, 2)]
    assert sums == pytest.approx([(MASK != 255).sum() / 3] * 3, rel=1e-5)


def test_weights_by_hand():
    # Objects 4 pixels apart: between them d1 + d2 is 1 + 4, 2 + 3, 3 + 2, 4 + 1; in them 1 + 5 (a pixel in the first
    # is 1 from what is not of it, and 5 from the second).
    row = np.array([[1, 0, 0, 0, 0, 2]])
    found = border_weights(row, w0=10, sigma=5, class_weights=None)
    gap, inside = 1 + 10 * np.exp(-25 / 50), 1 + 10 * np.exp(-36 / 50)
    np.testing.assert_allclose(found[0], [inside, gap, gap, gap, gap, inside], rtol=1e-5)


def test_fewer_than_two_objects_have_class_weights_only():
    for mask in (np.zeros((3, 3), int), np.eye(3, dtype=int)[:1], np.ones((2, 2), int), np.full((2, 2), 255)):
        assert (border_weights(mask, class_weights=None) == (mask != 255)).all()


def test_bad_weights():
    with pytest.raises(
        InputError, match=r"`class_weights` must have one for each class.*has 2, but a mask has class 2"
    ):
        border_weights(MASK, class_weights=[1, 2])
    with pytest.raises(InputError, match=r"`mask` must be \(H, W\) integers; got \(1, 5, 8\) uint8"):
        border_weights(MASK[None])


def test_distances_equal_the_loop():
    found = signed_distances(MASK, 4)
    np.testing.assert_allclose(found, twins.signed_distances(MASK, 4), rtol=1e-6)
    assert found.shape == (5, 8, 3) and found.dtype == np.float32 and not found[..., 2].any()
    assert found[0, 0, 0] == 1 and found[0, 1, 0] == 0 and found[4, 7, 1] == pytest.approx(np.sqrt(5))


def test_a_class_that_is_everywhere_has_no_boundary():
    assert not signed_distances(np.ones((3, 4), int), 2).any()
