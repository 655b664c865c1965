"""The boxes that datasets know, read without a mask."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsseg import datasets
from wsseg.datasets import Dataset, Record
from wsseg.datasets.voc_boxes import VocBoxes
from wsseg.errors import InputError


def test_scenes_know_the_boxes_of_their_masks(tmp_path):
    options = {"root": tmp_path, "size": 64, "train_images": 4, "val_images": 1}
    for classes in (None, ("daisy", "beetle", "clownfish")):
        opened = datasets.create("scenes", split="train", classes=classes, **options)
        blind = opened.without_masks()
        assert blind.knows_boxes and len(opened) > 1
        for record, same in zip(opened, blind):
            whole, boxes = opened.read_instances(record), blind.read_boxes(same)
            assert boxes.masks is None and boxes.size_hw == (64, 64)
            rows = sorted(zip(boxes.class_ids.tolist(), boxes.boxes_xyxy.tolist()))
            assert rows == sorted(zip(whole.class_ids.tolist(), whole.boxes_xyxy.tolist()))


def test_voc_boxes_count_from_one(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg")
    item = (
        "<object><name>{}</name><difficult>{}</difficult><part><name>head</name><bndbox><xmin>7</xmin></bndbox></part>"
        "<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
    )
    text = (
        item.format("dog", 0, 1, 1, 1, 1)
        + item.format("cow", 0, 1, 1, 2, 2)
        + item.format("cat", 1, 3, 2, 8, 6)
    )
    (tmp_path / "a.xml").write_text(f"<annotation>{text}</annotation>")
    record = Record("a", tmp_path / "a.jpg", ("dog",))
    found = VocBoxes(tmp_path, ("cat", "dog")).read(record)
    assert found.class_ids.tolist() == [2, 1] and found.size_hw == (6, 8)
    assert found.boxes_xyxy.tolist() == [[0, 0, 1, 1], [2, 1, 8, 6]]
    assert VocBoxes(tmp_path, ("cat", "dog"), difficult=False).read(record).class_ids.tolist() == [2]
    (tmp_path / "a.xml").write_text("<annotation><object><name>cat</name></object></annotation>")
    with pytest.raises(InputError, match=r"a\.xml: a `cat` has no bndbox of four numbers"):
        VocBoxes(tmp_path, ("cat",)).read(record)
    (tmp_path / "a.xml").write_text(f"<annotation>{item.format('cat', 0, 5, 5, 4, 6)}</annotation>")
    with pytest.raises(InputError, match=r"a\.xml: the box .* of a `cat` is empty"):
        VocBoxes(tmp_path, ("cat",)).read(record)


def test_coco_knows_the_boxes_of_a_file_without_masks(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "train2017").mkdir()
    Image.new("RGB", (10, 8)).save(tmp_path / "train2017/1.jpg")
    rows = [(1, [1, 2, 3, 4], 0), (9, [0, 0, 10, 8], 1), (5, [2, 2, 2, 2], 0)]
    content = {
        "images": [{"id": 4, "file_name": "1.jpg", "width": 10, "height": 8}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 5, "name": "cow"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"id": i, "image_id": 4, "category_id": c, "bbox": b, "area": 1, "iscrowd": crowd}
            for i, (c, b, crowd) in enumerate(rows)
        ],
    }
    (tmp_path / "annotations/instances_train2017.json").write_text(json.dumps(content))
    opened = datasets.create("coco", split="train", root=tmp_path, classes=("dog", "cat")).without_masks()
    found = opened.read_boxes(opened[0])
    assert found.class_ids.tolist() == [2, 1] and found.crowd.tolist() == [False, True]
    assert found.boxes_xyxy.tolist() == [[1, 2, 4, 6], [0, 0, 10, 8]]


def test_a_dataset_that_knows_none_says_so():
    dataset = Dataset("pets", "train", ("cat",), [Record("a", Path("a.jpg"), ("cat",))])
    assert not dataset.knows_boxes
    with pytest.raises(InputError, match="dataset `pets` has no boxes"):
        dataset.read_boxes(dataset[0])


def test_other_labels():
    records = [Record("a", Path("a.jpg"), ("cat",)), Record("b", Path("b.jpg"), ())]
    dataset = Dataset("pets", "train", ("cat", "dog"), records)
    other = dataset.with_labels({"b": ("dog", "cat"), "a": (), "c": ("cow",)})
    assert [record.labels for record in other] == [(), ("cat", "dog")]
    assert np.array_equal(other.label_vector(other[1]), [1, 1]) and dataset[0].labels == ("cat",)
    with pytest.raises(InputError, match="no labels of image `b` in dataset `pets`"):
        dataset.with_labels({"a": ()})
    with pytest.raises(InputError, match="image `a` has the label `cta`, which is not among the classes"):
        dataset.with_labels({"a": ("cta",), "b": ()})
