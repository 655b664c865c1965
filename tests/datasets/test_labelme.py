"""labelme's JSON files, in the form that labelme 5 writes; masks by Pillow and by hand."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw
from small_run.in_process import run_quietly

from wsseg import datasets
from wsseg.errors import InputError

SIZE_HW = (24, 32)


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}} | more


def write(root, name, shapes, image=None, size_hw=SIZE_HW, folder="", **more):
    """Write an image and its JSON file."""
    path = root / folder / f"{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(list(f"{folder}{name}".encode())).integers(0, 255, (*SIZE_HW, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    content = {
        "version": "5.4.1",
        "flags": {},
        "shapes": shapes,
        "imagePath": image or path.name,
        "imageData": None,
    }
    content |= {"imageHeight": size_hw[0], "imageWidth": size_hw[1]} | more
    path.with_suffix(".json").write_text(json.dumps(content))


def opened(root, **options):
    return datasets.create("labelme", **{"split": "all", "root": root} | options)


def test_shapes_become_masks_as_labelme_draws_them(tmp_path):
    picture = io.BytesIO()
    Image.fromarray(np.array([[255, 0], [255, 255]], np.uint8)).save(picture, "PNG")
    write(
        tmp_path,
        "a",
        [
            shape("dog", [[2, 3], [12.4, 3], [12.4, 9], [2, 9]]),
            shape("cat", [[20, 15], [10, 6]], "rectangle"),  # the second corner first, over a part of the dog
            shape("_background_", [[3, 4], [5, 4], [5, 6], [3, 6]]),
            shape("__ignore__", [[25, 5], [25, 7]], "circle"),
            shape("cat", [[28, 20], [29, 21]], "mask", mask=base64.b64encode(picture.getvalue()).decode()),
        ],
    )
    dataset = opened(tmp_path)
    assert dataset.classes == ("cat", "dog") and dataset[0].labels == ("cat", "dog")
    canvas = Image.new("L", SIZE_HW[::-1])
    draw = ImageDraw.Draw(canvas)
    draw.polygon([(2, 3), (12.4, 3), (12.4, 9), (2, 9)], fill=2, outline=2)
    expected = np.array(canvas)
    expected[6:16, 10:21] = 1
    expected[4:7, 3:6] = 0
    expected[20, 28] = expected[21, 28] = expected[21, 29] = 1
    found = dataset.read_mask(dataset[0])
    row, column = np.mgrid[:24, :32]
    circle = (row - 5) ** 2 + (column - 25) ** 2
    assert (found[circle <= 2] == 255).all() and (found[circle > 8] != 255).all()
    np.testing.assert_array_equal(found[found != 255], expected[found != 255])
    assert opened(tmp_path, classes=("dog",)).read_mask(dataset[0]).tolist()[15][15] == 0
    ignoring = opened(tmp_path, classes=("dog",), other_objects="ignore")
    assert ignoring.read_mask(ignoring[0])[15, 15] == 255 and ignoring.read_mask(ignoring[0])[5, 4] == 0


BOX = [[2, 2], [9, 2], [9, 9]]


def test_splits_by_folders_and_equal_names(tmp_path):
    write(tmp_path, "a", [shape("cat", BOX)], folder="train")
    write(tmp_path, "a", [shape("dog", BOX)], folder="valid", image="..\\valid\\a.jpg")
    assert [(one.id, one.labels) for one in opened(tmp_path, split="train")] == [("train__a", ("cat",))]
    assert [(one.id, one.labels) for one in opened(tmp_path, split="val")] == [("valid__a", ("dog",))]
    status, said = run_quietly("datasets", "check", tmp_path)
    assert status == 0 and "labelme" in said and "splits: train, val" in said


def test_files_in_folders_of_their_own(tmp_path):
    write(tmp_path, "a", [shape("cat", BOX)], folder="img")
    (tmp_path / "ann").mkdir()
    (tmp_path / "img/a.json").rename(tmp_path / "ann/a.json")
    dataset = opened(tmp_path)
    assert dataset[0].image == tmp_path / "img/a.jpg" and dataset.read_mask(dataset[0]).any()


def test_what_cannot_be_used_is_named(tmp_path):
    write(tmp_path, "a", [shape("cat", BOX)])
    write(tmp_path, "b", [shape("cat", BOX), shape("dog", [[4, 4]], "point")])
    write(tmp_path, "c", [])
    write(tmp_path, "d", [shape("cat", BOX)])
    (tmp_path / "d.jpg").unlink()
    Image.new("RGB", SIZE_HW[::-1]).save(tmp_path / "e.jpg")
    dataset = opened(tmp_path)
    assert [(one.id, one.labels, one.mask is None) for one in dataset] == [
        ("a", ("cat",), False),
        ("b", ("cat", "dog"), True),
    ]
    assert "a point of `dog`, which has no area" in dataset.remarks["b: b.json"]
    aside = dataset.set_aside
    assert "does not exist" in aside["d.json"] and "no JSON file" in aside["e.jpg"]
    assert "no shape of a class" in aside["c"]
    assert [one.id for one in opened(tmp_path, allow_unlabelled=True)] == ["a", "b", "c"]
    status, said = run_quietly("datasets", "check", tmp_path)
    assert status == 2 and "e.jpg" in said


def test_flags_are_labels_where_nothing_is_drawn(tmp_path):
    write(tmp_path, "a", [], flags={"cat": True, "dog": False})
    write(tmp_path, "b", [], flags={"cat": True, "dog": True})
    dataset = opened(tmp_path)
    assert [(one.labels, one.mask) for one in dataset] == [(("cat",), None), (("cat", "dog"), None)]


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (shape("", BOX), "has no label"),
        (shape("cat", BOX[:2]), "has 2 points"),
        (shape("cat", [[1, 2], [3, None], [4, 5]]), "no list of points"),
        (shape("cat", [[1, 2], [3, float("nan")], [4, 5]]), "not a finite number"),
        (shape("cat", BOX, "spline"), "'spline', which is not known"),
        (shape("cat", BOX[:2], "mask"), "has no picture"),
        ("cat", "has no label"),
    ],
)
def test_a_broken_shape_is_named(tmp_path, one, message):
    write(tmp_path, "a", [shape("cat", BOX), one])
    with pytest.raises(InputError, match=rf"a\.json, shapes\[1\].*{message}"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("one", "message", "size_hw"),
    [
        (shape("cat", [[90, 90], [95, 90], [95, 95]]), "no pixel in the image", SIZE_HW),
        (shape("cat", BOX[:2], "mask", mask="AAAA"), "picture of `cat` cannot be read", SIZE_HW),
        (shape("cat", BOX), "32 x 32 pixels but its image", (32, 32)),
        (shape("cat", BOX), "does not state `imageHeight`", (None, 32)),
    ],
)
def test_a_mask_that_cannot_be_drawn_is_named(tmp_path, one, message, size_hw):
    write(tmp_path, "a", [one], size_hw=size_hw)
    dataset = opened(tmp_path)
    with pytest.raises(InputError, match=message):
        dataset.read_mask(dataset[0])


def test_files_that_are_none_of_labelme(tmp_path):
    write(tmp_path, "a", [shape("cat", BOX)])
    (tmp_path / "notes.json").write_text("{}")
    assert len(opened(tmp_path)) == 1
    (tmp_path / "b.json").write_text('{"shapes": [], "imagePath": ')
    with pytest.raises(InputError, match=r"b\.json cannot be read"):
        opened(tmp_path)
