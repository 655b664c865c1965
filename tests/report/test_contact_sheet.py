"""Contact sheets: what lies where, pages, captions."""

import numpy as np
import pytest
from PIL import Image

from wsseg.report import contact_sheet
from wsseg.report.contact_sheet import CAPTION, CELL, COLUMNS, GAP, ContactSheet
from wsseg.report.grid import Cell


def plain(colour, size_hw=(30, 60)):
    return np.full((*size_hw, 3), colour, np.uint8)


def middle(page, index):
    left = GAP + index % COLUMNS * (CELL + GAP)
    top = GAP + index // COLUMNS * (CELL + CAPTION + GAP)
    return page.getpixel(
        (left + CELL // 2, top + CELL * 7 // 10)
    )  # pictures stand on the floor of their cell


def test_pictures_fill_rows_in_order(tmp_path):
    sheet = ContactSheet(tmp_path / "sheet.jpg")
    for number in range(4):
        sheet.add([Cell(plain(40 * number), f"image {number}"), Cell(plain(40 * number + 100), "class 0.50")])
    (path,) = sheet.close()
    with Image.open(path) as page:
        assert page.size == (GAP + COLUMNS * (CELL + GAP), GAP + 2 * (CELL + CAPTION + GAP))
        for index in range(8):
            expected = 40 * (index // 2) + 100 * (index % 2)
            assert max(abs(value - expected) for value in middle(page, index)) < 5, index


def test_full_pages_are_written_and_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(contact_sheet, "ROWS", 1)
    checked = []
    sheet = ContactSheet(tmp_path / "sheet.jpg", checked.append)
    for _ in range(7):
        sheet.add([Cell(plain(9), "x")])
    assert [path.name for path in sheet.close()] == ["sheet.jpg", "sheet_2.jpg"] and len(checked) == 2
    with Image.open(tmp_path / "sheet_2.jpg") as page:
        assert page.width == GAP + CELL + GAP
    assert ContactSheet(tmp_path / "none.jpg").close() == []


@pytest.mark.parametrize("text", ["short 0.91", "a very long name of a finding in the left lower lobe 0.91"])
def test_captions_keep_their_score(tmp_path, text):
    sheet = ContactSheet(tmp_path / "sheet.jpg")
    fitted = sheet._fitted(text)
    assert sheet._font.getlength(fitted) <= CELL and fitted.endswith("0.91") and fitted[0] == text[0]
