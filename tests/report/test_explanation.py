import numpy as np
import pytest
from PIL import Image

from wsseg.errors import InputError
from wsseg.report.explanation import write_sheet


def size(path):
    with Image.open(path) as image:
        return image.size


def test_sheet_has_a_row_a_method_and_a_column_a_class(tmp_path):
    image = np.full((20, 30, 3), 200, np.uint8)
    maps = np.zeros((2, 20, 30), np.float32)
    labels = ["Egyptian_cat 0.41", "$tabby^ 0.20"]
    twice = np.tile(maps, (2, 1, 1))
    one = size(write_sheet(tmp_path / "new" / "one.png", image, labels, {"cam": maps}))
    two = size(write_sheet(tmp_path / "two.png", image, labels, {"cam": maps, "grad_cam": maps}))
    wide = size(write_sheet(tmp_path / "wide.png", image, labels * 2, {"cam": twice}))
    assert two[1] > 1.7 * one[1]
    assert wide[0] - one[0] == pytest.approx(2 * 2.6 * 150, abs=3)  # two cells more


def test_wrong_maps_are_named(tmp_path):
    image = np.zeros((4, 6, 3), np.uint8)
    with pytest.raises(InputError, match=r"`cam` must be \(T, H, W\) = \(1, 4, 6\); got \(2, 4, 6\)"):
        write_sheet(tmp_path / "x.png", image, ["cat"], {"cam": np.zeros((2, 4, 6))})
    with pytest.raises(InputError, match="at least one"):
        write_sheet(tmp_path / "x.png", image, [], {})
