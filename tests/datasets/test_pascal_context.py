import numpy as np
import pytest
import scipy.io
from PIL import Image

from wsseg import datasets
from wsseg.datasets.pascal_context import read_names
from wsseg.errors import InputError

# A few rows of labels.txt with their official numbers, and forms of three names for 59 and 33.
LABELS = {1: "accordion", 2: "aeroplane", 3: "air conditioner", 19: "bedclothes", 65: "cloth", 113: "dog",
          415: "table", 459: "wood"}  # fmt: skip
FORM_59 = "1: aeroplane\n2: diningtable\n3: dog\n4: bedcloth\n5: clothes\n"
FORM_33 = "1: dog\n2: wood\n"
MAPS = {
    "2008_000002": [[2, 2, 459, 1], [415, 19, 65, 3]],
    "2008_000003": [[113, 113, 113, 113], [0, 459, 459, 1]],
    "2010_000004": [[1, 3, 459, 459], [1, 3, 459, 459]],
}


def save_map(root, name, values):
    """As the official files load: a variable LabelMap of 16 bits."""
    scipy.io.savemat(root / "trainval" / f"{name}.mat", {"LabelMap": np.uint16(values)}, do_compression=True)


def context(**options):
    return datasets.create("pascal_context", **({"labels": "masks"} | options))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "trainval").mkdir()
    (tmp_path / "labels.txt").write_text("".join(f"{number}: {name}\n" for number, name in LABELS.items()))
    (tmp_path / "59_labels.txt").write_text(FORM_59)
    (tmp_path / "33_labels.txt").write_text(FORM_33)
    lists = tmp_path / "VOC2010/ImageSets/Main"
    for folder in (lists, tmp_path / "VOC2010/JPEGImages"):
        folder.mkdir(parents=True)
    for name, values in MAPS.items():
        save_map(tmp_path, name, values)
        Image.new("RGB", (4, 2)).save(tmp_path / "VOC2010/JPEGImages" / f"{name}.jpg")
    (lists / "train.txt").write_text("2008_000002\n2008_000003\n2010_000004\n")
    (lists / "val.txt").write_text("2008_000003\n")
    (lists / "dog_train.txt").write_text("2008_000003  1\n")
    return tmp_path


def ids(dataset):
    return [record.id for record in dataset]


def test_59_classes(root):
    dataset = context(root=root)
    assert dataset.classes == ("aeroplane", "diningtable", "dog", "bedcloth", "clothes")
    assert [(record.id, record.labels) for record in dataset] == [
        ("2008_000002", ("aeroplane", "diningtable", "bedcloth", "clothes")),
        ("2008_000003", ("dog",)),
    ]
    mask = dataset.read_mask(dataset[0])
    assert mask.dtype == np.uint8 and mask.tolist() == [[1, 1, 0, 0], [2, 4, 5, 0]]
    assert dataset.read_mask(dataset[1]).tolist() == [[3, 3, 3, 3], [0, 0, 0, 0]]
    assert dataset[0].instances is None
    assert ids(context(root=root, split="val")) == ["2008_000003"]


def test_33_classes_and_ignored_others(root):
    dataset = context(root=root, form=33, other_objects="ignore")
    assert dataset.classes == ("dog", "wood") and len(dataset) == 3
    assert dataset.read_mask(dataset[1]).tolist() == [[1, 1, 1, 1], [255, 2, 2, 255]]
    (root / "33_labels.txt").rename(root / "33_context_labels.txt")
    assert context(root=root, form=33).classes == ("dog", "wood")


def test_some_classes(root):
    dataset = context(root=root, classes=("dog", "diningtable"))
    assert [record.labels for record in dataset] == [("diningtable",), ("dog",)]
    assert dataset.read_mask(dataset[0]).tolist() == [[0, 0, 0, 0], [2, 0, 0, 0]]
    with pytest.raises(InputError, match="did you mean `dog`"):
        context(root=root, classes=("dogs",))


def test_images_with_none_of_the_classes(root):
    dataset = context(root=root, allow_unlabelled=True)
    assert ids(dataset) == list(MAPS) and dataset[2].labels == ()
    assert not dataset.read_mask(dataset[2]).any()


def test_labels_of_a_table_leave_the_masks_alone(root):
    (root / "image_labels.csv").write_text("image,labels\n2008_000002,dog\n2010_000004,aeroplane\n")
    for path in (root / "trainval").glob("*.mat"):
        path.write_bytes(b"not opened")
    dataset = context(root=root, labels="auto")
    assert [record.labels for record in dataset] == [("dog",), ("aeroplane",)]
    assert "`2008_000003` has no row" in dataset.set_aside["2008_000003"]
    assert all(record.mask is None for record in dataset.without_masks())
    (root / "image_labels.csv").write_text("image,labels\n2008_000002,dgo\n")
    with pytest.raises(InputError, match="the label `dgo`; did you mean `dog`"):
        context(root=root, labels="auto")


def test_a_changed_map_is_read_again(root):
    assert context(root=root)[0].labels[0] == "aeroplane"
    save_map(root, "2008_000002", [[113] * 40] * 2)
    assert context(root=root)[0].labels == ("dog",)


def test_missing_and_broken_files_are_set_aside(root):
    (root / "VOC2010/JPEGImages/2008_000002.jpg").unlink()
    (root / "trainval/2008_000003.mat").write_bytes(b"no matrix")
    (root / "trainval/2010_000004.mat").unlink()
    with pytest.raises(
        InputError, match=r"3 listed, 3 set aside .*first: .*000002\.jpg does not exist.*VOC 2010"
    ):
        context(root=root)
    save_map(root, "2010_000004", [[113] * 4] * 2)
    dataset = context(root=root)
    assert "2008_000003.mat cannot be read" in dataset.set_aside["2008_000003"]


def test_masks_of_another_size_or_with_unknown_ids(root):
    dataset = context(root=root)
    save_map(root, "2008_000002", [[460] * 4] * 2)
    with pytest.raises(
        InputError, match=r"2008_000002\.mat holds the value 460; expected 0 \(background\), class ids"
    ):
        dataset.read_mask(dataset[0])
    save_map(root, "2008_000002", [[2] * 5] * 2)
    with pytest.raises(InputError, match=r"000002\.mat is 5 x 2 pixels but its image .* is 4 x 2"):
        dataset.read_mask(dataset[0])
    scipy.io.savemat(dataset[0].mask, {"LabelMap": np.full((2, 4), 0.5)})
    with pytest.raises(InputError, match=r"LabelMap of .*000002\.mat must be a matrix of whole numbers"):
        dataset.read_mask(dataset[0])
    scipy.io.savemat(dataset[0].mask, {"LabelMap": np.full((2, 4), 2.0)})  # MATLAB's usual type
    assert dataset.read_mask(dataset[0]).tolist() == [[1] * 4] * 2


def test_the_devkit_may_lie_elsewhere(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "VOC2010"
    (root / "VOC2010").rename(other)
    with pytest.raises(
        InputError, match="no folder JPEGImages; give the devkit's folder VOC2010 as the option `voc`"
    ):
        context(root=root)
    assert len(context(root=root, voc=str(other))) == 2
    for path in ("trainval", "labels.txt", "59_labels.txt"):
        (root / path).rename(other / path)
    assert len(context(root=other)) == 2
    (other / "ImageSets/Main").rename(other / "ImageSets/Segmentation")
    assert len(context(root=other)) == 2


def test_names(root):
    assert read_names(root / "labels.txt")[3] == "airconditioner"
    for text in ("1 accordion", "one: accordion", "1:"):
        (root / "labels.txt").write_text(f"2: aeroplane\n{text}\n")
        with pytest.raises(InputError, match=r"labels\.txt, line 2: expected `id: name`"):
            context(root=root)
    (root / "labels.txt").write_text("2: aeroplane\n113: dogs\n415: table\n19: bedclothes\n65: cloth\n")
    with pytest.raises(
        InputError, match=r"59_labels\.txt names `dog`, which is not in labels\.txt; did you mean `dogs`"
    ):
        context(root=root)
    (root / "labels.txt").unlink()
    with pytest.raises(InputError, match=r"labels\.txt does not exist"):
        context(root=root)


def test_wrong_places_and_options(root):
    with pytest.raises(InputError, match="needs `root`"):
        context()
    with pytest.raises(InputError, match="no folder trainval"):
        context(root=root / "VOC2010")
    with pytest.raises(InputError, match="59 or 33"):
        context(root=root, form=60)
    with pytest.raises(InputError, match=r"no list vall\.txt; did you mean `val`"):
        context(root=root, split="vall")
    with pytest.raises(InputError, match=r"`labels` .* `mask`; did you mean `masks`"):
        context(root=root, labels="mask")
    with pytest.raises(InputError, match=r"`labels: csv` needs image_labels\.csv"):
        context(root=root, labels="csv")
    with pytest.raises(InputError, match="`other_objects`"):
        context(root=root, other_objects="drop")


def test_that_masks_are_read_for_the_labels_must_be_said(root):
    with pytest.raises(InputError, match="`labels: masks` reads them from there"):
        datasets.create("pascal_context", root=root)
