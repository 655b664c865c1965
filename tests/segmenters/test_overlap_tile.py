"""Overlap-tile inference: hand-worked tiles, mirroring, and equality with the network on the whole image."""

import keras
import numpy as np
import pytest

from wsseg import segmenters
from wsseg.errors import InputError
from wsseg.segmenters.overlap_tile import overlap_tile


def box_sum(batch):
    """3 x 3 sums without padding: a network with margin 1."""
    size_hw = [side - 2 for side in batch.shape[1:3]]
    return sum(batch[:, y : y + size_hw[0], x : x + size_hw[1]] for y in range(3) for x in range(3))


def random_image(*size_hw):
    return np.random.default_rng(0).uniform(0, 255, (*size_hw, 3)).astype("float32")


@pytest.mark.parametrize("size_hw", [(7, 12), (1, 1), (1, 5), (2, 3), (4, 4), (23, 9)])
@pytest.mark.parametrize("tile", [3, 5, (4, 9)])
def test_equals_the_padded_image_as_a_whole(size_hw, tile):
    image = random_image(*size_hw)
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    found = overlap_tile(box_sum, image, tile, margin=1, batch_size=3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, box_sum(padded[None])[0], rtol=1e-5)


def test_an_image_smaller_than_the_margin_is_mirrored_again_and_again():
    # 0 1 2 mirrored: ... 2 1 0 1 2 1 0 1 2 1 0 ...; each pixel is the sum of the 11 around it.
    image = np.arange(3.0).reshape(1, 3, 1)

    def network(batch):
        return sum(batch[:, 5:-5, x : x + batch.shape[2] - 10] for x in range(11))

    # With 5 to each side: 1 0 1 2 1 [0 1 2] 1 0 1 2 1; the sums of the 11 about 0, 1 and 2:
    assert overlap_tile(network, image, 12, margin=5).ravel().tolist() == [10, 11, 12]


def test_tiles_begin_at_multiples_of_the_stride():
    # The pixel's place in the tile, modulo 4, as the network sees it; a tile of 16 with a margin of 3.
    def place(batch):
        inner = np.arange(16)[3:-3] % 4
        return np.broadcast_to(inner[None, :, None, None], (len(batch), 10, 10, 1))

    found = overlap_tile(place, np.zeros((21, 5, 1)), 16, margin=3, stride=4)
    assert found[:, 0, 0].tolist() == [row % 4 for row in range(21)]


def test_one_shape_and_no_more_tiles_than_needed():
    shapes = []

    def network(batch):
        shapes.append(batch.shape)
        return batch[..., :2]

    # 10 of 14 pixels kept: 3 x 2 tiles, in two batches of 4.
    found = overlap_tile(network, random_image(30, 20), 14, margin=2, batch_size=4)
    assert shapes == [(4, 14, 14, 3)] * 2
    np.testing.assert_array_equal(found, random_image(30, 20)[..., :2])


@pytest.fixture(scope="module")
def valid():
    keras.utils.set_random_seed(0)
    return segmenters.create("unet_valid", num_classes=2, channels=2)


def test_tiles_equal_the_network_on_the_whole_image(valid):
    # 1,196 x 796 are the largest legal sides of 1,200 x 800, and the network takes 92 pixels from each border.
    # In what it gives every receptive field is complete: tiles must agree everywhere.
    image = random_image(1200, 800)
    whole = np.asarray(valid.predict_on_batch(image[None, :1196, :796])[0])
    found = overlap_tile(valid, image, 284, batch_size=4)
    assert found.shape == (1200, 800, 2) and whole.shape == (1012, 612, 2)
    assert np.std(whole) > 1e-2
    np.testing.assert_allclose(found[92:-96, 92:-96], whole, rtol=1e-4, atol=1e-4 * np.abs(whole).max())


def test_borders_are_the_networks_on_the_mirrored_image(valid):
    image = random_image(100, 70)
    padded = np.pad(image, ((96, 96), (96, 94), (0, 0)), mode="reflect")[:284, :252]
    whole = np.asarray(valid.predict_on_batch(padded[None])[0])  # its output begins 4 pixels before the image
    found = overlap_tile(valid, image, (204, 236))
    covered = whole[4 : 4 + 96, 4 : 4 + 64]
    np.testing.assert_allclose(found[:96, :64], covered, rtol=1e-4, atol=1e-4 * np.abs(whole).max())


def test_a_padded_network_with_an_overlap():
    keras.utils.set_random_seed(0)
    model = segmenters.create("unet", num_classes=2, channels=1)
    image = random_image(272, 288)
    whole = model.predict_on_batch(image[None])[0]
    # A pixel looks 92 pixels to each side, and up to 15 more to where its coarsest cell begins or ends.
    found = overlap_tile(model, image, 304, margin=112, batch_size=2)
    assert found.shape == (272, 288, 2)
    inside = np.s_[112:-112, 112:-112]
    np.testing.assert_allclose(found[inside], whole[inside], rtol=1e-4, atol=1e-4 * np.abs(whole).max())
    assert np.abs(found - whole).max() > 1e-3  # zeros at one's border, the mirrored image at the other's


def test_bad_input(valid):
    image = random_image(40, 50)
    with pytest.raises(
        InputError, match=r"`unet_valid` can't take images of 200 x 200.*\(188, 188\) or \(204, 204\)"
    ):
        overlap_tile(valid, image, 200)
    with pytest.raises(InputError, match=r"`tile` of 188 pixels leaves 4 pixels of output.*at least 16"):
        overlap_tile(valid, image, 188)
    with pytest.raises(InputError, match="`margin` must be given"):
        overlap_tile(segmenters.create("unet", num_classes=2, channels=1), image, 64)
    with pytest.raises(InputError, match=r"`image` must be \(H, W, C\)"):
        overlap_tile(box_sum, image[None], 8, 1)
    with pytest.raises(InputError, match="`batch_size` must be at least 1; got 0"):
        overlap_tile(box_sum, image, 8, 1, batch_size=0)
    with pytest.raises(InputError, match=r"for tiles of 8 x 8 pixels; with `margin` 2 it must give .* 4 x 4"):
        overlap_tile(box_sum, image, 8, 2)
