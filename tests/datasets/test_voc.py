import numpy as np
import pytest
from PIL import Image

from wsseg import datasets
from wsseg.artifacts import write_mask
from wsseg.datasets.voc import VOC_CLASSES
from wsseg.errors import InputError

CAT, DOG, PERSON = 8, 12, 15  # VOC's ids.

BOXES = {
    "2007_1": [("cat", 0), ("person", 0)],
    "2007_2": [("dog", 0), ("cat", 1)],
    "2008_3": [("dog", 0)],
    "2009_4": [("sheep", 0)],
}
MASKS = {
    "2007_1": [[0, CAT, PERSON, 255]],
    "2007_2": [[DOG, DOG, 0, 0]],
    "2008_3": [[0, 0, DOG, 255]],
    "2009_4": [[17, 17, 0, 0]],
}


@pytest.fixture
def devkit(tmp_path):
    root = tmp_path / "VOC2012"
    for folder in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for name, objects in BOXES.items():
        Image.new("RGB", (4, 1)).save(root / "JPEGImages" / f"{name}.jpg")
        write_mask(root / "SegmentationClass" / f"{name}.png", np.array(MASKS[name], np.uint8))
        items = "".join(
            f"<object><name>{label}</name><difficult>{difficult}</difficult><part><name>head</name></part></object>"
            for label, difficult in objects
        )
        (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{items}</annotation>")
    lists = {"train": "2007_1\n2007_2\n", "trainaug": "2007_1\n2007_2\n2008_3\n", "val": "2009_4\n"}
    for split, text in lists.items():
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(text)
    return root


def add_augmented_masks(root):
    folder = root / "SegmentationClassAug"
    folder.mkdir()
    for name, values in MASKS.items():
        # Grayscale, as the usual download of them is.
        Image.fromarray(np.array(values, np.uint8)).save(folder / f"{name}.png")


def ids(dataset):
    return [record.id for record in dataset]


def test_class_ids_are_the_devkits():
    """VOC2012 devkit: 1 = aeroplane ... 15 = person ... 20 = tvmonitor, in alphabetical order."""
    assert len(VOC_CLASSES) == 20
    assert list(VOC_CLASSES) == sorted(VOC_CLASSES)
    assert (VOC_CLASSES[0], VOC_CLASSES[14], VOC_CLASSES[19]) == ("aeroplane", "person", "tvmonitor")


def test_labels_from_boxes_and_masks_of_all_classes(devkit):
    dataset = datasets.create("voc", root=devkit)
    assert dataset.classes == VOC_CLASSES
    assert ids(dataset) == ["2007_1", "2007_2"]
    assert dataset[0].labels == ("cat", "person")
    assert dataset.read_mask(dataset[0]).tolist() == [[0, CAT, PERSON, 255]]
    assert dataset[0].mask.parent.name == "SegmentationClass"


def test_train_is_trainaug_only_with_augmented_masks(devkit):
    assert ids(datasets.create("voc", root=devkit, split="trainaug")) == ["2007_1", "2007_2", "2008_3"]
    add_augmented_masks(devkit)
    dataset = datasets.create("voc", root=devkit)
    assert ids(dataset) == ["2007_1", "2007_2", "2008_3"]
    assert dataset[0].mask.parent.name == "SegmentationClassAug"
    assert ids(datasets.create("voc", root=devkit, split="train_only")) == ["2007_1", "2007_2"]
    (devkit / "ImageSets" / "Segmentation" / "trainaug.txt").unlink()
    assert ids(datasets.create("voc", root=devkit)) == ["2007_1", "2007_2"]


def test_some_classes_are_renumbered_in_the_given_order(devkit):
    dataset = datasets.create("voc", root=devkit, split="trainaug", classes=("dog", "cat"))
    assert [dataset.label_vector(record).tolist() for record in dataset] == [[0, 1], [1, 1], [1, 0]]
    assert dataset.read_mask(dataset[0]).tolist() == [[0, 2, 0, 255]]
    ignoring = datasets.create("voc", root=devkit, classes=("dog", "cat"), other_objects="ignore")
    assert ignoring.read_mask(ignoring[0]).tolist() == [[0, 2, 255, 255]]
    assert ids(datasets.create("voc", root=devkit, split="trainaug", classes=("person",))) == ["2007_1"]
    with pytest.raises(InputError, match="none with any of"):
        datasets.create("voc", root=devkit, classes=("sheep",))


def test_difficult_boxes_count_unless_asked_otherwise(devkit):
    easy = datasets.create("voc", root=devkit, difficult=False)
    assert [record.labels for record in easy] == [("cat", "person"), ("dog",)]
    assert datasets.create("voc", root=devkit)[1].labels == ("cat", "dog")


def test_auto_prefers_the_table_of_labels(devkit):
    (devkit / "image_labels.csv").write_text("image,labels\n2007_1,dog\n2009_4,sheep\n")
    dataset = datasets.create("voc", root=devkit)
    assert [(record.id, record.labels) for record in dataset] == [("2007_1", ("dog",))]
    assert "2007_2` has no row" in dataset.set_aside["2007_2"]
    assert datasets.create("voc", root=devkit, labels="xml")[0].labels == ("cat", "person")


def test_auto_never_takes_labels_from_masks(devkit):
    for path in (devkit / "Annotations").iterdir():
        path.unlink()
    (devkit / "Annotations").rmdir()
    with pytest.raises(InputError, match=r"neither image_labels\.csv nor a folder Annotations"):
        datasets.create("voc", root=devkit)
    from_masks = datasets.create("voc", root=devkit, labels="masks")
    assert [record.labels for record in from_masks] == [("cat", "person"), ("dog",)]
    with pytest.raises(InputError, match="`labels: xml` needs Annotations"):
        datasets.create("voc", root=devkit, labels="xml")


def test_rows_of_path_pairs_are_understood(devkit):
    path = devkit / "ImageSets" / "Segmentation" / "trainaug.txt"
    path.write_text("/JPEGImages/2008_3.jpg /SegmentationClassAug/2008_3.png\n")
    assert ids(datasets.create("voc", root=devkit, split="trainaug")) == ["2008_3"]


def test_missing_files_are_set_aside(devkit):
    (devkit / "JPEGImages" / "2007_1.jpg").unlink()
    (devkit / "SegmentationClass" / "2007_2.png").unlink()
    dataset = datasets.create("voc", root=devkit, split="trainaug")
    assert ids(dataset) == ["2007_2", "2008_3"]
    assert "does not exist, but the split lists it" in dataset.set_aside["2007_1"]
    assert dataset[0].mask is None
    (devkit / "Annotations" / "2008_3.xml").write_text("<annotation><object>")
    assert "not valid XML" in datasets.create("voc", root=devkit, split="trainaug").set_aside["2008_3"]


@pytest.mark.parametrize("labels", ["xml", "masks"])
def test_a_name_that_no_file_can_have_is_set_aside(devkit, labels):
    lists = devkit / "ImageSets/Segmentation/train.txt"
    lists.write_text(lists.read_text() + "x" * 300 + "\n")
    found = datasets.create("voc", "train_only", devkit, labels=labels)
    assert len(found) and "does not exist" in found.set_aside["x" * 300]


def test_a_label_that_is_no_voc_class_is_an_error(devkit):
    (devkit / "image_labels.csv").write_text("image,labels\n2007_1,cat persn\n2007_2,dog\n")
    with pytest.raises(
        InputError, match=r"image_labels\.csv: image `2007_1` has the label `persn`.*`person`"
    ):
        datasets.create("voc", root=devkit)


def test_wrong_layout_and_options(devkit):
    with pytest.raises(InputError, match="needs `root`"):
        datasets.create("voc")
    with pytest.raises(InputError, match=r"no folder JPEGImages; did you mean .*VOC2012"):
        datasets.create("voc", root=devkit.parent)
    with pytest.raises(InputError, match=r"no list vall\.txt; did you mean `val`"):
        datasets.create("voc", root=devkit, split="vall")
    with pytest.raises(InputError, match="did you mean `cat`"):
        datasets.create("voc", root=devkit, classes=("catt",))
    with pytest.raises(InputError, match="did you mean `masks`"):
        datasets.create("voc", root=devkit, labels="mask")
    (devkit / "ImageSets" / "Segmentation" / "val.txt").write_text("\n")
    with pytest.raises(InputError, match=r"val\.txt is empty"):
        datasets.create("voc", root=devkit, split="val")
