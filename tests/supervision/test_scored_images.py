"""A run whose scored images are also trained on does not start."""

import json

import numpy as np
import pytest
from PIL import Image

from wsseg import datasets
from wsseg.cli import main
from wsseg.errors import InputError
from wsseg.recipe.reading import load_recipe
from wsseg.supervision.splits import Splits


@pytest.fixture
def root(tmp_path):
    """Four images to train on and two to validate on, in the layout of dataset `folder`."""
    random = np.random.default_rng(0)
    rows = ["image,labels,split"]
    for number in range(6):
        Image.fromarray(random.integers(0, 256, (20, 24, 3), np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{('cat', 'dog')[number % 2]},{'train' if number < 4 else 'val'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def splits(root, *words):
    return Splits(load_recipe(overrides=["--dataset.name=folder", f"--dataset.root={root}", *words]))


def test_splits_apart_are_in_order(root):
    splits(root).check_scored()


@pytest.mark.parametrize(
    ("train", "val", "count"), [("all", "val", 2), ("train", "train", 4), ("val", "all", 2)]
)
def test_splits_that_share_files(root, train, val, count):
    with pytest.raises(
        InputError, match=rf"{count} of the . images of the validation split `{val}` are also in"
    ) as found:
        splits(root, f"--dataset.train={train}", f"--dataset.val={val}").check_scored()
    assert f"training split `{train}`, such as {root}" in str(found.value) and "(the same file)" in str(
        found.value
    )


def test_copies_under_another_name(root):
    (root / "5.png").write_bytes((root / "1.png").read_bytes())
    with pytest.raises(InputError, match=r"1 of the 2 images .* such as .*5\.png \(equal to .*1\.png\)"):
        splits(root).check_scored()


def test_a_level_is_not_chosen_on_copies_of_training_images(root):
    for number in (4, 5):
        (root / f"{number}.png").write_bytes((root / f"{number - 4}.png").read_bytes())
    with pytest.raises(
        InputError, match=r"`label.threshold.split`: `val` shares 2 images with the training split"
    ):
        splits(root, "--label.threshold.split=val").check_calibration()


def test_the_run_is_refused_before_its_folder_is_made(root, tmp_path, capsys):
    words = ["--run", str(tmp_path / "made"), "--dataset.name", "folder", "--dataset.root", str(root)]
    small = ["--segment.train_on", "true_masks", "--segment.backbone", "plain", "--segment.weights", "null"]
    (root / "masks").mkdir()
    for number in range(6):
        Image.fromarray(np.full((20, 24), 1 + number % 2, np.uint8)).save(root / f"masks/{number}.png")
    status = main(
        ["run", "--name", "own", *words, "--dataset.train", "all", *small, "--segment.network", "fpn"]
    )
    found = capsys.readouterr().err
    assert status == 2 and "validation split `val` are also in the training split `all`" in found
    assert not (tmp_path / "made/recipe.yaml").exists()


def coco(root, split, categories, annotation):
    path = root / split / "_annotations.coco.json"
    path.parent.mkdir()
    pixels = np.random.default_rng(list(split.encode())).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(path.parent / f"{split}.jpg")
    content = {"images": [{"id": 1, "file_name": f"{split}.jpg", "height": 20, "width": 30}]}
    content |= {"annotations": annotation, "categories": categories}
    path.write_text(json.dumps(content))


def test_classes_that_differ_and_objects_without_an_outline(tmp_path):
    cat, dog = ({"id": number, "name": name} for number, name in ((1, "cat"), (2, "dog")))
    outline = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "bbox": [1, 1, 5, 5],
        "segmentation": [[1, 1, 6, 1, 6, 6]],
    }
    coco(tmp_path, "train", [cat, dog], [outline, outline | {"id": 2, "category_id": 2, "segmentation": []}])
    coco(tmp_path, "valid", [cat, {"id": 3, "name": "cow"}], [outline])
    words = ["--dataset.name=coco", f"--dataset.root={tmp_path}"]
    with pytest.raises(
        InputError, match=r"classes of the splits `train` and `val` differ \(cow, dog\); name the classes"
    ):
        Splits(load_recipe(overrides=words)).check_scored()
    opened = Splits(load_recipe(overrides=[*words, "--dataset.classes=[cat]"]))
    opened.check_scored()
    (note,) = opened.notes(["train", "val_masks"])
    assert (
        note.startswith("split `train`: 1 object without a usable outline or box")
        and "annotation 2 of image 1" in note
    )
    assert opened.notes(["val"]) == []
    assert datasets.create("coco", split="val", root=tmp_path).classes == ("cat", "cow")
