"""Round trips: what any layout is read as is read again from what was written of it."""

import hashlib
import json

import numpy as np
import pytest
from examples.dataset_trees import BOXES, LABELS, SPLITS, TREES, photograph, save, true_mask, write_text
from pycocotools import mask as coco_mask
from small_run.in_process import run_quietly

from wsseg import datasets
from wsseg.datasets.layouts import detect
from wsseg.image_files import read_image

OPTIONS = {"folds": {"split_column": "fold", "val_fold": 1}, "arrays": {"labels_csv": "cls_labels.npy"}}


def words(options):
    return [word for key, value in options.items() for word in ("--option", f"{key}={value}")]


def converted(root, to, out, *more):
    status, said = run_quietly("datasets", "convert", root, "--to", to, "--out", out, *more)
    assert status == 0, said
    return said


def opened(root, **options):
    layout = detect(root)
    options = dict(layout.options(root)) | options
    splits = layout.splits(root, options)
    return {split: datasets.create(layout.name, split=split, root=root, **options) for split in splits}


def contents(root):
    """Return the hash of every file below a folder."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("to", ["folder", "coco"])
@pytest.mark.parametrize("name", TREES)
def test_every_layout_is_read_again_as_it_was(tmp_path, name, to):
    root, out = tmp_path / "in", tmp_path / "out"
    TREES[name](root)
    options = OPTIONS.get(name, {})
    named = ("--name", "folder") if name == "arrays" else ()
    before = contents(root)
    converted(root, to, out, *named, *words(options))
    assert contents(root) == before
    if name == "arrays":
        source = {
            split: datasets.create("folder", split=split, root=root, **options) for split in ("train", "val")
        }
    else:
        source = opened(root, **options)
    assert detect(out).name == to
    result = opened(out, **({"allow_unlabelled": True} if to == "folder" else {}))
    assert result.keys() == source.keys()
    compared = 0
    for split, first in source.items():
        second = result[split]
        assert second.classes == first.classes and [r.id for r in second] == [r.id for r in first]
        assert not second.set_aside
        for one, other in zip(first, second, strict=True):
            assert one.labels == other.labels
            np.testing.assert_array_equal(first.read_image(one), second.read_image(other))
            if one.mask is not None:
                np.testing.assert_array_equal(first.read_mask(one), second.read_mask(other))
                compared += 1
    assert compared == (0 if name in ("class_folders", "label_img") else len(LABELS))


@pytest.mark.parametrize("name", ["folder", "labelme", "camvid", "coco"])
def test_the_run_lengths_are_those_of_the_masks(tmp_path, name):
    """pycocotools decodes what was written; the masks are known by hand."""
    TREES[name](tmp_path / "in")
    converted(tmp_path / "in", "coco", tmp_path / "out")
    content = json.loads((tmp_path / "out/annotations/instances_train.json").read_text())
    files = {image["id"]: image["file_name"] for image in content["images"]}
    found = {}
    for entry in content["annotations"]:
        stem = files[entry["image_id"]].partition(".")[0]
        pixels = coco_mask.decode(entry["segmentation"])
        left, top, right, bottom = list(BOXES.values())[entry["category_id"] - 1]
        assert entry["bbox"] == [left, top, right - left, bottom - top] and entry["area"] == pixels.sum()
        found.setdefault(stem, np.zeros_like(pixels))[pixels == 1] = entry["category_id"]
    assert found.keys() == {stem for stem, split in SPLITS.items() if split == "train"}
    for stem, mask in found.items():
        np.testing.assert_array_equal(mask, true_mask(stem))


def test_ignored_pixels_crowds_boxes_alone_and_labels_alone(tmp_path):
    root = tmp_path / "in"
    mask = true_mask("pet_1")
    mask[0:3] = 255
    only = np.zeros_like(mask)
    only[:5] = 255
    for name, pixels in (("a", mask), ("b", only), ("c", None)):
        photograph(root / f"{name}.png", name)
        if pixels is not None:
            save(root / f"masks/{name}.png", pixels)
    write_text(root / "labels.csv", "image,labels,split\na,cat dog,train\nb,dog,train\nc,cat,train\n")
    options = ("--option", "mask_values={255: ignore}")
    converted(root, "coco", tmp_path / "coco", *options)
    dataset = datasets.create("coco", root=tmp_path / "coco")
    assert [record.labels for record in dataset] == [("cat", "dog"), ("dog",), ("cat",)]
    np.testing.assert_array_equal(dataset.read_mask(dataset[0]), mask)
    np.testing.assert_array_equal(dataset.read_mask(dataset[1]), only)
    assert (dataset.read_mask(dataset[2]) == 255).all()  # nothing of it is known, and nothing is scored
    said = converted(root, "folder", tmp_path / "folder", *options)
    assert "read them with `mask_values: {255: ignore}`" in said
    coco = tmp_path / "boxes"
    TREES["coco"](coco)
    for split in ("train", "val"):
        path = coco / f"annotations/instances_{split}2017.json"
        content = json.loads(path.read_text())
        for entry in content["annotations"]:
            del entry["segmentation"]
        path.write_text(json.dumps(content))
    converted(coco, "coco", tmp_path / "boxes again")
    first = datasets.create("coco", root=coco)
    second = datasets.create("coco", root=tmp_path / "boxes again")
    for one, other in zip(first, second, strict=True):
        assert one.mask is None and other.mask is None
        np.testing.assert_array_equal(first.read_boxes(one).boxes_xyxy, second.read_boxes(other).boxes_xyxy)


def test_names_of_classes_and_images_that_are_hard_to_write(tmp_path):
    root = tmp_path / "in"
    classes = ["hot dog", "a;b", "none", "Cat", "cat", "1,0", 'say "x"', "größe"]
    names = ["a, b", "ä ö", "x.y", "100%", "a_mask", "a", "z'z", "[1]"]
    for name in names:
        photograph(root / f"{name}.png", name)
    rows = [f'"{name}","{json.dumps([label]).replace(chr(34), chr(34) * 2)}",train'
            for name, label in zip(names, classes, strict=True)]  # fmt: skip
    write_text(root / "labels.csv", "image,labels,split\n" + "\n".join(rows) + "\n")
    write_text(root / "classes.txt", "\n".join(classes) + "\n")
    source = {record.id: record.labels for record in datasets.create("folder", root=root)}
    assert source == {name: (label,) for name, label in zip(names, classes, strict=True)}
    for to in ("folder", "coco"):
        converted(root, to, tmp_path / to)
        assert {record.id: record.labels for record in datasets.create(to, root=tmp_path / to)} == source


def test_deep_gray_images_by_a_stated_range(tmp_path):
    root = tmp_path / "in"
    values = np.linspace(0, 4095, 24 * 32).reshape(24, 32)
    save(root / "a.png", values.astype(np.uint16))
    save(root / "b.tif", (values / 4095).astype(np.float32))
    photograph(root / "c.png", "c")
    write_text(root / "labels.csv", "image,labels,split\na,cat,train\nb,cat,train\nc,cat,train\n")
    status, said = run_quietly("datasets", "check", root)
    assert status == 2 and "--gray-range 0 4095" in said
    said = converted(root, "folder", tmp_path / "out", "--gray-range", "0", "4095")
    assert "2 deep gray images are written with 8 bits" in said
    found = read_image(tmp_path / "out/images/a.png")
    np.testing.assert_array_equal(found[..., 0], np.rint(values.astype(np.uint16) * 255.0 / 4095))
    assert len(np.unique(found)) == 256
    status, said = run_quietly(
        "datasets", "convert", root, "--to", "folder", "--out", tmp_path / "no", "--gray-range", "0", "1023"
    )
    assert status == 2 and "holds values from 0 to 4095, outside of the range 0 to 1023" in said


def test_nothing_is_written_over(tmp_path):
    root, full = tmp_path / "in", tmp_path / "full"
    TREES["folder"](root)
    write_text(full / "mine.txt", "precious")
    before = contents(tmp_path)
    for out, message in (
        (full, "holds something"),
        (full / "mine.txt", "holds something"),
        (root, "holds something"),
        (root / "images/new", "lies in the dataset"),
        (root / "new", "lies in the dataset"),
    ):
        status, said = run_quietly("datasets", "convert", root, "--to", "coco", "--out", out)
        assert status == 2 and message in said
    status, said = run_quietly("datasets", "convert", root, "--to", "voc", "--out", tmp_path / "new")
    assert status == 2 and "no such form" in said
    assert contents(tmp_path) == before


def test_ids_of_two_splits_and_images_of_both(tmp_path):
    root = tmp_path / "in"
    TREES["coco"](root)
    content = json.loads((root / "annotations/instances_val2017.json").read_text())
    content["images"][0]["file_name"] = "pet_1.jpg"  # another image of the same name
    write_text(root / "annotations/instances_val2017.json", json.dumps(content))
    (root / "val2017/pet_3.jpg").rename(root / "val2017/pet_1.jpg")
    converted(root, "folder", tmp_path / "out")
    found = {
        record.id: record.labels for record in datasets.create("folder", split="all", root=tmp_path / "out")
    }
    assert found == {"train__pet_1": ("cat", "dog"), "pet_2": ("dog",), "val__pet_1": ("cat",)}
    content["images"][0]["file_name"] = "../train2017/pet_1.jpg"
    write_text(root / "annotations/instances_val2017.json", json.dumps(content))
    status, said = run_quietly("datasets", "convert", root, "--to", "folder", "--out", tmp_path / "new")
    assert status == 2 and "is in the splits train and val; choose one" in said
