"""A contact sheet: small pictures of many images in one file of readable width, row after row."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from wsseg.artifacts import write_atomically
from wsseg.report.grid import Cell

COLUMNS, CELL = 6, 240
"""Pictures per row, and the side of the square in which a picture lies, pixels."""

GAP, CAPTION = 8, 22
"""Space between pictures, and height of the line of text under each, pixels."""

ROWS = 120
"""Largest number of rows of a page; JPEG allows 65,535 pixels."""


class ContactSheet:
    """Collects small pictures, and writes them in pages.

    Every image starts with its photograph, under which its name stands, and its pictures follow. Rows are filled: an
    image may begin in the middle of a row, where a line at its left marks it.

    Args:
        path: File of the first page, a JPEG; later pages are `NAME_2.jpg`, ...
        check: Function that is called with each file before it is written, and fails where it must not be.
    """

    def __init__(self, path: Path, check: Callable[[Path], None] = lambda path: None):
        self.path, self._check = path, check
        self.pages: list[Path] = []
        self._cells: list[tuple[Image.Image, str, bool]] = []
        self._font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 14)

    def add(self, cells: Sequence[Cell]) -> None:
        """Add the pictures of an image, the photograph first; a page is written when it is full."""
        for index, cell in enumerate(cells):
            self._cells.append((_small(cell.picture), cell.title, index == 0))
            if len(self._cells) == ROWS * COLUMNS:
                self._write()

    def close(self) -> list[Path]:
        """Write the last page; return all pages."""
        if self._cells:
            self._write()
        return self.pages

    def _write(self) -> None:
        rows = -(-len(self._cells) // COLUMNS)
        columns = min(COLUMNS, len(self._cells))
        page = Image.new("RGB", (GAP + columns * (CELL + GAP), GAP + rows * (CELL + CAPTION + GAP)), "white")
        draw = ImageDraw.Draw(page)
        for index, (picture, title, first) in enumerate(self._cells):
            left = GAP + index % COLUMNS * (CELL + GAP)
            top = GAP + index // COLUMNS * (CELL + CAPTION + GAP)
            page.paste(picture, (left + (CELL - picture.width) // 2, top + CELL - picture.height))
            draw.text((left, top + CELL + 3), self._fitted(title), fill="black", font=self._font)
            if first:
                draw.line([(left - 5, top), (left - 5, top + CELL + CAPTION)], fill="black", width=2)
        path = self.path.with_name(page_name(self.path.name, len(self.pages) + 1))
        self._check(path)
        write_atomically(path, lambda file: page.save(file, format="JPEG", quality=90))
        self.pages.append(path)
        self._cells = []

    def _fitted(self, text: str) -> str:
        """Shorten a caption in its middle until it fits under a picture: the score stands at its end."""
        if self._font.getlength(text) <= CELL:
            return text
        for left in range(len(text) - 1, 1, -1):
            short = f"{text[: left - left // 2]}…{text[len(text) - left // 2 :]}"
            if self._font.getlength(short) <= CELL:
                return short
        return text[:1]


def page_name(name: str, number: int) -> str:
    """Return the file name of a page.

    Example:
        >>> page_name("sheet.jpg", 1), page_name("sheet.jpg", 2)
        ('sheet.jpg', 'sheet_2.jpg')
    """
    path = Path(name)
    return name if number == 1 else f"{path.stem}_{number}{path.suffix}"


def _small(picture: np.ndarray) -> Image.Image:
    image = Image.fromarray(picture)
    scale = CELL / max(image.size)
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    return image.resize(size, Image.Resampling.BILINEAR)
