"""CamVid's tree and ones like it: masks in colours or ids, explained by a file; labels from the masks."""

import numpy as np
import pytest
from PIL import Image
from small_run.in_process import run_quietly

from wsseg import datasets
from wsseg.datasets.colour_table import ids_of_colours, read_coloured, read_colours
from wsseg.errors import InputError

COLOURS = {"Void": (0, 0, 0), "Road": (128, 64, 128), "Car": (64, 0, 128), "Sky": (128, 128, 128)}
CAMVID = "0 0 0\tVoid\n128 64 128\tRoad\n64 0 128\t\tCar\n128 128 128\tSky\n"
DICTIONARY = "name,r,g,b\n" + "".join(f"{name}, {r}, {g}, {b}\n" for name, (r, g, b) in COLOURS.items())
CVAT = "# label:color_rgb:parts:actions\n" + "".join(
    f"{n}:{r},{g},{b}::\n" for n, (r, g, b) in COLOURS.items()
)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def photograph(path):
    save(path, np.random.default_rng(list(str(path)[-12:].encode())).integers(0, 255, (16, 20, 3), np.uint8))


def names(seed):
    """Return a map of the numbers 0..3 of `COLOURS`: rows of Void, Road and Car or Sky."""
    numbers = np.zeros((16, 20), np.uint8)
    numbers[4:9], numbers[9:] = 1, 2 + seed % 2
    return numbers


def camvid(root):
    for split, count in (("train", 3), ("val", 2)):
        for index in range(count):
            photograph(root / split / f"{split}{index}.png")
            colours = np.array(list(COLOURS.values()), np.uint8)[names(index)]
            save(root / f"{split}_labels/{split}{index}_L.png", colours)


@pytest.mark.parametrize(
    ("file", "text"), [("label_colors.txt", CAMVID), ("class_dict.csv", DICTIONARY), ("labelmap.txt", CVAT)]
)
def test_masks_of_colours(tmp_path, file, text):
    camvid(tmp_path)
    (tmp_path / file).write_text(text)
    assert read_colours(tmp_path / file) == COLOURS
    dataset = datasets.create("mask_folders", root=tmp_path, mask_colours=file)
    assert dataset.classes == ("Road", "Car", "Sky")
    assert [(one.id, one.labels) for one in dataset] == [
        ("train0", ("Road", "Car")),
        ("train1", ("Road", "Sky")),
        ("train2", ("Road", "Car")),
    ]
    for index, record in enumerate(dataset):
        expected = np.where(names(index) == 0, 255, names(index))
        np.testing.assert_array_equal(dataset.read_mask(record), expected)
    chosen = datasets.create("mask_folders", root=tmp_path, mask_colours=file, classes=("Sky",), split="val")
    assert [one.id for one in chosen] == ["val1"] and "no class" in chosen.set_aside["val0"]
    assert np.unique(chosen.read_mask(chosen[0])).tolist() == [0, 1, 255]
    status, said = run_quietly("datasets", "check", tmp_path)
    assert status == 0 and f"mask_colours: {file}" in said and "splits: train, val" in said


def test_masks_of_ids_beside_a_list_of_classes(tmp_path):
    for index in range(4):
        photograph(tmp_path / f"images/p{index}.jpg")
        save(tmp_path / f"masks/p{index}.png", names(index))
    photograph(tmp_path / "images/alone.jpg")
    (tmp_path / "classes.txt").write_text("road\ncar\nsky\n")
    dataset = datasets.create("mask_folders", split="all", root=tmp_path)
    assert [one.labels for one in dataset] == [("road", "car"), ("road", "sky")] * 2
    assert dataset.set_aside == {"images/alone.jpg": "has no mask, so it has no label"}
    train, val = (datasets.create("mask_folders", split=split, root=tmp_path) for split in ("train", "val"))
    assert len(train) + len(val) == 4 and len(val)
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(InputError, match="names of the classes are not known"):
        datasets.create("mask_folders", root=tmp_path)


def test_a_folder_with_labels_and_masks_of_colours(tmp_path):
    camvid(tmp_path)
    rows = "".join(f"{split}{index},Road {'CarSky'[:3] if not index % 2 else 'Sky'},{split}\n"
                   for split, count in (("train", 3), ("val", 2)) for index in range(count))  # fmt: skip
    (tmp_path / "labels.csv").write_text("image,labels,split\n" + rows)
    (tmp_path / "label_colors.txt").write_text(CAMVID)
    dataset = datasets.create("folder", root=tmp_path, mask_colours="label_colors.txt")
    assert dataset.classes == ("Road", "Car", "Sky") and len(dataset) == 3
    np.testing.assert_array_equal(dataset.read_mask(dataset[1]), np.where(names(1) == 0, 255, names(1)))
    assert run_quietly("datasets", "check", tmp_path)[0] == 0
    with pytest.raises(InputError, match="keep one"):
        datasets.create("folder", root=tmp_path, mask_colours="label_colors.txt", mask_level=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no colour"),
        ("1 2 Animal\n", "line 1: expected a name and its red"),
        ("1 2 300 Animal\n", "in 0..255"),
        ("1 2 3 a\n1 2 3 b\n", "`b` or its colour"),
        ("1 2 3 a\n1 2 4 a\n", "`a` or its colour"),
        ("name,r,g,b\nname,r,g,b\n1 2 3 a\n", "line 2"),
    ],
)
def test_wrong_files_of_colours(tmp_path, text, message):
    (tmp_path / "colours.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_colours(tmp_path / "colours.txt")


def test_colours_that_no_file_names(tmp_path):
    pixels = np.zeros((4, 5, 3), np.uint8)
    pixels[2, 3] = (128, 64, 127)
    ids = ids_of_colours(COLOURS, ("Road", "Car", "Sky"))
    save(tmp_path / "a.png", pixels)
    with pytest.raises(InputError, match=r"colour \(128, 64, 127\) at row 2, column 3, and 1 such"):
        read_coloured(tmp_path / "a.png", ids)
    save(tmp_path / "a.jpg", pixels)
    with pytest.raises(InputError, match="changes colours"):
        read_coloured(tmp_path / "a.jpg", ids)
    save(tmp_path / "b.png", np.dstack([pixels, np.full((4, 5), 200, np.uint8)]))
    with pytest.raises(InputError, match="transparent"):
        read_coloured(tmp_path / "b.png", ids)
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    palette.putpalette([value for name in ("Sky", "Void", "Car") for value in COLOURS[name]])
    palette.save(tmp_path / "c.png")
    assert read_coloured(tmp_path / "c.png", ids).tolist() == [[3, 255, 2]]
