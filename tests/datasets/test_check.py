import json

import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import write_mask
from wsseg.cli import main
from wsseg.datasets import DATASETS, Dataset
from wsseg.datasets.check import check
from wsseg.datasets.layouts import detect
from wsseg.datasets.listing import argument_meanings, described, listing
from wsseg.datasets.split_check import check_split
from wsseg.datasets.voc import voc
from wsseg.errors import InputError

CAT, DOG = 8, 12  # VOC's ids.
SIZE_HW = (16, 20)


def photograph(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(list(path.stem.encode())).integers(0, 256, (*SIZE_HW, 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def devkit(tmp_path):
    """Two training images, each with a cat of 4 x 5 pixels and a dog of 2 x 2, and one to validate."""
    root = tmp_path / "VOC2012"
    for folder in ("ImageSets/Segmentation", "SegmentationClass", "SegmentationObject"):
        (root / folder).mkdir(parents=True)
    for name in ("a", "bb", "ccc"):
        photograph(root / "JPEGImages" / f"{name}.jpg")
        classes, numbers = np.zeros(SIZE_HW, np.uint8), np.zeros(SIZE_HW, np.uint8)
        classes[:4, :5], numbers[:4, :5] = CAT, 1
        classes[10:12, 10:12], numbers[10:12, 10:12] = DOG, 2
        classes[4], numbers[4] = 255, 255
        write_mask(root / "SegmentationClass" / f"{name}.png", classes)
        write_mask(root / "SegmentationObject" / f"{name}.png", numbers)
    (root / "ImageSets/Segmentation/train.txt").write_text("a\nbb\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("ccc\n")
    (root / "ImageSets/Segmentation/trainval.txt").write_text("a\nbb\nccc\n")
    (root / "image_labels.csv").write_text("image,labels\na,cat dog\nbb,cat\nccc,dog\n")
    return root


def said(root, **options):
    """Check a dataset; return all that was said."""
    lines = []
    check(root, say=lines.append, **options)
    return "\n".join(lines)


def complaints(root, message, **options):
    """Check a dataset that is not in order; return all that was said before it failed."""
    lines = []
    with pytest.raises(InputError, match=message):
        check(root, say=lines.append, **options)
    return "\n".join(lines)


def row(text, name):
    """The cells of a class in the first split's table."""
    return next(line.split()[1:] for line in text.splitlines() if line.split()[:1] == [name])


def test_counts_of_what_was_drawn(devkit):
    found = check_split(voc(root=devkit, classes=("dog", "cat")))
    assert (found.images, found.masks, found.instances) == (2, 2, 2)
    assert found.labelled == {"cat": 2, "dog": 1} and found.objects == {"cat": 2, "dog": 2}
    ignored = SIZE_HW[1]
    background = SIZE_HW[0] * SIZE_HW[1] - 20 - 4 - ignored
    assert found.pixels == {
        "background": 2 * background, "cat": 2 * 20, "dog": 2 * 4, "ignored": 2 * ignored,
    }  # fmt: skip
    assert found.broken == {} and found.notes == {} and found.crowds == 0


def test_the_text(devkit):
    text = said(devkit, options={"classes": ["dog", "cat"]})
    assert text.startswith(f"{devkit}: voc\nsplits: train, val\n")
    assert "train: 2 images, 2 with masks, 2 with instances" in text and "val: 1 image, " in text
    assert row(text, "class") == ["images", "pixels", "instances"]
    assert row(text, "cat") == ["2", "6.25", "%", "2"]  # 20 of 320 pixels
    assert row(text, "background") == ["86.25", "%"]
    assert row(said(devkit, splits=["val"]), "sheep") == ["0", "0.00", "%", "0"]


def test_fast_opens_no_file(devkit, monkeypatch):
    (devkit / "JPEGImages/a.jpg").write_bytes(b"no image")
    for reader in ("read_mask", "read_instances", "read_image"):
        monkeypatch.setattr(Dataset, reader, None)
    text = said(devkit, fast=True)
    assert "train: 2 images, 2 with masks, 2 with instances" in text
    assert row(text, "class") == ["images"] and row(text, "cat") == ["2"]


def test_everything_broken_is_listed_before_it_fails(devkit):
    (devkit / "ImageSets/Segmentation/train.txt").write_text(
        "\n".join(["gone", "a", "bb", "dd", "eee", "ffff"])
    )
    table = devkit / "image_labels.csv"
    table.write_text(table.read_text() + "gone,cat\ndd,cat\neee,cat\nffff,cat\n")
    for name in ("dd", "eee", "ffff"):
        photograph(devkit / "JPEGImages" / f"{name}.jpg")
    (devkit / "JPEGImages/a.jpg").write_bytes((devkit / "JPEGImages/a.jpg").read_bytes()[:300])
    write_mask(devkit / "SegmentationClass/bb.png", np.zeros((3, 4), np.uint8))
    write_mask(devkit / "SegmentationClass/dd.png", np.full(SIZE_HW, 99, np.uint8))
    (devkit / "SegmentationClass/eee.png").write_bytes(b"")
    (devkit / "SegmentationObject/ccc.png").write_bytes(b"no png")
    text = complaints(devkit, r"VOC2012: 7 problems, listed above")
    assert "train: 5 images, 4 with masks" in text
    assert (
        "set aside (1):\n    gone: image" in text
        and "gone.jpg does not exist, but the split lists it" in text
    )
    assert (
        "images that cannot be used, and are set aside (1):\n    a: image" in text
        and "a.jpg cannot be read" in text
    )
    assert "masks that cannot be used, and are not scored (3):" in text
    assert "bb.png is 4 x 3 pixels but its image" in text and "dd.png holds the value 99" in text
    assert "mask " in text and "eee.png cannot be read" in text
    assert "images without mask (1):\n    ffff: " in text  # no fault: VOC has masks of some images only
    train, val = text.split("\n\nval: ")
    assert "instances that cannot be used (1):\n    bb: " in train
    assert "instances that cannot be used (1):\n    ccc: mask" in val


def test_only_the_first_few_of_a_kind_are_shown(devkit):
    lists = devkit / "ImageSets/Segmentation/train.txt"
    lists.write_text(lists.read_text() + "".join(f"gone{index}\n" for index in range(9)))
    text = complaints(devkit, "9 problems")
    assert (
        "set aside (9):" in text and "gone2: " in text and "gone3: " not in text and "... and 6 more" in text
    )


def test_a_split_that_cannot_be_read_hides_no_other(devkit):
    (devkit / "ImageSets/Segmentation/train.txt").write_text("")
    text = complaints(devkit, "1 problem, listed above")
    assert "train: cannot be read\n" in text and "train.txt is empty" in text and "val: 1 image, " in text


def layouts(root):
    """Make the least of each layout that tells it from others."""
    (root / "voc/JPEGImages").mkdir(parents=True)
    (root / "voc/ImageSets/Segmentation").mkdir(parents=True)
    (root / "cityscapes/leftImg8bit/train").mkdir(parents=True)
    (root / "coco/annotations").mkdir(parents=True)
    (root / "coco/annotations/instances_val2014.json").write_text("{}")
    for folder in ("trainval", "JPEGImages", "ImageSets/Segmentation", "ImageSets/Main"):
        (root / "pascal_context" / folder).mkdir(parents=True)
    (root / "pascal_context/labels.txt").write_text("")
    for name in ("train", "val", "dog_train"):
        (root / f"pascal_context/ImageSets/Main/{name}.txt").write_text("")
    for name in ("cat", "dog"):
        photograph(root / f"class_folders/{name}/1.jpg")
    (root / "folder").mkdir()
    (root / "folder/labels.csv").write_text("image,labels,split\na.jpg,cat,odd\nb.jpg,cat,even\n")


def test_layouts_are_told_apart(tmp_path):
    layouts(tmp_path)
    for name in ("voc", "cityscapes", "coco", "pascal_context", "folder", "class_folders"):
        assert detect(tmp_path / name).name == name
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"did you mean .*cityscapes"):
        detect(tmp_path)
    with pytest.raises(
        InputError, match=r"no known layout.*\n  cityscapes: leftImg8bit\n.*\n  coco: .*\n  voc: "
    ):
        detect(tmp_path / "none")
    with pytest.raises(InputError, match="nowhere is not a folder"):
        detect(tmp_path / "nowhere")


def test_splits(tmp_path, devkit):
    layouts(tmp_path)

    def splits(name, **options):
        layout = detect(tmp_path / name)
        return layout.splits(tmp_path / name, options)

    assert splits("coco") == ["val"] and splits("coco", year=2017) == []
    assert splits("pascal_context") == ["train", "val"]
    assert splits("folder") == ["even", "odd"]
    (tmp_path / "folder/labels.csv").write_text("image,labels\na.jpg,cat\n")
    assert splits("folder") == ["train", "val"] and splits("folder", val_share=0) == ["train"]
    (tmp_path / "cityscapes/leftImg8bit/test").mkdir()
    (tmp_path / "cityscapes/leftImg8bit/train_extra").mkdir()
    (tmp_path / "cityscapes/gtCoarse/train_extra").mkdir(parents=True)
    # That train has no gtFine, which it should have, is said when it is opened.
    assert splits("cityscapes") == ["train"]
    assert splits("cityscapes", annotations="coarse") == ["train", "train_extra"]
    assert splits("VOC2012") == ["train", "val"]
    (devkit / "SegmentationClassAug").mkdir()
    (devkit / "ImageSets/Segmentation/trainaug.txt").write_text("a\n")
    assert splits("VOC2012") == ["trainaug", "val"]


def test_coco_with_objects_left_out_is_in_order(tmp_path):
    photograph(tmp_path / "val2014/COCO_val2014_000000000042.jpg")
    (tmp_path / "annotations").mkdir()
    square = [2, 2, 6, 2, 6, 6, 2, 6]
    objects = [
        {"id": 1, "image_id": 42, "category_id": 18, "bbox": [2, 2, 4, 4], "segmentation": [square], "iscrowd": 0},
        {"id": 2, "image_id": 42, "category_id": 18, "bbox": [2, 2, 4, 0], "segmentation": [square], "iscrowd": 0},
        {"id": 4, "image_id": 42, "category_id": 18, "bbox": [1, 1, 1, 1], "segmentation": [], "iscrowd": 0},
        {"id": 5, "image_id": 43, "category_id": 18, "bbox": [1, 1, 1, 1], "segmentation": [square], "iscrowd": 0},
        {"id": 3, "image_id": 42, "category_id": 18, "bbox": [0, 0, 20, 16], "iscrowd": 1,
         "segmentation": {"size": list(SIZE_HW), "counts": [0, 320]}},
    ]  # fmt: skip
    image = {
        "id": 42,
        "file_name": "COCO_val2014_000000000042.jpg",
        "height": SIZE_HW[0],
        "width": SIZE_HW[1],
    }
    content = {"images": [image], "annotations": objects, "categories": [{"id": 18, "name": "dog"}]}
    (tmp_path / "annotations/instances_val2014.json").write_text(json.dumps(content))
    text = said(tmp_path)
    assert "coco\nsplits: val" in text and row(text, "dog") == ["1", "5.00", "%", "2"]
    assert row(text, "ignored") == ["95.00", "%"] and row(text, "crowds") == ["2"]
    assert "objects left out (1):\n    annotation 5 of image 43: its image is not listed in the file" in text
    assert "their region is ignored (255) (1):\n    annotation 4 of image 42: it has no segmentation" in text
    assert (
        "otherwise than they are written (1):\n    annotation 2 of image 42: its box [2, 2, 4, 0] has no area"
        in text
    )


def test_a_folder_of_photographs(tmp_path, capsys):
    for name in ("one", "three", "sevenths"):
        photograph(tmp_path / f"{name}.png")
    (tmp_path / "labels.csv").write_text("image,labels,split\none.png,cat,train\nthree.png,dog,val\n")
    words = ["datasets", "check", str(tmp_path)]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert (
        "folder\nsplits: train, val" in captured.out and "sevenths: not listed in labels.csv" in captured.out
    )
    assert captured.err == f"wsseg: {tmp_path}: 1 problem, listed above\n"
    assert main([*words, "--split", "val"]) == 0
    assert row(capsys.readouterr().out, "class") == ["images"]


def test_folders_of_classes(tmp_path):
    """The share of an image is that of the images that have the class: 5, 10 and 40 of 320 pixels, and 320."""
    photograph(tmp_path / "good/free.jpg")
    for name, rows in (("one", 0.25), ("three", 0.5), ("sevenths", 2), ("eleventh", 16)):
        folder = tmp_path / ("ok rust" if rows == 16 else "crack")
        photograph(folder / f"{name}.jpg")
        mask = np.zeros(SIZE_HW, np.uint8)
        mask.ravel()[: int(rows * SIZE_HW[1])] = 255
        Image.fromarray(mask).save(folder / f"{name}.png")
    text = said(tmp_path, splits=["all"])
    assert text.startswith(
        f"{tmp_path}: class_folders\nsplits: all\noptions found:\n  nothing: [good]   # proposed"
    )
    assert (
        "all: 5 images, 4 with masks, 0 with instances, 1 without a label, 1 scored as background only without a mask\n"
        in text
    )
    shares = text.partition("share of an image")[2]
    assert row(shares, "crack") == ["3", "1.56", "%", "3.12", "%", "12.50", "%"]
    assert row(shares, "ok")[1:] == ["1", "100.00", "%", "100.00", "%", "100.00", "%"]
    assert "  fewer than 20 images: crack (3), ok rust (1)" in text and "no image:" not in text
    # An option of the user's own takes the place of a proposal.
    text = said(tmp_path, splits=["all"], options={"nothing": (), "allow_empty_masks": True})
    assert "nothing: [good]" not in text and "good (1)" in text
    text = complaints(tmp_path, "3 problems", splits=["all"], options={"nothing": ["good", "crack"]})
    assert "masks that cannot be used, and are not scored (3):" in text and "folder of `nothing`" in text


def test_the_command_takes_options(devkit, capsys):
    words = ["datasets", "check", str(devkit), "--name", "voc", "--split", "train", "--fast"]
    assert main([*words, "--option", "other_objects=ignore", "--classes", "dog", "cat"]) == 0
    assert "  dog         1\n" in capsys.readouterr().out
    for option, message in (
        ("labels", "--option labels must be KEY=VALUE"),
        ("labels=[", "--option labels=[: the value cannot be read"),
        ("label=csv", "no option `label`; did you mean `labels`"),
    ):
        assert main([*words, "--option", option]) == 2
        captured = capsys.readouterr()
        assert message in captured.err + captured.out
    assert main(["datasets", "check", str(devkit), "--name", "scenes"]) == 2
    assert "`scenes` has no files of yours to check; choose one of: cityscapes" in capsys.readouterr().err


def test_every_dataset_is_listed_with_all_options(capsys):
    assert main(["datasets", "list"]) == 0
    text = capsys.readouterr().out
    assert text == listing() + "\n"
    for name in DATASETS:
        assert f"{name}: " in text
        for line in described(name).splitlines()[1:]:
            assert len(line) <= 110
            assert line.startswith("   ") or not line[20:].startswith("(default"), line
    assert "  form              Number of classes of the form: 59 or 33. (default: 59)" in text


def test_arguments_of_a_docstring():
    text = "Do.\n\nArgs:\n    one: First,\n        still: first.\n    two: Second.\n\nReturns:\n    three: none.\n"
    assert argument_meanings(text) == {"one": "First, still: first.", "two": "Second."}
    assert argument_meanings("Do.") == {}


def test_images_of_equal_pixels_in_two_files_are_found(tmp_path):
    rows = ["image,labels,split"]
    for index, split in enumerate(("train", "train", "val", "val")):
        photograph(tmp_path / f"{'ab'[index % 2]}{index // 2}.png")
        rows.append(f"{'ab'[index % 2]}{index // 2},cat,{split}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    assert main(["datasets", "check", str(tmp_path)]) == 0
    Image.open(tmp_path / "a0.png").save(
        tmp_path / "b1.png", compress_level=0
    )  # another file, the same pixels
    assert "b1: has the pixels of `a0`" in complaints(tmp_path, "1 problem")
    assert "written" in said_by_init(tmp_path) and "b1: has the pixels of `a0`" in said_by_init(tmp_path)


def said_by_init(root):
    from small_run.in_process import run_quietly

    (root.parent / f"{root.name}.yaml").unlink(missing_ok=True)
    status, said = run_quietly("init", root)
    assert status == 2 and "a run of this recipe would not start" in said
    return said


def test_init_writes_the_order_of_classes_that_fits_the_masks(tmp_path):
    from small_run.in_process import run_quietly

    from wsseg.recipe import load_recipe

    root = tmp_path / "pets"
    (root / "masks").mkdir(parents=True)
    rows = ["image,labels,split"]
    for index, (label, value) in enumerate([("dog", 1), ("cat", 2), ("dog", 1), ("cat", 2)]):
        photograph(root / f"p{index}.png")
        write_mask(root / f"masks/p{index}.png", np.pad(np.full((4, 5), value, np.uint8), ((0, 12), (0, 15))))
        rows.append(f"p{index},{label},{'train' if index < 2 else 'val'}")
    (root / "labels.csv").write_text("\n".join(rows))
    status, said = run_quietly("init", root)
    assert status == 0 and "in which the masks fit the labels: dog, cat" in said and "contradict" not in said
    assert load_recipe(tmp_path / "pets.yaml").dataset.classes == ("dog", "cat")


def test_an_image_that_is_there_twice_with_other_labels(tmp_path):
    rows = ["image,labels,split"]
    for name, label, split in (
        ("a", "cat", "train"),
        ("b", "dog", "train"),
        ("c", "cat", "train"),
        ("d", "cat", "val"),
    ):
        photograph(tmp_path / f"{name}.png")
        rows.append(f"{name},{label},{split}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    for name in "bc":
        (tmp_path / f"{name}.png").write_bytes((tmp_path / "a.png").read_bytes())
    said = complaints(tmp_path, "1 problem")
    assert "twice, with different labels (1):\n    b: has the content of `a` and other labels" in said
    assert "in the split twice (2)" in said


def test_class_folders_of_one_name_written_in_two_ways(tmp_path):
    for folder in ("Cat", "cats", "dog"):
        photograph(tmp_path / folder / f"{folder} 1.jpg")
    assert "the class folders `Cat` and `cats`" in complaints(tmp_path, "problem")
