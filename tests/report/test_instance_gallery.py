import io

import numpy as np
import pytest
from PIL import Image

from wsseg.errors import InputError
from wsseg.metrics import InstanceAveragePrecision
from wsseg.objects.instances import Instances
from wsseg.report.instance_gallery import FALSE_ALARM, MISSED, ShownImage, instance_gallery
from wsseg.report.page import ObjectScores, Page, write_page
from wsseg.report.precision_recall_figure import precision_recall_figure

NAMES = ["cat", "dog"]
IMAGE = np.full((360, 360, 3), 60, np.uint8)


def blocks(*rows, ids=None, scores=None):
    """Return objects that fill their boxes."""
    masks = np.zeros((len(rows), 360, 360), bool)
    for mask, (left, top, right, bottom) in zip(masks, rows):
        mask[top:bottom, left:right] = True
    return Instances.of_masks(masks, [1] * len(rows) if ids is None else ids, scores)


def has(picture, colour):
    return bool((np.abs(picture.astype(int) - colour).max(axis=-1) < 4).sum() > 50)


TRUE = blocks([40, 40, 120, 120], [200, 200, 300, 300], ids=[1, 2])
FOUND = blocks([40, 40, 120, 120], [200, 40, 300, 100], [20, 250, 90, 300], scores=np.array([0.9, 0.8, 0.3]))


def test_what_was_found_and_what_went_wrong():
    gallery = instance_gallery("Val", [ShownImage("a", IMAGE, FOUND, TRUE)], NAMES, note="The worst.")
    assert gallery.columns == ("image", "true objects", "detections", "misses")
    (row,) = gallery.rows
    assert row.labels == ["cat", "dog"] and row.id == "a"
    assert [tile.note for tile in row.tiles] == ["", "", "2 detections", "1 found, 1 missed, 1 false alarm"]
    misses = row.tiles[3].picture
    assert has(misses, MISSED) and has(misses, FALSE_ALARM)
    assert (misses[45:115, 45:115] == 60).all(), "what was found is not painted"
    assert not (row.tiles[1].picture[45:115, 45:115] == 60).any()
    assert (row.tiles[2].picture[255:295, 30:85] == 60).all(), "an unsure detection is not shown"
    assert gallery.legend == (("missed", "#e69f00"), ("false alarm", "#56b4e9"))
    assert gallery.note.startswith("The worst. Detections with a score of 0.5 or more")


def test_nothing_missed_and_only_alarms():
    gallery = instance_gallery("Val", [ShownImage("a", IMAGE, FOUND.where([0]), TRUE.where([0]))], NAMES)
    assert not has(gallery.rows[0].tiles[3].picture, MISSED)
    nothing = blocks()
    gallery = instance_gallery("Val", [ShownImage("a", IMAGE, FOUND, nothing)], NAMES, score=0.1)
    assert gallery.rows[0].tiles[3].note == "0 found, 0 missed, 3 false alarms"
    assert gallery.rows[0].labels == []


def test_boxes_without_masks():
    found = Instances([1], [[40, 40, 120, 120]], (360, 360), scores=[0.9])
    with pytest.raises(InputError, match="try `kind` boxes"):
        instance_gallery("Val", [ShownImage("a", IMAGE, found, TRUE)], NAMES)
    gallery = instance_gallery("Val", [ShownImage("a", IMAGE, found, TRUE)], NAMES, kind="boxes")
    assert gallery.rows[0].tiles[3].note == "1 found, 1 missed, 0 false alarms"


def test_images_whose_objects_are_not_known():
    gallery = instance_gallery("Photographs", [ShownImage("a", IMAGE, FOUND)], NAMES)
    assert gallery.columns == ("image", "detections") and gallery.legend == ()
    assert len(gallery.rows[0].tiles) == 2 and gallery.rows[0].labels == ["cat"]


def test_the_page_has_scores_curve_and_gallery(tmp_path):
    measure = InstanceAveragePrecision([*NAMES, "<cow>"], "masks")
    measure.update("a", FOUND, TRUE)
    objects = [ObjectScores("masks, val", measure.result(), measure.precision_at_recalls())]
    gallery = instance_gallery("Val", [ShownImage("a", IMAGE, FOUND, TRUE)], NAMES)
    path = tmp_path / "page.html"
    write_page(path, Page("Objects", ("background", *NAMES), objects=objects, galleries=[gallery]))
    text = path.read_text()
    section = text[text.index('<section id="objects">') : text.index('<section id="gallery-1">')]
    assert "AP medium" in section and '<td class="n main">50.0</td>' in section  # cat 1, dog 0
    assert "&lt;cow&gt;" in section and "Precision over recall" in section and "data:image/png" in section
    assert "</span>false alarm</li>" in text and "</span>background</li>" not in text
    write_page(path, Page("Objects", NAMES, galleries=[gallery]))
    assert '<section id="objects">' not in path.read_text()


def picture(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"), int)


def test_precision_is_drawn_class_by_class():
    def coloured(curves, rgb):
        pixels = picture(precision_recall_figure(curves))
        return bool(((np.abs(pixels[..., :3] - rgb).max(-1) < 8) & (pixels[..., 3] > 200)).any())

    steps = np.where(np.arange(101) < 40, 0.8, 0)
    first, second = (0, 114, 178), (213, 94, 0)
    assert coloured({"cat": steps}, first) and not coloured({"cat": steps}, second)
    assert coloured({"cat": steps, "dog": steps / 2}, second)
    assert not coloured({"cat": steps, "dog": None}, second)
    assert precision_recall_figure({}).startswith(b"\x89PNG")
    assert precision_recall_figure({"$x_": np.zeros(101)}, dark=True).startswith(b"\x89PNG")
    many = {f"class {n}": steps * n / 30 for n in range(30)}
    assert abs(picture(precision_recall_figure(many)).shape[0] - 3.9 * 192) < 3
