import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from wsseg import datasets
from wsseg.artifacts import read_mask
from wsseg.datasets.scenes import CLASSES, render
from wsseg.errors import InputError

SMALL = {"size": 48, "train_images": 6, "val_images": 4}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes")
    datasets.create("scenes", split="train", root=root, **SMALL)
    datasets.create("scenes", split="val", root=root, **SMALL)
    return root


def test_files_are_the_rendered_scenes(root):
    dataset = datasets.create("scenes", split="train", root=root, **SMALL)
    assert dataset.classes == CLASSES
    assert len(dataset) == 6
    for index, record in enumerate(dataset):
        scene = render(0, "train", index, 48)
        np.testing.assert_array_equal(dataset.read_image(record), scene.image)
        np.testing.assert_array_equal(dataset.read_mask(record), scene.mask)
        np.testing.assert_array_equal(
            read_mask(root / "train" / "instances" / f"{record.id}.png"), scene.instances
        )
        assert record.labels == scene.labels


def test_labels_are_the_classes_of_the_mask(root):
    dataset = datasets.create("scenes", split="val", root=root, **SMALL)
    for record in dataset:
        present = np.unique(dataset.read_mask(record))
        assert dataset.label_vector(record).tolist() == [float(k + 1 in present) for k in range(len(CLASSES))]


def test_objects_are_recorded(root):
    index = json.loads((root / "val" / "objects.json").read_text())
    assert len(index["scenes"]) == 4
    for name, objects in index["scenes"].items():
        instances = read_mask(root / "val" / "instances" / f"{name}.png")
        for item in objects:
            assert (instances == item["instance"]).sum() == item["area"]
            assert set(item) == {"instance", "label", "colour", "box_xyxy", "area", "head_area"}


def test_splits_share_no_image(root):
    train = datasets.create("scenes", split="train", root=root, **SMALL)
    val = datasets.create("scenes", split="val", root=root, **SMALL)
    assert not {record.id for record in train} & {record.id for record in val}
    pixels = [dataset.read_image(record).tobytes() for dataset in (train, val) for record in dataset]
    assert len(set(pixels)) == len(pixels)


def test_a_second_call_renders_nothing(root, monkeypatch):
    def fail(*arguments):
        raise AssertionError("rendered again")

    monkeypatch.setattr("wsseg.datasets.scenes.dataset.render", fail)
    assert len(datasets.create("scenes", split="train", root=root, **SMALL)) == 6


def test_default_folder_is_the_cache_named_by_the_options(tmp_path, monkeypatch):
    monkeypatch.setenv("WSSEG_CACHE", str(tmp_path / "cache"))
    first = datasets.create("scenes", split="val", **SMALL)
    second = datasets.create("scenes", split="val", **SMALL, seed=1)
    folders = list((tmp_path / "cache").iterdir())
    assert len(folders) == 2
    assert all(folder.name.startswith("scenes-") for folder in folders)
    assert first.fingerprint() != second.fingerprint()
    assert [record.labels for record in first] != [record.labels for record in second]


def test_nothing_is_left_of_an_interrupted_rendering(tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("wsseg.datasets.scenes.dataset.write_mask", interrupt)
        datasets.create("scenes", split="val", root=tmp_path, **SMALL)
    assert list(tmp_path.iterdir()) == []
    assert len(datasets.create("scenes", split="val", root=tmp_path, **SMALL)) == 4


def test_several_at_once_agree(tmp_path):
    def make(_):
        return datasets.create("scenes", split="val", root=tmp_path, **SMALL).fingerprint()

    with ThreadPoolExecutor(4) as pool:
        fingerprints = set(pool.map(make, range(4)))
    assert len(fingerprints) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["val"]


def test_processes_render_the_same(tmp_path):
    options = {"size": 32, "train_images": 1, "val_images": 200}
    one = datasets.create("scenes", split="val", root=tmp_path / "one", workers=1, **options)
    two = datasets.create("scenes", split="val", root=tmp_path / "two", workers=2, **options)
    assert one.fingerprint() == two.fingerprint()
    assert [record.id for record in one] == [f"val_{index:05d}" for index in range(200)]


def test_scenes_of_other_options_are_not_mistaken(root):
    with pytest.raises(InputError, match=r"train holds scenes made with .*'seed': 0.*'seed': 3"):
        datasets.create("scenes", split="train", root=root, **SMALL, seed=3)


def test_something_in_the_way_is_named(tmp_path):
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "notes.txt").touch()
    with pytest.raises(InputError, match=r"cannot write scenes to .*val .*delete the existing folder"):
        datasets.create("scenes", split="val", root=tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["val"]


def test_some_classes(root):
    everything = datasets.create("scenes", split="train", root=root, **SMALL)
    name = everything[0].labels[0]
    other = next(label for label in CLASSES if label != name)
    dataset = datasets.create("scenes", split="train", root=root, classes=(other, name), **SMALL)
    assert dataset.classes == (other, name)
    record = next(item for item in dataset if item.id == everything[0].id)
    theirs = everything.read_mask(everything[0]) == CLASSES.index(name) + 1
    np.testing.assert_array_equal(dataset.read_mask(record) == 2, theirs)
    assert all(set(item.labels) <= {name, other} for item in dataset)
    assert len(dataset) == sum(bool({name, other} & set(item.labels)) for item in everything)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"split": "test"}, "no split `test`; choose one of: train, val"),
        ({"size": 16}, "`size` .* whole number from 32; got 16"),
        ({"seed": -1}, "`seed`"),
        ({"train_images": 0}, "`train_images`"),
        ({"val_images": 2.5}, "`val_images`"),
        ({"classes": ("dasy",)}, "did you mean `daisy`"),
        ({"other_objects": "drop"}, "`other_objects` must be"),
        ({"train_image": 3}, "did you mean `train_images`"),
    ],
)
def test_wrong_options(root, options, match):
    with pytest.raises(InputError, match=match):
        datasets.create("scenes", **{"root": root, **SMALL, **options})


def test_masks_open_as_palette_images(root):
    with Image.open(root / "train" / "masks" / "train_00000.png") as image:
        assert image.mode == "P"
        assert image.getpalette()[3:6] == [128, 0, 0]


def test_instances_are_the_rendered_objects(root):
    dataset = datasets.create("scenes", split="train", root=root, **SMALL)
    for index, record in enumerate(dataset):
        objects = render(0, "train", index, 48).objects
        found = dataset.read_instances(record)
        assert [CLASSES[number - 1] for number in found.class_ids] == [item.label for item in objects]
        assert found.boxes_xyxy.tolist() == [list(item.box_xyxy) for item in objects]
        assert found.masks.sum(axis=(1, 2)).tolist() == [item.area for item in objects]


def test_without_masks_there_are_no_instances_either(root):
    dataset = datasets.create("scenes", split="train", root=root, **SMALL).without_masks()
    assert all(record.instances is None for record in dataset)
    with pytest.raises(InputError, match="has no instances"):
        dataset.read_instances(dataset[0])
