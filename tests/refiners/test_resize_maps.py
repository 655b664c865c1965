import numpy as np
import pytest
from skimage.transform import resize

from wsseg.errors import InputError
from wsseg.refiners import resize_maps


def test_half_pixel_centres_by_hand():
    # Centres of 2 source pixels at 0.5 and 1.5; of 4 targets at 0.25, 0.75, 1.25, 1.75.
    assert resize_maps(np.array([[[0.0, 1.0]]]), (1, 4)).tolist() == [[[0.0, 0.25, 0.75, 1.0]]]
    assert resize_maps(np.array([[[0.0], [1.0]]]), (4, 1)).ravel().tolist() == [0.0, 0.25, 0.75, 1.0]


@pytest.mark.parametrize("size_hw", [(20, 31), (8, 9), (41, 7), (5, 5)])
def test_equals_scikit_image(size_hw):
    maps = np.random.default_rng(0).random((3, 5, 7)).astype(np.float32)
    expected = [resize(m, size_hw, order=1, mode="edge", anti_aliasing=False) for m in maps]
    np.testing.assert_allclose(resize_maps(maps, size_hw), expected, atol=1e-5)


def test_stays_in_range_and_takes_odd_cases():
    maps = np.ones((2, 3, 3), np.float32)
    assert resize_maps(maps, (17, 29)).max() == 1.0
    assert resize_maps(np.zeros((0, 3, 3)), (6, 5)).shape == (0, 6, 5)
    assert resize_maps(np.full((1, 1, 1), 0.5), (2, 3)).tolist() == [[[0.5] * 3] * 2]


def test_wrong_input():
    with pytest.raises(InputError, match=r"\(C, h, w\)"):
        resize_maps(np.zeros((3, 3)), (6, 6))
    with pytest.raises(InputError, match="size_hw"):
        resize_maps(np.zeros((1, 3, 3)), (0, 6))
