"""Annotation files and image folders of COCO's format where several tools put them."""

import json

import numpy as np
import pytest
from PIL import Image

from wsseg import datasets
from wsseg.cli import main
from wsseg.datasets.coco_files import annotated_splits
from wsseg.datasets.layouts import detect
from wsseg.errors import InputError

LAYOUTS = {
    "COCO": ("annotations/instances_{}2017.json", "{}2017", ("train", "val")),
    "COCO, images together": ("annotations/instances_{}2014.json", "images/{}2014", ("train", "val")),
    "Datumaro": ("annotations/instances_{}.json", "images/{}", ("train", "val")),
    "without a year": ("annotations/instances_{}.json", "{}", ("train", "val", "test")),
    "one folder of images": ("annotations/instances_{}.json", "images", ("train", "val")),
    "Roboflow": ("{}/_annotations.coco.json", "{}", ("train", "valid", "test")),
}


def write(root, annotations, images, split, seed):
    """Write a split with two images of its own; the objects are drawn in the boxes."""
    random = np.random.default_rng(seed)
    content = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    for number in (1, 2):
        name = f"{split}_{number}.jpg"
        path = root / images.format(split) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (20, 30, 3), np.uint8)).save(path)
        content["images"].append({"id": number, "file_name": name, "height": 20, "width": 30})
        content["annotations"].append(
            {
                "id": number, "image_id": number, "category_id": number, "bbox": [4, 5, 6, 7], "area": 42, "iscrowd": 0,
                "segmentation": [[4, 5, 10, 5, 10, 12, 4, 12]],
            }
        )  # fmt: skip
    path = root / annotations.format(split)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return content


def stems(dataset):
    return [record.id for record in dataset]


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_is_recognised(tmp_path, name):
    annotations, images, splits = LAYOUTS[name]
    for seed, split in enumerate(splits):
        write(tmp_path, annotations, images, split, seed)
    assert detect(tmp_path).name == "coco"
    asked = ["val" if split == "valid" else split for split in splits]
    assert annotated_splits(tmp_path) == sorted(asked, key=lambda split: (split != "train", split))
    for split, wanted in zip(splits, asked, strict=True):
        for one in {split, wanted}:
            dataset = datasets.create("coco", root=tmp_path, split=one)
            assert stems(dataset) == [f"{split}_1", f"{split}_2"]
            assert (dataset.read_mask(dataset[1]) == 2).sum() == 42
    if "year" not in name:
        with pytest.raises(InputError, match=r"does not exist; .* holds "):
            datasets.create("coco", root=tmp_path, split="other")


def test_an_export_without_subsets_is_the_training_split(tmp_path):
    for number, images in enumerate(("images/default", "images")):
        root = tmp_path / str(number)
        write(root, "annotations/instances_{}.json", images, "default", number)
        assert detect(root).splits(root, {}) == ["default"]
        for split in ("train", "default"):
            assert stems(datasets.create("coco", root=root, split=split)) == ["default_1", "default_2"]
        with pytest.raises(
            InputError, match=r"`default` is the only subset.* export the subsets train and val"
        ):
            datasets.create("coco", root=root, split="val")


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ("{split}.json", "photos/{split}"),
        ({"train": "train.json", "valid": "valid.json"}, {"train": "photos/train", "val": "photos/valid"}),
        ({"train": "train.json", "val": "valid.json"}, "photos/{split}"),
    ],
)
def test_a_file_for_each_split(tmp_path, annotations, images):
    for seed, split in enumerate(("train", "valid")):
        write(tmp_path, "{}.json", "photos/{}", split, seed)
    options = {"annotations": annotations, "images": images}
    for split, found in (("train", "train"), ("val", "valid"), ("valid", "valid")):
        dataset = datasets.create("coco", root=tmp_path, split=split, **options)
        assert stems(dataset) == [f"{found}_1", f"{found}_2"]
        assert dataset[0].image.parent == tmp_path / "photos" / found
    with pytest.raises(InputError, match=r"`annotations`|test\.json does not exist"):
        datasets.create("coco", root=tmp_path, split="test", **options)
    with pytest.raises(InputError, match="`images` of dataset `coco` must be text or pairs"):
        datasets.create("coco", root=tmp_path, split="train", annotations="train.json", images=["photos"])


def test_images_beside_a_file_that_is_named(tmp_path):
    write(tmp_path, "export/labels.json", "export", "train", 0)
    assert stems(datasets.create("coco", root=tmp_path, annotations="export/labels.json")) == [
        "train_1",
        "train_2",
    ]


def checked(capsys, root, *words):
    status = main(["datasets", "check", str(root), *words])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def test_a_check_finds_images_of_two_splits(tmp_path, capsys):
    for seed, split in enumerate(("train", "valid")):
        write(tmp_path, *LAYOUTS["Roboflow"][:2], split, seed)
    assert checked(capsys, tmp_path)[0] == 0
    status, text = checked(capsys, tmp_path, "--option", "annotations=train/_annotations.coco.json")
    assert status == 2 and "images of val that are also in train (2):" in text and "train_1.jpg is " in text
    (tmp_path / "valid/valid_2.jpg").write_bytes((tmp_path / "train/train_1.jpg").read_bytes())
    status, text = checked(capsys, tmp_path, "--fast")
    assert status == 2 and "images of val that are also in train (1):\n    valid_2: " in text
    (tmp_path / "valid/valid_2.jpg").write_bytes((tmp_path / "valid/valid_1.jpg").read_bytes())
    status, text = checked(capsys, tmp_path)
    assert (
        status == 2  # with different labels
        and "images that are in the split twice (1):\n    valid_2: has the content of `valid_1`" in text
    )


def test_a_check_finds_classes_that_differ(tmp_path, capsys):
    for seed, split in enumerate(("train", "valid")):
        content = write(tmp_path, *LAYOUTS["Roboflow"][:2], split, seed)
    content["categories"] = [{"id": 2, "name": "cat"}, {"id": 1, "name": "dog"}]
    (tmp_path / "valid/_annotations.coco.json").write_text(json.dumps(content))
    status, text = checked(capsys, tmp_path)
    assert status == 2 and "train has the classes cat, dog\n  val has the classes dog, cat" in text
    assert checked(capsys, tmp_path, "--classes", "cat", "dog")[0] == 0


def test_equal_stems_in_two_folders_have_paths_as_names(tmp_path):
    content = write(tmp_path, "annotations/instances_{}.json", "images", "train", 0)
    for folder, image in zip("ab", content["images"], strict=True):
        (tmp_path / "images" / folder).mkdir()
        (tmp_path / "images" / image["file_name"]).rename(tmp_path / "images" / folder / "x.jpg")
        image["file_name"] = f"{folder}/x.jpg" if folder == "a" else r"b\x.jpg"
    (tmp_path / "annotations/instances_train.json").write_text(json.dumps(content))
    dataset = datasets.create("coco", root=tmp_path)
    assert {record.id: (record.image, record.labels) for record in dataset} == {
        "a__x": (tmp_path / "images/a/x.jpg", ("cat",)),
        "b__x": (tmp_path / "images/b/x.jpg", ("dog",)),
    }
    assert [np.unique(dataset.read_mask(record)).tolist() for record in dataset] == [[0, 1], [0, 2]]
    assert not dataset.set_aside
    (tmp_path / "images/a/x.jpg").rename(tmp_path / "images/x.jpg")  # both fall back to it
    (tmp_path / "images/b/x.jpg").unlink()
    dataset = datasets.create("coco", root=tmp_path)
    assert [record.id for record in dataset] == ["a__x"] and "is also the image `a__x`" in dataset.set_aside[
        "b__x"
    ]


def test_a_category_of_the_background_and_coordinates_that_are_shares(tmp_path):
    content = write(tmp_path, "annotations/instances_{}.json", "images", "train", 0)
    path = tmp_path / "annotations/instances_train.json"
    content["categories"].insert(0, {"id": 0, "name": "_background_"})
    path.write_text(json.dumps(content))
    dataset = datasets.create("coco", root=tmp_path)
    assert dataset.classes == ("cat", "dog") and np.unique(dataset.read_mask(dataset[1])).tolist() == [0, 2]
    content["annotations"].append(content["annotations"][0] | {"id": 9, "category_id": 0, "image_id": 2})
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"`_background_` has annotations.*`classes: \[cat, dog\]`"):
        datasets.create("coco", root=tmp_path)
    assert len(datasets.create("coco", root=tmp_path, classes=("cat", "dog"))) == 2
    del content["annotations"][2], content["categories"][0]
    for entry in content["annotations"]:
        entry |= {"bbox": [0.1, 0.2, 0.3, 0.4], "segmentation": [[0.1, 0.2, 0.4, 0.2, 0.4, 0.6]]}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="shares of the image"):
        datasets.create("coco", root=tmp_path)


def renamed(root, name):
    """Write a split in whose file the first image has another name."""
    content = write(root, "annotations/instances_{}.json", "images", "train", 0)
    content["images"][0]["file_name"] = name
    (root / "annotations/instances_train.json").write_text(json.dumps(content))


@pytest.mark.parametrize("kind", ["relative", "full", "backslashes"])
def test_an_image_outside_of_the_root_is_read_only_if_that_is_allowed(tmp_path, kind):
    Image.new("RGB", (30, 20)).save(tmp_path / "secret.jpg")
    name = {
        "relative": "../../secret.jpg",
        "full": str(tmp_path / "secret.jpg"),
        "backslashes": "..\\..\\secret.jpg",
    }[kind]
    renamed(tmp_path / "root", name)
    found = datasets.create("coco", "train", tmp_path / "root")
    assert stems(found) == ["train_2"]
    (reason,) = found.set_aside.values()
    assert "lies outside of" in reason and "`dataset.outside_root: true`" in reason
    allowed = datasets.create("coco", "train", tmp_path / "root", outside_root=True)
    assert len(allowed) == 2 and allowed.set_aside == {}


def test_ways_around_inside_of_the_root_and_links_stay_allowed(tmp_path):
    renamed(tmp_path / "root", "../images/train_1.jpg")
    assert len(datasets.create("coco", "train", tmp_path / "root")) == 2
    (tmp_path / "root/images").rename(tmp_path / "elsewhere")
    (tmp_path / "root/images").symlink_to(tmp_path / "elsewhere")
    assert len(datasets.create("coco", "train", tmp_path / "root")) == 2


@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "a\0.jpg", "x/" * 3000 + "a.jpg"])
def test_a_name_that_no_file_can_have_is_set_aside(tmp_path, name):
    renamed(tmp_path, name)
    found = datasets.create("coco", "train", tmp_path)
    assert stems(found) == ["train_2"] and "does not exist" in str(found.set_aside)
