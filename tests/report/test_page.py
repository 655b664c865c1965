import html.parser
import re

import numpy as np
import pytest

from wsseg.errors import InputError
from wsseg.report.figures import ThresholdCurve
from wsseg.report.page import Curve, Gallery, Page, Row, ScoreRow, StageRow, Tile, duration, write_page

NAMES = ("background", "cat", "dog & <cow>")
SCORES = {
    "split": "train",
    "images": 12,
    "miou": 0.4123,
    "iou": {"background": 0.8, "cat": 0.0246, "dog & <cow>": None},
    "pixel_accuracy": 0.9,
    "class_accuracy": {},
    "mean_class_accuracy": 0.5,
    "frequency_weighted_iou": 0.7,
    "threshold": 0.25,
    "rule": "fixed",
    "oracle": {"threshold": 0.3, "miou": 0.4567},
}


class Reader(html.parser.HTMLParser):
    """Collects tags, addresses, and text; fails on tags that do not match."""

    VOID = {"meta", "img", "source", "br", "link"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.ids, self.text, self.open = [], [], set(), [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "srcset"):
                self.addresses.append(value)
            if name == "id":
                self.ids.add(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def full_page():
    image, mask = np.full((20, 30, 3), 90, np.uint8), np.zeros((20, 30), np.uint8)
    rows = [
        Row("good", ["cat"], [Tile(image), Tile(mask, iou=0.9)], iou=0.9),
        Row("unscored", [], [Tile(image), Tile(None)]),
        Row("<bad>&\"'", ["cat", "dog"], [Tile(image), Tile(mask, iou=0.123, note="a note")], iou=0.1),
    ]
    return Page(
        title="a <recipe>",
        class_names=NAMES,
        facts=[("seed", "3")],
        stages=[StageRow("classify", 75, 2048, "mAP 0.9"), StageRow("label", 4.24)],
        scores=[ScoreRow.from_scores("class maps", SCORES)],
        curves=[Curve("classifier", {"epoch": [1, 2], "loss": [1.0, 0.5]})],
        thresholds=[ThresholdCurve("class maps", [(0.1, 0.3), (0.3, 0.4)], 0.2, "fixed")],
        galleries=[Gallery("Training images", ["image", "pseudo-mask"], rows)],
        set_aside=[("broken <i>", "cannot be decoded")],
        warnings=[("evaluate", "predictions are <all> background")],
        notes=[("mean", "absent classes left out")],
        recipe="name: <x>\n",
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_page(path, full_page())
    return path.read_text(encoding="utf-8")


def test_page_stands_alone(written):
    reader = Reader(written)
    assert not {"script", "link", "iframe"} & set(reader.tags)
    assert all(address.startswith(("data:image/", "#")) for address in reader.addresses)
    assert {address[1:] for address in reader.addresses if address.startswith("#")} <= reader.ids
    assert "http" not in re.sub(r"data:[^\"]*", "", written)
    assert "@import" not in written and "url(" not in written


def test_every_section_is_there(written):
    reader = Reader(written)
    sections = {
        "warnings",
        "scores",
        "threshold",
        "training",
        "gallery-1",
        "run",
        "set-aside",
        "notes",
        "recipe",
    }
    assert reader.ids == sections
    text = " ".join(" ".join(reader.text).split())
    for expected in (
        "41.2",
        "45.7",
        "at 0.3",
        "0.25",
        "1:15 min",
        "4.2 s",
        "2.0 GiB",
        "absent classes left out",
        "evaluate predictions are <all> background",
    ):
        assert expected in text
    assert "2.5" in text, "the cat's IoU, 0.0246"


def test_any_text_is_escaped(written):
    text = "".join(Reader(written).text)
    for name in ("a <recipe>", "<bad>&\"'", "broken <i>", "dog & <cow>", "name: <x>"):
        assert name in text, "shown as it is"
        assert name not in written, "but escaped in the source"


def test_worst_image_comes_first_and_unscored_last(written):
    text = "".join(Reader(written).text)
    assert text.index("<bad>") < text.index("good") < text.index("unscored")
    assert "mIoU 12.3 a note" in " ".join(text.split())


def test_both_themes_have_their_figures(written):
    assert written.count('prefers-color-scheme: dark)"><img') == 2


def test_empty_sections_are_left_out(tmp_path):
    write_page(tmp_path / "r.html", Page("t", NAMES))
    reader = Reader((tmp_path / "r.html").read_text())
    assert reader.ids == set()
    assert "section" not in reader.tags


def test_missing_scores_are_dashes():
    row = ScoreRow.from_scores("segmenter", SCORES | {"miou": None, "oracle": None})
    assert row.miou is None and row.oracle_miou is None and row.oracle_level is None


def test_row_that_does_not_fit_its_gallery(tmp_path):
    gallery = Gallery("g", ["image", "mask"], [Row("x", [], [Tile(None)])])
    with pytest.raises(InputError, match="gallery `g`, image x: 1 tiles for 2 columns"):
        write_page(tmp_path / "r.html", Page("t", NAMES, galleries=[gallery]))
    assert list(tmp_path.iterdir()) == []


def test_durations():
    assert [duration(s) for s in (0, 59.94, 60, 3599, 3600, 90061)] == [
        "0.0 s",
        "59.9 s",
        "1:00 min",
        "59:59 min",
        "1:00 h",
        "25:01 h",
    ]
