"""XML files of boxes in VOC's form with classes of one's own."""

import pytest
from examples.dataset_trees import BOXES, LABELS, SPLITS, label_img, photograph, voc_xml, write_text

from wsseg import datasets
from wsseg.errors import InputError


def opened(root, **options):
    return datasets.create("voc_objects", **{"split": "all", "root": root} | options)


@pytest.mark.parametrize("tree", [label_img, voc_xml])
def test_labels_and_boxes(tmp_path, tree):
    tree(tmp_path)
    dataset = opened(tmp_path)
    assert {record.id: record.labels for record in dataset} == LABELS and not dataset.set_aside
    for record in dataset:
        boxes = dataset.read_boxes(record)
        assert boxes.class_ids.tolist() == [dataset.classes.index(label) + 1 for label in record.labels]
        assert [tuple(box) for box in boxes.boxes_xyxy.tolist()] == [BOXES[label] for label in record.labels]
        assert record.mask is None
    if tree is label_img:
        for split in ("train", "val"):
            assert [r.id for r in opened(tmp_path, split=split)] == [
                n for n, its in SPLITS.items() if its == split
            ]


def test_what_cannot_be_used_is_named(tmp_path):
    label_img(tmp_path)
    photograph(tmp_path / "train/alone.png", "alone")
    write_text(tmp_path / "train/empty.xml", "<annotation><filename>empty.png</filename></annotation>")
    photograph(tmp_path / "train/empty.png", "empty")
    write_text(tmp_path / "val/gone.xml", "<annotation><filename>gone.png</filename></annotation>")
    write_text(tmp_path / "settings.xml", "<settings/>")
    aside = opened(tmp_path).set_aside
    assert "no XML file" in aside["train/alone.png"] and "no box of a class" in aside["empty"]
    assert "`gone.png`, which does not exist" in aside["val/gone.xml"] and len(aside) == 3
    write_text(tmp_path / "train/pet_1.xml", "<annotation><object>")
    with pytest.raises(InputError, match=r"pet_1\.xml is not valid XML"):
        opened(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no XML file of boxes"):
        opened(tmp_path / "empty")
