"""Masks of a folder of photographs: found by their names, read by what their values mean, compared with the labels."""

import numpy as np
import pytest
import yaml
from PIL import Image
from small_run.in_process import run_quietly

from wsseg import datasets
from wsseg.datasets.mask_agreement import fitting_order
from wsseg.errors import InputError

CAT = np.zeros((16, 20), np.uint8)
CAT[2:6, 3:9] = 1  # 24 pixels of 320


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def photographs(root, *rows, folder="images"):
    """Write `labels.csv` and an image for each `(file, labels)`; every image is for training."""
    for index, (name, _) in enumerate(rows):
        save(root / folder / name, np.full((16, 20, 3), 10 * index + 5, np.uint8))
    table = "".join(f"{name},{labels},train\n" for name, labels in rows)
    (root / "labels.csv").write_text("image,labels,split\n" + table)


def opened(root, **options):
    return datasets.create("folder", split="all", root=root, **options)


PLACES = [
    "masks/a.png",
    "masks/a_mask.png",
    "masks/a.jpg.png",
    "masks/a.tif",
    "masks/A/a.png",
    "masks/mask_a.png",
    "masks/mask-a.png",
    "masks/a_labelIds.png",
    "masks/a.mask.png",
    "labels/a.png",
    "annotations/a-label.png",
    "SegmentationClass/a.png",
    "gt/a_gt.tiff",
    "images/a_mask.png",
    "images/masks/a.png",
    "Ground Truth/a.bmp",
]


@pytest.mark.parametrize("place", PLACES)
def test_masks_under_the_names_that_people_use(tmp_path, place):
    photographs(tmp_path, ("a.jpg", "cat"))
    save(tmp_path / place, CAT)
    dataset = opened(tmp_path)
    assert dataset[0].mask == tmp_path / place and not dataset.set_aside
    np.testing.assert_array_equal(dataset.read_mask(dataset[0]), CAT)
    assert opened(tmp_path, masks="none")[0].mask is None


def test_masks_of_no_image_and_files_that_are_no_images_are_named(tmp_path):
    photographs(tmp_path, ("a.jpg", "cat"), ("b.jpg", "cat"))
    save(tmp_path / "masks/a.png", CAT)
    save(tmp_path / "masks/c.png", CAT)
    np.save(tmp_path / "masks/b.npy", CAT)
    aside = opened(tmp_path).set_aside
    assert list(aside) == ["masks/c.png", "masks/b.npy"]
    assert "no image that it is the mask of" in aside["masks/c.png"] and "convert it" in aside["masks/b.npy"]
    status, said = run_quietly("datasets", "check", tmp_path)
    assert status == 2 and "masks/c.png: looks like a mask" in said and "2 problems" in said
    (tmp_path / "labels.csv").write_text(
        "image,labels\na,cat\nb,cat\nc.jpg,cat\n"
    )  # the image is missing, which is said
    assert list(opened(tmp_path).set_aside) == ["c.jpg", "masks/b.npy"]


def test_two_masks_of_an_image(tmp_path):
    photographs(tmp_path, ("a.jpg", "cat"))
    save(tmp_path / "gt/a.png", CAT)
    save(tmp_path / "labels/a_mask.png", CAT)
    with pytest.raises(
        InputError, match=r"its mask in gt/a\.png or in labels/a_mask\.png.*`masks: 'gt/\{name\}\.png'`"
    ):
        opened(tmp_path)
    assert opened(tmp_path, masks="labels/{name}_mask.png")[0].mask == tmp_path / "labels/a_mask.png"
    save(tmp_path / "masks/a.png", CAT)  # the place that is documented
    assert opened(tmp_path)[0].mask == tmp_path / "masks/a.png"
    with pytest.raises(InputError, match="has no class folders"):
        opened(tmp_path, masks="{class}/{name}.png")


def test_masks_in_folders_named_after_those_of_the_images(tmp_path):
    """images/train/a.png with labels/train/a.png, and the same names in val: ids are paths, each has its own mask."""
    for split in ("train", "val"):
        save(tmp_path / f"images/{split}/a.png", np.zeros((16, 20, 3), np.uint8))
        save(tmp_path / f"labels/{split}/a.png", CAT)
    (tmp_path / "labels.csv").write_text("image,labels,split\ntrain/a.png,cat,train\nval/a.png,cat,val\n")
    found = {record.id: record.mask for record in opened(tmp_path)}
    assert found == {f"{split}__a": tmp_path / f"labels/{split}/a.png" for split in ("train", "val")}
    for split in ("train", "val"):
        (tmp_path / f"labels/{split}/a.png").unlink()
    save(tmp_path / "masks/a.png", CAT)  # of which of the two?
    with pytest.raises(InputError, match=r"masks/a\.png may be the mask of images/.*/a\.png or of"):
        opened(tmp_path)
    (tmp_path / "masks/a.png").rename(tmp_path / "masks/val__a.png")
    assert [record.mask is not None for record in opened(tmp_path)] == [False, True]
    (tmp_path / "masks/val__a.png").unlink()
    for split in ("train", "val"):
        save(tmp_path / f"labels/{split}/a.png", CAT)
    (tmp_path / "labels.csv").write_text("image,labels\ntrain/a.png,cat\n")
    assert opened(tmp_path)[0].mask == tmp_path / "labels/train/a.png"


def test_a_file_that_may_be_a_mask_is_named_with_the_way_to_say_so(tmp_path):
    photographs(tmp_path, ("a.jpg", "cat"))
    save(tmp_path / "targets/a.png", CAT)
    assert (
        "the mask of images/a.jpg, set `masks: 'targets/{name}.png'`"
        in opened(tmp_path).set_aside["targets/a.png"]
    )
    dataset = opened(tmp_path, masks="targets/{name}.png")
    np.testing.assert_array_equal(dataset.read_mask(dataset[0]), CAT)


def test_a_folder_called_labels_may_hold_the_photographs(tmp_path):
    photographs(tmp_path, ("a.jpg", "wine"), ("a_mask.jpg", "beer"), folder="labels")
    assert [record.id for record in opened(tmp_path)] == ["a", "a_mask"]  # both are listed in full


def test_what_wsseg_has_written_is_neither_photograph_nor_true_mask(tmp_path):
    photographs(tmp_path, ("a.jpg", "cat"))
    for name, mark in (("my run", "recipe.json"), ("masks", "predict.json")):
        save(tmp_path / name / "a.png", CAT)
        (tmp_path / name / mark).write_text("{}")
    dataset = opened(tmp_path)
    assert dataset[0].mask is None and "not taken for true masks" in dataset.set_aside["masks/"]
    assert list(dataset.set_aside) == ["masks/"]


def test_0_and_255_are_refused_until_they_are_declared(tmp_path):
    photographs(tmp_path, ("a.jpg", "thing"))
    save(tmp_path / "masks/a.png", CAT * 255)
    dataset = opened(tmp_path)
    with pytest.raises(InputError, match=r"only 0 and 255.*`mask_values: \{255: thing\}`"):
        dataset.read_mask(dataset[0])
    for values, wanted in (({255: "thing"}, CAT), ({"255": 1}, CAT), ({255: "ignore"}, CAT * 255)):
        dataset = opened(tmp_path, mask_values=values)
        np.testing.assert_array_equal(dataset.read_mask(dataset[0]), wanted)
    status, said = run_quietly("datasets", "check", tmp_path)
    assert status == 0 and "mask_values: {255: thing}   # the masks hold 0 and 255 alone" in said
    border = CAT.copy()
    border[6, 3:9] = 255  # VOC's border
    save(tmp_path / "masks/a.png", border)
    dataset = opened(tmp_path)
    np.testing.assert_array_equal(dataset.read_mask(dataset[0]), border)


def test_the_recipe_of_init_says_what_the_values_mean(tmp_path):
    root = tmp_path / "own"
    photographs(root, *((f"{index}.jpg", "thing") for index in range(4)))
    table = root / "labels.csv"
    table.write_text(table.read_text().replace("3.jpg,thing,train", "3.jpg,thing,val"))
    for pixels, wanted in ((CAT * 255, {"mask_values": {255: "thing"}}), (None, {"mask_level": 127})):
        for index in range(4):
            soft = np.tile(np.repeat([0, 255, 254, 100, 240], [9, 8, 1, 1, 1]).astype(np.uint8), (16, 1))
            save(root / f"masks/{index}.png", soft if pixels is None else pixels)
        status, said = run_quietly("init", root, "--out", tmp_path / "made.yaml")
        assert status == 0, said
        assert yaml.safe_load((tmp_path / "made.yaml").read_text())["dataset"]["options"] == wanted
        (tmp_path / "made.yaml").unlink()


def test_masks_without_a_background_can_be_declared(tmp_path):
    photographs(tmp_path, ("a.jpg", "road car"))
    save(tmp_path / "masks/a.png", CAT)
    values = {0: "road", 1: "car"}
    dataset = opened(tmp_path, classes=("road", "car"), mask_values=values)
    np.testing.assert_array_equal(dataset.read_mask(dataset[0]), CAT + 1)
    for wrong, message in (
        ({2: "raod"}, "did you mean `road`"),
        ({-1: "road"}, "whole number in 0..65535"),
        ({}, "must say what values mean"),
        ({0: 3}, "an id in 0..2"),
    ):
        with pytest.raises(InputError, match=message):
            opened(tmp_path, classes=("road", "car"), mask_values=wrong)
    save(tmp_path / "masks/a.png", CAT * 7)
    with pytest.raises(
        InputError, match=r"holds the value 7, which is no id of 2 classes, among 0 and 7; .*mask_values"
    ):
        dataset.read_mask(dataset[0])


def test_soft_edges_need_a_level(tmp_path):
    photographs(tmp_path, ("a.jpg", "cat"), ("b.jpg", "dog"), ("c.jpg", "cat dog"))
    soft = CAT * 200
    soft[6, 3:9] = 90
    for name in "abc":
        save(tmp_path / f"masks/{name}.png", soft)
    dataset = opened(tmp_path)
    with pytest.raises(InputError, match=r"among 0, 90 and 200; .*`mask_level: 127`"):
        dataset.read_mask(dataset[0])
    dataset = opened(tmp_path, mask_level=127)
    np.testing.assert_array_equal(dataset.read_mask(dataset[0]), CAT)
    np.testing.assert_array_equal(dataset.read_mask(dataset[1]), CAT * 2)
    assert (opened(tmp_path, mask_level=0).read_mask(dataset[0]) > 0).sum() == 24 + 6
    with pytest.raises(InputError, match="must have one label; it has 2"):
        dataset.read_mask(dataset[2])
    for options in ({"mask_level": 255}, {"mask_level": 9, "mask_values": {9: 1}}):
        with pytest.raises(InputError, match="mask_level"):
            opened(tmp_path, **options)


def test_lossy_masks_are_refused_as_ids(tmp_path):
    photographs(tmp_path, ("a.png", "cat"))
    save(tmp_path / "masks/a.jpg", CAT * 255, quality=100)
    dataset = opened(tmp_path)
    with pytest.raises(InputError, match="changes values"):
        dataset.read_mask(dataset[0])
    dataset = opened(tmp_path, mask_level=127)
    assert np.mean(dataset.read_mask(dataset[0]) == CAT) > 0.98


def turned(root, orientation, size_hw):
    """A photograph with a white rectangle, stored turned, and a mask of its stored pixels."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.zeros((*size_hw, 3), np.uint8)
    pixels[4:12, 4:20] = 255
    save(root / "a.jpg", pixels, exif=exif)
    save(root / "masks/a.png", (pixels[..., 0] > 0).astype(np.uint8))
    (root / "labels.csv").write_text("image,labels,split\na.jpg,cat,train\n")


def test_a_mask_of_the_stored_pixels_is_named(tmp_path):
    turned(tmp_path / "side", 6, (32, 48))
    dataset = opened(tmp_path / "side")
    with pytest.raises(InputError, match="fits the stored pixels, but the image has the EXIF orientation 6"):
        dataset.read_mask(dataset[0])
    turned(tmp_path / "over", 3, (32, 48))  # of equal size: the image's edges tell it
    status, said = run_quietly("datasets", "check", tmp_path / "over")
    assert (
        status == 2
        and "masks of the stored pixels of images that are shown turned (1):\n    a: the mask" in said
    )
    assert "must fit the images as they are shown (1):\n    a: EXIF orientation 3" in said


def test_a_mask_with_an_orientation_of_its_own_is_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photographs(tmp_path, ("a.jpg", "cat"))
    for name in ("a.png", "a.tif"):
        save(tmp_path / "masks" / name, np.ascontiguousarray(np.rot90(CAT)), exif=exif)
        dataset = opened(tmp_path)
        np.testing.assert_array_equal(dataset.read_mask(dataset[0]), CAT)
        (tmp_path / "masks" / name).unlink()


def masked(root, labels, values):
    photographs(root, *((f"photo{index}.jpg", label) for index, label in enumerate(labels)))
    for index, value in enumerate(values):
        save(root / f"masks/photo{index}.png", CAT * np.uint8(value))


def test_masks_in_another_order_are_named_with_the_order_that_fits(tmp_path):
    masked(tmp_path, ["dog", "cat", "dog"], [1, 2, 1])
    status, said = run_quietly("datasets", "check", tmp_path)
    assert (
        status == 2
        and "contradict each other (3):\n    photo0: labelled `dog`, but its mask has `cat`" in said
    )
    assert "another order: set `classes: [dog, cat]`" in said
    status, said = run_quietly("datasets", "check", tmp_path, "--classes", "dog", "cat")
    assert status == 0, said


def test_a_missing_label_is_a_contradiction_unless_pixels_are_unsure(tmp_path):
    masked(tmp_path, ["cat dog", "dog", "cat"], [1, 2, 1])
    status, said = run_quietly("datasets", "check", tmp_path)
    assert status == 2 and "(1):\n    photo0: labelled `cat`, `dog`, but its mask has `cat`" in said
    assert "read as 1 cat, 2 dog" in said
    unsure = CAT.copy()
    unsure[0] = 255
    save(tmp_path / "masks/photo0.png", unsure)
    assert run_quietly("datasets", "check", tmp_path)[0] == 0


def test_no_order_is_guessed_where_several_fit():
    both = frozenset(["cat", "dog"])
    assert fitting_order([(both, both)], ["cat", "dog"]) is None


def test_a_run_with_such_masks_does_not_start(tmp_path):
    masked(tmp_path / "own", ["dog", "cat", "dog"] * 2, [1, 2, 1] * 2)
    table = tmp_path / "own/labels.csv"
    table.write_text(table.read_text().replace("5.jpg,dog,train", "5.jpg,dog,val"))
    words = [
        "run",
        "--run",
        tmp_path / "run",
        "--dataset.name",
        "folder",
        "--dataset.root",
        tmp_path / "own",
    ]
    status, said = run_quietly(*words)
    assert status == 2 and "1 of 1 masks of split `val` contradict the labels" in said and "`photo5`" in said
    assert not (tmp_path / "run/recipe.json").exists()
    save(tmp_path / "own/masks/photo5.png", CAT * 255)
    status, said = run_quietly(*words)
    assert status == 2 and "no mask of split `val` can be read" in said and "255" in said


def test_a_palette_of_another_order_is_refused(tmp_path):
    """Programs that save colours with a palette of their own may give black, the background, any number."""
    photographs(tmp_path, ("a.jpg", "cat"))
    image = Image.fromarray((CAT == 0).astype(np.uint8))  # 1 is the background, and the palette says so
    image.putpalette([128, 0, 0, 0, 0, 0])
    (tmp_path / "masks").mkdir()
    image.save(tmp_path / "masks/a.png")
    dataset = opened(tmp_path)
    with pytest.raises(InputError, match=r"shows the value 1 in black and 0 in the colour \(128, 0, 0\)"):
        dataset.read_mask(dataset[0])
    dataset = opened(tmp_path, mask_values={1: "background", 0: "cat"})
    np.testing.assert_array_equal(dataset.read_mask(dataset[0]), CAT)


def test_pictures_of_explain_are_no_photographs(tmp_path):
    photographs(tmp_path, ("a.jpg", "cat"), folder=".")
    save(tmp_path / "a.png", np.zeros((30, 40, 3), np.uint8))
    (tmp_path / "labels.csv").write_text("image,labels\na,cat\n")
    with pytest.raises(InputError, match="`a` may be"):
        opened(tmp_path)
    (tmp_path / ".explanations.json").write_text('{"pictures": ["a.png"]}')
    dataset = opened(tmp_path)
    assert dataset[0].image == tmp_path / "a.jpg" and not dataset.set_aside
    for broken in ("", "[]", '{"pictures": 3}', '{"pictures": [3]}'):
        (tmp_path / ".explanations.json").write_text(broken)
        with pytest.raises(InputError, match="`a` may be"):
            opened(tmp_path)


def test_a_stage_that_was_copied_out_of_a_run_holds_no_true_masks(tmp_path):
    photographs(tmp_path, ("a.jpg", "cat"))
    save(tmp_path / "4_label/masks/a.png", CAT)
    assert opened(tmp_path)[0].mask is not None  # a folder of that name alone says nothing
    for name in ("manifest.json", "files.json"):
        (tmp_path / "4_label" / name).write_text("{}")
    assert opened(tmp_path)[0].mask is None
