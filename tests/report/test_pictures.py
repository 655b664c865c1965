import base64
import io

import numpy as np
import pytest
from PIL import Image

from wsseg.errors import InputError
from wsseg.palette import voc_palette
from wsseg.report.pictures import PICTURE_SIDE, picture_uri


def opened(uri):
    head, content = uri.split(",", 1)
    return head, Image.open(io.BytesIO(base64.b64decode(content)))


def test_mask_comes_through_exactly():
    mask = np.random.default_rng(0).choice([0, 1, 7, 255], (30, 40)).astype(np.uint8)
    head, image = opened(picture_uri(mask))
    assert head == "data:image/png;base64"
    np.testing.assert_array_equal(np.asarray(image), mask)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), voc_palette()[mask])


def test_large_mask_is_made_smaller_without_new_ids():
    mask = np.zeros((900, 500), np.int64)
    mask[300:, 200:] = 12
    _, image = opened(picture_uri(mask))
    assert image.size == (PICTURE_SIDE * 500 // 900, PICTURE_SIDE)
    assert set(np.unique(np.asarray(image))) == {0, 12}


def test_photograph_is_a_jpeg_close_to_itself():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 32:] = 200, 100, 50
    head, image = opened(picture_uri(picture))
    assert head == "data:image/jpeg;base64"
    assert np.abs(np.asarray(image, int) - picture).mean() < 8
    assert opened(picture_uri(np.zeros((10, 1000, 3), np.uint8)))[1].size == (PICTURE_SIDE, 4)


@pytest.mark.parametrize(
    "picture", [np.zeros((3, 3)), np.zeros((3, 3, 3)), np.array([[256]]), np.zeros(3, np.uint8)]
)
def test_wrong_pictures(picture):
    with pytest.raises(InputError, match="a picture must be"):
        picture_uri(picture)
