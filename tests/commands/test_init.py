import numpy as np
import pytest
from PIL import Image
from small_run.in_process import run_quietly
from small_run.photographs import CLASSES, write_photographs
from small_run.tiles import CLASSES as TILES
from small_run.tiles import write_tile, write_tiles

from wsseg.engine.data_plan import planned
from wsseg.recipe import identity, load_recipe
from wsseg.supervision.splits import Splits


@pytest.fixture
def photographs(tmp_path):
    """Photographs of 64 pixels, one of them broken, one listed and not there, one there and not listed."""
    root = tmp_path / "my photos"
    write_photographs(root)
    (root / "images/cut.png").write_bytes((root / "images/train 0.png").read_bytes()[:300])
    (root / "images/unlisted.png").write_bytes((root / "images/train 0.png").read_bytes())
    with (root / "labels.csv").open("a") as file:
        file.write("cut.png,daisy,train\ngone.png,daisy,val\n")
    return root


def test_it_says_what_is_there_and_writes_a_recipe(photographs):
    status, said = run_quietly("init", photographs)
    assert status == 0, said
    out = photographs.parent / "my photos.yaml"
    for text in (
        f"{photographs}: folder (labels.csv and images)",
        "train: 13 images, 12 with masks",
        "val: 5 images, 5 with masks",
        "unlisted: not listed in labels.csv",
        "gone.png: listed in labels.csv",
        "images that cannot be used, and are set aside (1):\n    cut: image",
        "long side 64 to 64 pixels",
        f"written: {out}\nnext:    wsseg run '{out}'\n",
    ):
        assert text in said
    table = said.partition("train: ")[2].partition("share of an image")[0]
    lines = {line.split()[0]: line.split()[1:2] for line in table.splitlines() if line.strip()}
    labels = [
        row.split(",")[1].split()
        for row in (photographs / "labels.csv").read_text().splitlines()
        if "train" in row
    ]
    assert {name: lines[name] for name in CLASSES} == {
        name: [str(sum(name in row for row in labels))] for name in CLASSES
    }


def test_the_recipe_is_that_of_photographs_with_the_folder_in_it(photographs, tmp_path):
    assert run_quietly("init", photographs, "--out", tmp_path / "new/a.yaml")[0] == 0
    text = (tmp_path / "new/a.yaml").read_text()
    assert text.startswith("# my photos: 13 training and 5 validation images of 6 classes.\n")
    assert "12 training and 5 validation images have masks" in text and text.count("#") > 10
    recipe = load_recipe(tmp_path / "new/a.yaml")
    assert recipe.name == "my_photos" and recipe.dataset.root == str(photographs)
    assert recipe.dataset.classes == CLASSES and recipe.dataset.name == "folder"
    mine, built_in = identity(recipe), identity(load_recipe("photographs"))
    assert {key for key in mine if mine[key] != built_in[key]} == {"name", "dataset"}
    assert recipe.classify.weights == "imagenet"
    # A run accepts it, down to the data; the weights alone are not to be had here.
    words = ["--classify.weights", "null", "--run", tmp_path / "run", "--classify.head", "gapp"]
    status, said = run_quietly("run", tmp_path / "new/a.yaml", *words)
    assert status == 2 and "there is no `gapp`; did you mean `gap`?" in said


def test_larger_images_are_planned_for(tmp_path):
    """The settings were measured at 320 pixels: at 1280 the scales of prediction are a quarter."""
    root = tmp_path / "2024"
    root.mkdir()
    rows = ["image,labels,split"]
    for name, split in (("a", "train"), ("b", "val")):
        Image.fromarray(np.full((960, 1280, 3), len(rows), np.uint8)).save(root / f"{name}.png")
        rows.append(f"{name}.png,big cat;dog,{split}")
    (root / "labels.csv").write_text("\n".join(rows))
    assert run_quietly("init", root)[0] == 0
    recipe = load_recipe(tmp_path / "2024.yaml")
    recipe, _ = planned(recipe, Splits(recipe))
    assert recipe.name == "2024" and recipe.dataset.classes == ("big cat", "dog")
    for section in (recipe.localize, recipe.relabel, recipe.segment):
        assert section.scales == (0.25, 0.38, 0.5)
    assert recipe.segment.long_side == (256, 448)
    text = (tmp_path / "2024.yaml").read_text()
    assert "no image has a mask, so nothing is scored" in text


def test_one_folder_per_class(tmp_path):
    """What is proposed stands in the output and in the recipe, with its meaning."""
    root = tmp_path / "tiles"
    write_tiles(root)
    Image.new("L", (64, 48)).save(root / "T_Line/Imgs/exp1_num_0.png")
    status, said = run_quietly("init", root)
    assert status == 0, said
    proposed = [
        "nothing: [T_Free]   # proposed by its name: images without an object",
        "masks: '{folder}/{name}.png'   # path of an image's mask below root",
        "mask_level: 127   # gray level; pixels above it belong to the class of the image's folder",
        "splits: drawn   # ",
        "val_share: 0.2   # ",
    ]
    text = (tmp_path / "tiles.yaml").read_text()
    for line in proposed:
        assert f"\n  {line}" in said and f"\n    {line}" in text
    for line in (
        "tiles: class_folders (one folder of images per class",
        "train: 24 images, 24 with masks, 0 with instances, 8 without a label",
        "val: 6 images, 6 with masks, 0 with instances, 2 without a label",
        "fewer than 20 images: T_Blob (8), T_Line (8)",
        "masks that cannot be used, and are not scored (1):\n    exp1_num_0: mask ",
    ):
        assert line in said
    assert "  # folders of objects; a further folder is an error" in text
    recipe = load_recipe(tmp_path / "tiles.yaml")
    assert (recipe.dataset.name, recipe.dataset.classes, recipe.dataset.val) == (
        "class_folders",
        TILES,
        "val",
    )
    assert recipe.dataset.options == {
        "nothing": ["T_Free"], "masks": "{folder}/{name}.png", "mask_level": 127, "splits": "drawn", "val_share": 0.2
    }  # fmt: skip


def test_validation_on_test_is_said(tmp_path):
    for first, split in enumerate(("train", "test")):
        for seed, folder in enumerate(TILES):
            write_tile(tmp_path / "tiles" / split, folder, f"{split} {folder}", 10 * first + seed)
    status, said = run_quietly("init", tmp_path / "tiles")
    assert status == 0 and "no split val: the recipe validates on test" in said and "test: 2 images" in said
    recipe = load_recipe(tmp_path / "tiles.yaml")
    assert (recipe.dataset.train, recipe.dataset.val) == ("train", "test")
    assert recipe.dataset.options["splits"] == "folders" and "nothing" not in recipe.dataset.options


def test_a_recipe_that_is_there_is_kept(photographs, tmp_path):
    (tmp_path / "my photos.yaml").write_text("name: precious\n")
    status, said = run_quietly("init", photographs)
    assert (
        status == 2 and "my photos.yaml exists already; remove it, or write another recipe with --out" in said
    )
    assert (tmp_path / "my photos.yaml").read_text() == "name: precious\n"


def test_folders_that_no_reader_understands(tmp_path):
    (tmp_path / "empty").mkdir()
    status, said = run_quietly("init", tmp_path / "empty")
    assert status == 2 and "has no known layout" in said and "folder: labels.csv and images" in said
    assert "--name" in said
    status, said = run_quietly("init", tmp_path / "absent")
    assert status == 2 and "absent is not a folder" in said
    status, said = run_quietly("init", tmp_path / "empty", "--name", "folder")
    assert status == 2 and "labels.csv does not exist" in said
    assert not list(tmp_path.glob("*.yaml"))


def test_no_image_can_be_used(tmp_path):
    root = tmp_path / "broken"
    root.mkdir()
    for name in ("a", "b"):
        (root / f"{name}.png").write_bytes(b"no image")
    (root / "labels.csv").write_text("image,labels,split\na.png,cat,train\nb.png,cat,val\n")
    status, said = run_quietly("init", root)
    assert (
        status == 2 and "holds no image that can be used" in said and not (tmp_path / "broken.yaml").exists()
    )
