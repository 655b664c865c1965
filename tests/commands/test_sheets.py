"""Class, scale and feature sheets: what is in which cell."""

import numpy as np
import pytest
from PIL import Image

from wsseg.errors import InputError
from wsseg.report import explanation, feature_sheet
from wsseg.report.explanation import write_class_sheet, write_scale_sheet
from wsseg.report.feature_sheet import write_feature_sheet
from wsseg.report.grid import Cell, write_grid

IMAGE = np.full((20, 30, 3), 200, np.uint8)


@pytest.fixture
def drawn(monkeypatch):
    """Return what would be drawn, in the order of the calls."""
    calls = []

    def draw(path, rows, **options):
        calls.append((rows, options))
        return path

    for module in (explanation, feature_sheet):
        monkeypatch.setattr(module, "write_grid", draw)
    return calls


def test_class_sheet_paints_each_class_and_the_highest(drawn):
    maps = np.zeros((2, 20, 30), np.float32)
    maps[0, :, :20], maps[1, :, 10:] = 0.6, 0.9
    write_class_sheet("x.png", IMAGE, ["cat", "dog"], {"cam": maps})
    ((rows, options),) = drawn
    photograph, both, cat, dog = (cell.picture for cell in rows["cam"])
    np.testing.assert_array_equal(photograph, IMAGE)
    # Palette 1 is dark red, 2 dark green; in the overlap the higher map wins.
    reddish, greenish = ([int(p[5, x, 0]) - int(p[5, x, 1]) for x in (5, 15, 25)] for p in (both, both))
    assert reddish[0] > 0 and greenish[1] < 0 and greenish[2] < 0
    assert cat[5, 15, 0] > cat[5, 15, 1] and (cat[5, 25] == 200).all()
    assert dog[5, 15, 1] > dog[5, 15, 0] and (dog[5, 5] == 200).all()
    assert options["legend"] == [("cat", "#800000"), ("dog", "#008000")]


def test_scale_sheet_sums_the_scales(drawn):
    half, whole = np.zeros((1, 20, 30), np.float32), np.zeros((1, 20, 30), np.float32)
    half[0, :10], whole[0, :, :15] = 1, 0.5
    write_scale_sheet("x.png", IMAGE, ["cat"], {0.5: half, 1.0: whole})
    ((rows, _),) = drawn
    cells = rows["cat"]
    assert [cell.title for cell in cells] == ["photograph", "scale 0.5", "scale 1", "sum"]
    # Brightest where both are (1.5 of 1.5), then where one scale is (1.0 and 0.5 of 1.5).
    places = [cells[3].picture[y, x].astype(int).sum() for y, x in ((5, 5), (5, 25), (15, 5), (15, 25))]
    assert places == sorted(places, reverse=True) and len(set(places)) == 4


def test_feature_sheet_shows_the_images_that_respond_most(drawn):
    images = [np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)]
    responses = np.array([[0.1, 0.9], [0.3, 0.2], [0.2, 0.4]])
    maps = [np.zeros((3, 4, 6)), np.zeros((3, 4, 6))]
    write_feature_sheet("x.png", images, [7, 3], responses, maps, columns=2)
    rows, _ = drawn[0]
    assert list(rows) == ["channel 7", "channel 3"]
    assert [[cell.title for cell in row] for row in rows.values()] == [["0.30", "0.20"], ["0.90", "0.40"]]
    write_feature_sheet("x.png", images[:1], [7, 3], responses[:1], [m[:1] for m in maps], columns=2)
    assert [cell.title for cell in drawn[1][0]["from 1"]] == ["channel 7: 0.10", "channel 3: 0.90"]
    with pytest.raises(InputError, match="2 channels and 3 images"):
        write_feature_sheet("x.png", images, [7, 3], responses[:, :1], maps)


def test_grid_with_bar_and_legend_is_larger(tmp_path):
    rows = {"one": [Cell(IMAGE, "$a^")], "two": [Cell(IMAGE), Cell(IMAGE)]}

    def size(name, **options):
        with Image.open(write_grid(tmp_path / name, rows, **options)) as image:
            return image.size

    plain, full = size("a.png"), size("b.png", colour_bar="share", legend=[("$cat", "#800000")])
    assert full[0] > plain[0] and full[1] > plain[1]
    with pytest.raises(InputError, match="at least one picture in each row"):
        write_grid(tmp_path / "c.png", {"one": []})
