"""Proposal-wise inference: hand-worked maxima, and equality with a loop over pixels."""

import numpy as np
import pytest
from references import proposals as reference

from wsseg import segmenters
from wsseg.errors import InputError
from wsseg.segmenters.proposals import predict_proposals, proposal_grid


def signed(crops):
    """A network of two classes whose scores have both signs and depend on the neighbours."""
    crops = np.asarray(crops, "float64")
    first = crops[..., 0] - 2 * crops[..., 1] + np.roll(crops[..., 2], 1, axis=1)
    return np.stack([first, 90 - crops[..., 2] + crops.mean(axis=(1, 2, 3), keepdims=True)[..., 0]], axis=-1)


@pytest.mark.parametrize("enlarge", [1.0, 1.2, 1.5])
def test_equals_a_loop_over_pixels(enlarge):
    generator = np.random.default_rng(0)
    image = generator.uniform(0, 255, (21, 34, 3))
    # Inside, over the border, larger than the network's input, and one pixel.
    boxes = np.array([[3, 4, 12, 15], [20, 10, 34, 21], [-4, 2, 30, 18], [7, 0, 8, 1], [0, 0, 34, 21]])
    found = predict_proposals(signed, image, boxes, (10, 14), enlarge=enlarge, batch_size=2)
    expected = reference.predict_proposals(signed, image, boxes, (10, 14), enlarge)
    assert found.shape == (21, 34, 2) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    assert (expected == 0).any() and (expected > 0).any()


def test_maximum_of_maps_that_are_zero_outside():
    # A network that gives a constant for each crop: 10 * (its mean) - 40. Means: 7, 1, and 4 for the whole.
    image = np.full((4, 8, 3), 1.0)
    image[:, :4] = 7.0
    boxes = np.array([[0, 0, 4, 4], [4, 0, 8, 2]])

    def network(crops):
        mean = np.asarray(crops).mean(axis=(1, 2, 3), keepdims=True)
        return 10 * mean - 40 + np.zeros((*crops.shape[:3], 1))

    found = predict_proposals(network, image, boxes, (6, 6), enlarge=1)[..., 0]
    expected = np.zeros((4, 8))
    expected[:, :4] = 30  # max(30, 0 of the other); right of it max(0, -30) above, max(0, 0) below
    np.testing.assert_allclose(found, expected, atol=1e-4)

    whole = np.array([[0, 0, 8, 4]])  # alone it is the network's own output, also where that is negative
    np.testing.assert_allclose(predict_proposals(network, image, whole, (4, 8), 1)[..., 0], 0, atol=1e-4)
    np.testing.assert_allclose(
        predict_proposals(network, image / 2, whole, (4, 8), 1)[..., 0], -20, atol=1e-4
    )
    # With the negative right half beside it every pixel is left out by some box or not below 0 by the other.
    both = np.array([[0, 0, 8, 4], [4, 0, 8, 4]])
    found = predict_proposals(network, image / 2, both, (4, 8), 1)[..., 0]
    np.testing.assert_allclose(found[:, :4], 0, atol=1e-4)  # max(-20, 0)
    np.testing.assert_allclose(found[:, 4:], -20, atol=1e-4)  # max(-20, -35)


def test_crops_are_enlarged_about_their_centre_and_black_outside():
    seen = []

    def network(crops):
        seen.append(np.asarray(crops))
        return crops[..., :1]

    image = np.arange(100.0).reshape(10, 10, 1)
    # 5 x 5 pixels at (2, 2), times 1.2: 6 x 6 from (1.5, 1.5), whose halves round to even: 2 to 8 = 6 pixels.
    predict_proposals(network, image, np.array([[2, 2, 7, 7]]), (6, 6), 1.2, batch_size=1)
    np.testing.assert_array_equal(seen[0][0, ..., 0], image[2:8, 2:8, 0])
    # 10 x 10 times 1.2: one pixel more on each side, and the image is no wider.
    predict_proposals(network, image, np.array([[0, 0, 10, 10]]), (12, 12), 1.2, batch_size=1)
    np.testing.assert_allclose(seen[1][0, 1:-1, 1:-1], image, atol=1e-4)
    assert not seen[1][0, 0].any() and not seen[1][0, :, -1].any()


def test_all_batches_have_one_shape():
    shapes = set()

    def network(crops):
        shapes.add(crops.shape)
        return crops[..., :1]

    predict_proposals(network, np.zeros((40, 30, 3), "uint8"), input_size=(8, 8), batch_size=9)
    assert shapes == {(9, 8, 8, 3)}


def test_grid_of_windows():
    boxes = proposal_grid((40, 80))
    assert len(boxes) == 1 + 9 + 49
    assert boxes[0].tolist() == [0, 0, 80, 40]
    assert boxes[1:4].tolist() == [[0, 0, 40, 20], [20, 0, 60, 20], [40, 0, 80, 20]]
    assert boxes[-1].tolist() == [60, 30, 80, 40]
    # 0.3 of the side with a third of it in common at least: (1 - 0.3) / 0.2 = 3.5, so 4 steps.
    assert len(proposal_grid((100, 100), (0.3,), 1 / 3)) == 25


def test_a_padded_network_of_ours():
    model = segmenters.create("unet", num_classes=2, channels=1)
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype="uint8")
    found = predict_proposals(model, image, np.array([[0, 0, 48, 32]]), (32, 48), enlarge=1, batch_size=1)
    np.testing.assert_allclose(found, model.predict_on_batch(image[None])[0], atol=1e-4)


def test_bad_input():
    image = np.zeros((20, 30, 3))
    identity = np.asarray
    with pytest.raises(InputError, match=r"`boxes_xyxy` must be \(N, 4\)"):
        predict_proposals(identity, image, np.zeros((0, 4)))
    with pytest.raises(InputError, match=r"box 1 is .*expected left < right"):
        predict_proposals(identity, image, np.array([[0, 0, 5, 5], [6, 6, 6, 9]]))
    with pytest.raises(InputError, match=r"box 0 .* inside the image of 30 x 20 \(width x height\)"):
        predict_proposals(identity, image, np.array([[30, 0, 40, 5]]))
    with pytest.raises(InputError, match=r"`enlarge` must be at least 1; got 0\.5"):
        predict_proposals(identity, image, enlarge=0.5)
    with pytest.raises(InputError, match=r"`image` must be \(H, W, C\)"):
        predict_proposals(identity, image[0])
    with pytest.raises(
        InputError, match=r"gives \(8, 9, 8, 3\) for crops of 9 x 9.*use a network with padding"
    ):
        predict_proposals(lambda crops: crops[:, :, :-1], image, input_size=(9, 9))
    with pytest.raises(InputError, match="`fractions` must be in"):
        proposal_grid((10, 10), (2.0,))
    with pytest.raises(InputError, match="`overlap` must be in"):
        proposal_grid((10, 10), overlap=1.0)
