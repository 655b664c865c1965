import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.palette import colourise, voc_palette


def test_colours_that_voc_publishes():
    """The 20 classes of VOC 2012 in the order of the development kit, and 255."""
    palette = voc_palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    published = [
        (0, 0, 0),
        (128, 0, 0),
        (0, 128, 0),
        (128, 128, 0),
        (0, 0, 128),
        (128, 0, 128),
        (0, 128, 128),
        (128, 128, 128),
        (64, 0, 0),
        (192, 0, 0),
        (64, 128, 0),
        (192, 128, 0),
        (64, 0, 128),
        (192, 0, 128),
        (64, 128, 128),
        (192, 128, 128),
        (0, 64, 0),
        (128, 64, 0),
        (0, 192, 0),
        (128, 192, 0),
        (0, 64, 128),
    ]
    assert palette[:21].tolist() == [list(colour) for colour in published]
    assert palette[255].tolist() == [224, 224, 192]


def test_all_colours_differ():
    assert len(np.unique(voc_palette(), axis=0)) == 256


def test_changing_the_result_changes_nothing_else():
    voc_palette()[0] = 9
    assert voc_palette()[0].tolist() == [0, 0, 0]


def test_colourise():
    coloured = colourise(np.array([[0, 15], [255, 1]], np.int64))
    assert coloured.dtype == np.uint8
    assert coloured.tolist() == [[[0, 0, 0], [192, 128, 128]], [[224, 224, 192], [128, 0, 0]]]


@pytest.mark.parametrize(
    "mask", [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2)), np.array([[256]]), np.array([[-1]])]
)
def test_wrong_masks(mask):
    with pytest.raises(InputError, match="`mask` must"):
        colourise(mask)
