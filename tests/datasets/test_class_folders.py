import hashlib
import pickle

import numpy as np
import pytest
from PIL import Image
from small_run.tiles import CLASSES, NOTHING, write_tile, write_tiles

from wsseg import datasets
from wsseg.datasets.layouts import detect
from wsseg.errors import InputError

BESIDE = "{folder}/{name}.png"


def write(root, *names, value=90, size_hw=(16, 20), mode="L"):
    """Write images of one gray level."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(size_hw, value, np.uint8)).convert(mode).save(path)


def write_levels(path, levels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(levels, np.uint8)).save(path)


def opened(root, split="all", **options):
    return datasets.create("class_folders", split=split, root=root, **options)


def labels_by_id(dataset):
    return {record.id: record.labels for record in dataset}


def refuse(root, match, split="all", **options):
    with pytest.raises(InputError, match=match) as caught:
        opened(root, split, **options)
    assert "\n" not in str(caught.value)


def test_the_label_is_the_folder_however_deep_the_image_lies(tmp_path):
    write(tmp_path, "dog/a.jpg", "cat/images/b.png", "cat/Imgs/c.jpg", "cat/long hair/d.jpg")
    dataset = opened(tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert labels_by_id(dataset) == {"a": ("dog",), "b": ("cat",), "c": ("cat",), "d": ("cat",)}
    assert dataset.set_aside == {} and all(record.mask is None for record in dataset)


def test_a_gray_photograph_is_read_as_three_equal_channels(tmp_path):
    write(tmp_path, "a/x.png", "b/y.png", value=77)
    Image.fromarray(np.full((16, 20), 77 * 257, np.uint16)).save(tmp_path / "b/deep.png")
    dataset = opened(tmp_path)
    for record in dataset:
        assert (dataset.read_image(record) == 77).all() and dataset.read_image(record).shape == (16, 20, 3)


def test_ids_are_stems_unless_two_are_equal(tmp_path):
    write(tmp_path, "cat/001.jpg", "cat/002.jpg", "dog/Imgs/003.jpg")
    assert list(labels_by_id(opened(tmp_path))) == ["001", "002", "003"]
    write(tmp_path, "dog/Imgs/001.jpg")
    expected = {"cat__001": ("cat",), "cat__002": ("cat",), "dog__001": ("dog",), "dog__003": ("dog",)}
    assert labels_by_id(opened(tmp_path)) == expected
    write(tmp_path, "dog/001.jpg")
    refuse(tmp_path, r"dog/001\.jpg and .*dog/Imgs/001\.jpg both get the id `dog__001`; rename one")


def test_equal_names_in_splits_and_classes(tmp_path):
    write(
        tmp_path,
        "train/cat/1.jpg",
        "train/dog/1.jpg",
        "Validation/cat/1.jpg",
        "Validation/dog/2.jpg",
        "test/cat/9.jpg",
    )
    assert labels_by_id(opened(tmp_path, "train")) == {"train__cat__1": ("cat",), "train__dog__1": ("dog",)}
    assert list(labels_by_id(opened(tmp_path, "val"))) == ["Validation__cat__1", "Validation__dog__2"]
    assert len(opened(tmp_path)) == 5 and len(opened(tmp_path, "test")) == 1
    assert opened(tmp_path, "test").classes == ("cat", "dog")  # ids mean the same in every split
    refuse(tmp_path, "no image in split `vall`; did you mean `val`", "vall")


def test_the_split_is_the_first_fifth_of_each_class_by_md5(tmp_path):
    """Counted by hand: 69 -> 14, 34 -> 7, 19 -> 4, 8 -> 2, 2 -> 1, 1 -> 0."""
    counts = {"a": 69, "b": 34, "c": 19, "d": 8, "e": 2, "f": 1}
    for folder, count in counts.items():
        (tmp_path / folder).mkdir()
        for number in range(count):
            (tmp_path / folder / f"{folder} {number}.jpg").write_bytes(b"")  # no image is opened
    val = labels_by_id(opened(tmp_path, "val", nothing="a"))
    for folder, expected in zip(counts, (14, 7, 4, 2, 1, 0), strict=True):
        stems = [path.stem for path in (tmp_path / folder).iterdir()]
        first = sorted(stems, key=lambda stem: hashlib.md5(stem.encode()).hexdigest())[:expected]
        assert {name for name in val if name.split()[0] == folder} == set(first)
    train = labels_by_id(opened(tmp_path, "train", nothing="a"))
    assert not set(train) & set(val) and len(train) + len(val) == sum(counts.values())
    assert set(val.values()) == {(), ("b",), ("c",), ("d",), ("e",)}
    assert len(opened(tmp_path, "train", val_share=0)) == sum(counts.values())


def test_an_added_image_moves_at_most_one_other(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog/rex.jpg").write_bytes(b"")
    (tmp_path / "dog/tim.jpg").write_bytes(b"")
    before, moved = set(), []
    for number in range(60):
        (tmp_path / f"cat/{number}.jpg").write_bytes(b"")
        val = {record.id for record in opened(tmp_path, "val") if record.labels == ("cat",)}
        moved.append(len((val ^ before) - {str(number)}))
        before = val
    assert max(moved) == 1 and sum(moved) < 30


def test_nothing_is_no_label_and_background(tmp_path):
    write_tiles(tmp_path, 3)
    dataset = opened(tmp_path, nothing=NOTHING, masks=BESIDE)
    assert dataset.classes == CLASSES
    free = [record for record in dataset if not record.labels]
    assert len(free) == 3 and not dataset.label_vector(free[0]).any()
    assert all(not dataset.read_mask(record).any() for record in free)
    assert labels_by_id(opened(tmp_path, nothing=[NOTHING], masks=BESIDE)) == labels_by_id(dataset)
    refuse(
        tmp_path,
        "`nothing`: .* no class folder `T_Fre` with images; did you mean `T_Free`",
        nothing="T_Fre",
        masks=BESIDE,
    )
    refuse(
        tmp_path, "`T_Free` is in `classes` and in `nothing`", nothing="T_Free", classes=[*CLASSES, NOTHING]
    )
    refuse(tmp_path, "no class folder but those of `nothing`", nothing=[*CLASSES, NOTHING], masks=BESIDE)


def test_masks_are_the_level_of_the_class_of_the_folder(tmp_path):
    true = {name: write_tile(tmp_path, name, name, seed) for seed, name in enumerate((*CLASSES, NOTHING))}
    dataset = opened(tmp_path, nothing=NOTHING, masks=BESIDE, classes=CLASSES[::-1])
    for record in dataset:
        mask = dataset.read_mask(record)
        number = {"T_Line": 1, "T_Blob": 2, "T_Free": 0}[record.id]
        levels = np.asarray(Image.open(record.mask))
        assert ((levels > 0) & (levels < 255)).any() == (number > 0)  # the edges are soft
        assert ((mask == number) == ((levels > 127) if number else True)).all() and mask.dtype == np.uint8
        # A blob of 16 x 16 loses its four corners to the blur; a line of 4 x 64 keeps its size.
        assert (mask > 0).sum() == {"T_Line": 256, "T_Blob": 252, "T_Free": 0}[record.id]
        assert not (mask > 0)[~true[record.id]].any()
    # Labels that are noisy or corrected change no mask.
    other = dataset.with_labels({record.id: () for record in dataset})
    for record, changed in zip(dataset, other, strict=True):
        assert (other.read_mask(changed) == dataset.read_mask(record)).all()
    again = pickle.loads(pickle.dumps(dataset))
    assert (again.read_mask(again[0]) == dataset.read_mask(dataset[0])).all()


def test_no_mask_is_opened_before_it_is_asked_for(tmp_path):
    """The content of the masks changes neither the images, nor their ids, labels and splits."""
    write_tiles(tmp_path, 5)
    options = {"nothing": NOTHING, "masks": BESIDE}
    before = [opened(tmp_path, split, **options) for split in ("train", "val")]
    for path in tmp_path.glob("*/Imgs/*.png"):
        path.write_bytes(b"garbage")
    after = [opened(tmp_path, split, **options) for split in ("train", "val")]
    for one, other in zip(before, after, strict=True):
        assert list(one) == list(other) and one.fingerprint() == other.fingerprint()
    with pytest.raises(InputError, match="is not an image"):
        after[0].read_mask(after[0][0])


def test_the_level_itself_is_not_above_it(tmp_path):
    write(tmp_path, "a/1.jpg", "b/2.jpg", size_hw=(1, 4))
    write_levels(tmp_path / "a/1.png", [[0, 127, 128, 255]])
    write_levels(tmp_path / "b/2.png", [[0, 1, 0, 1]])
    dataset = opened(tmp_path, masks=BESIDE)
    assert dataset.read_mask(dataset[0]).tolist() == [[0, 0, 1, 1]]
    low = opened(tmp_path, masks=BESIDE, mask_level=0)
    assert [low.read_mask(record).tolist() for record in low] == [[[0, 1, 1, 1]], [[0, 2, 0, 2]]]


@pytest.mark.parametrize(
    ("masks", "files"),
    [
        (BESIDE, ["{c}/x{c}.png"]),
        ("{folder}/{name}_mask.png", ["{c}/x{c}_mask.png"]),
        ("{folder}/GT/{name}.bmp", ["{c}/GT/x{c}.bmp"]),
        ("{folder}/../masks/{name}_label.png", ["{c}/masks/x{c}_label.png"]),
        ("masks/{class}/{name}.png", ["masks/{c}/x{c}.png"]),
        ("ground_truth/{name}.png", ["ground_truth/x{c}.png"]),
    ],
)
def test_masks_are_found_where_they_lie_and_are_never_photographs(tmp_path, masks, files):
    place = "{c}/images/x{c}.jpg" if ".." in masks else "{c}/x{c}.jpg"
    for folder in ("a", "b"):
        noise = np.random.default_rng(len(folder)).integers(0, 256, (16, 20))
        write_levels(tmp_path / place.format(c=folder), noise)
        for file in files:
            write(tmp_path, file.format(c=folder), value=255)
    layout = detect(tmp_path)
    assert layout.name == "class_folders"
    found = layout.options(tmp_path)
    assert (found["mask_level"], found["splits"]) == (127, "drawn")
    for text in (masks, found["masks"]):
        dataset = opened(tmp_path, masks=text)
        assert labels_by_id(dataset) == {"xa": ("a",), "xb": ("b",)} and dataset.set_aside == {}
        assert [np.unique(dataset.read_mask(record)).tolist() for record in dataset] == [[1], [2]]
    if "/masks" in masks or "GT" in masks or not masks.startswith("{folder}"):
        assert [record.mask for record in opened(tmp_path)] == [None, None]
    else:
        refuse(tmp_path, "say so with `masks: '{folder}/{name}")


def test_a_mask_without_its_image_is_no_photograph(tmp_path):
    write(tmp_path, "a/1.jpg", "a/1.png", "a/2.png", "b/3.jpg", "loose.jpg", value=255)
    (tmp_path / "c").mkdir()
    dataset = opened(tmp_path, masks=BESIDE)
    assert labels_by_id(dataset) == {"1": ("a",), "3": ("b",)}
    assert [record.mask is not None for record in dataset] == [True, False]
    assert dataset.set_aside == {
        "a/2.png": "fits `masks`, but there is no image that it is the mask of",
        "loose.jpg": "in no class folder, so it has no label",
        "c/": "a class folder without an image",
    }


def test_masks_that_contradict_their_folder_are_not_used(tmp_path):
    write(tmp_path, "crack/1.jpg", "crack/2.jpg", "crack/3.jpg", "good/4.jpg", "good/5.jpg", "good/6.jpg")
    write(tmp_path, "crack/1.png", "good/4.png", value=0)
    write(tmp_path, "crack/2.png", "good/5.png", value=200)
    write(tmp_path, "crack/3.png", value=200, size_hw=(20, 16))
    dataset = opened(tmp_path, nothing="good", masks=BESIDE)
    by_id = {record.id: record for record in dataset}
    for name, message in (
        ("1", "no pixel above 127 .*object; `allow_empty_masks: true`"),
        ("3", "16 x 20 pixels but its image"),
        ("5", "320 pixels above 127 .*folder of `nothing`"),
    ):
        with pytest.raises(InputError, match=message):
            dataset.read_mask(by_id[name])
    assert [dataset.read_mask(by_id[name]).max() for name in ("2", "4", "6")] == [1, 0, 0]
    assert by_id["6"].mask == by_id["6"].image  # it has no mask file, and holds background only
    allowed = opened(tmp_path, nothing="good", masks=BESIDE, allow_empty_masks=True)
    assert not allowed.read_mask(by_id["1"]).any()
    # Without masks of other images, nothing is scored on the images of `nothing` alone.
    for path in tmp_path.glob("*/*.png"):
        path.unlink()
    assert all(record.mask is None for record in opened(tmp_path, nothing="good"))


def test_colours_and_transparency_are_no_gray_levels(tmp_path):
    write(tmp_path, *(f"a/{name}.jpg" for name in "1234"), "b/5.jpg")
    white, red = np.full((16, 20, 3), 255, np.uint8), np.zeros((16, 20, 3), np.uint8)
    red[..., 0] = 255
    Image.fromarray(red).save(tmp_path / "a/1.png")
    Image.fromarray(np.dstack([white, red[..., 1]])).save(tmp_path / "a/2.png")
    Image.fromarray(np.dstack([white, white[..., 0]])).save(tmp_path / "a/3.png")  # opaque
    Image.fromarray(np.full((16, 20), 40000, np.uint16)).save(tmp_path / "a/4.png")
    dataset = opened(tmp_path, masks=BESIDE)
    for record, message in zip(dataset, ("has colours", "has transparent pixels"), strict=False):
        with pytest.raises(InputError, match=message):
            dataset.read_mask(record)
    assert [dataset.read_mask(record).min() for record in dataset[2:4]] == [1, 1]
    assert opened(tmp_path, masks=BESIDE, mask_level=200).read_mask(dataset[2]).min() == 1


def test_jpeg_masks_with_noise(tmp_path):
    """JPEG moves the levels at the edges: above 0 there are more pixels than were drawn, above 127 not."""
    true = np.zeros((40, 40), bool)
    true[10:25, 13:30] = True
    write(tmp_path, "a/1.png", "b/2.png", size_hw=(40, 40))
    for path in ("a/1_mask.jpg", "b/2_mask.jpg"):
        Image.fromarray(true.astype(np.uint8) * 255).convert("RGB").save(tmp_path / path, quality=60)
    dataset = opened(tmp_path, masks="{folder}/{name}_mask.jpg")
    assert ((dataset.read_mask(dataset[0]) == 1) == true).all()
    low = opened(tmp_path, masks="{folder}/{name}_mask.jpg", mask_level=0)
    assert (low.read_mask(low[0]) == 1).sum() > true.sum()


def test_mvtec_ad(tmp_path):
    """MVTec AD: no defect among its training images, so the splits are drawn; `good` has no masks."""
    for number in range(5):
        write(tmp_path, f"train/good/{number:03}.png", f"test/good/{number:03}.png")
        for defect in ("cut", "hole"):
            write(tmp_path, f"test/{defect}/{number:03}.png")
            write(tmp_path, f"ground_truth/{defect}/{number:03}_mask.png", value=255)
    layout = detect(tmp_path)
    options = layout.options(tmp_path)
    assert options == {
        "nothing": ["good"], "masks": "ground_truth/{class}/{name}_mask.png", "mask_level": 127, "splits": "drawn",
        "val_share": 0.2,
    }  # fmt: skip
    assert layout.splits(tmp_path, options) == ["train", "val"]
    train, val = (opened(tmp_path, split, **options) for split in ("train", "val"))
    assert train.classes == ("cut", "hole") and (len(train), len(val)) == (16, 4)
    assert {record.labels for record in train} == {("cut",), ("hole",), ()}
    assert all(record.mask is not None for record in (*train, *val))
    for record in (*train, *val):
        ids = {(): 0, ("cut",): 1, ("hole",): 2}
        assert np.unique(val.read_mask(record)).tolist() == [ids[record.labels]]
    assert "test__cut__001" in labels_by_id(opened(tmp_path, **options))


def test_folders_of_splits(tmp_path):
    write(tmp_path, "train/cat/1.jpg", "train/dog/2.jpg", "test/cat/3.jpg", "test/dog/4.jpg")
    layout = detect(tmp_path)
    assert layout.options(tmp_path) == {"splits": "folders"} and layout.splits(tmp_path, {}) == [
        "test",
        "train",
    ]
    refuse(tmp_path, "no image in split `val`; .*`splits: drawn`", "val")
    assert layout.splits(tmp_path, {"splits": "drawn"}) == ["train", "val"]
    assert len(opened(tmp_path, "val", splits="drawn")) == 2
    write(tmp_path, "bird/5.jpg")
    refuse(tmp_path, "folders of splits test, train and also `bird`")
    (tmp_path / "bird/5.jpg").unlink()
    write(tmp_path, "testing/cat/6.jpg")
    refuse(tmp_path, "`test` and `testing` both name the split test")
    refuse(tmp_path / "train", "`splits: folders`: .* no folders of splits", splits="folders")


def test_a_single_split_is_divided(tmp_path):
    write(tmp_path, *(f"train/{name}/{name}{number}.jpg" for name in ("cat", "dog") for number in range(5)))
    assert (len(opened(tmp_path, "train")), len(opened(tmp_path, "val"))) == (8, 2)


def test_what_is_no_folder_of_classes(tmp_path):
    for name, files in {
        "images and masks": ["images/1.jpg", "images/2.jpg", "masks/1.png", "masks/2.png"],
        "splits of images": ["train/1.jpg", "val/2.jpg"],
        "splits of images and masks": ["train/images/1.jpg", "train/masks/1.png", "val/images/1.jpg"],
        "one class": ["cat/1.jpg"],
        "photographs": ["1.jpg", "2.jpg"],
        "datasets": ["a/photos/1.jpg", "b/labels/2.jpg"],
    }.items():
        write(tmp_path / name, *files)
        with pytest.raises(InputError, match="has no known layout"):
            detect(tmp_path / name)
    write(tmp_path / "own", "a/1.jpg", "b/1.jpg")
    assert detect(tmp_path / "own").name == "class_folders"
    (tmp_path / "own/labels.csv").write_text("image,labels\na/1.jpg,cat\nb/1.jpg,dog\n")
    assert detect(tmp_path / "own").name == "folder"
    refuse(
        tmp_path / "images and masks",
        "no class folder with images; expected files such as .*`images` and `masks`",
    )
    refuse(
        tmp_path / "splits of images",
        r"train holds images themselves, such as 1\.jpg; expected folders of classes",
    )


def test_a_class_named_mask(tmp_path):
    """Beside the classes, a folder `mask` with images is a class; inside a class it holds masks."""
    write(tmp_path, "mask/1.jpg", "no_mask/2.jpg", "no_mask/mask/2.png")
    assert detect(tmp_path).name == "class_folders"
    assert labels_by_id(opened(tmp_path)) == {"1": ("mask",), "2": ("no_mask",)}


def test_hidden_and_linked_folders(tmp_path):
    write(
        tmp_path / "real",
        "a/1.jpg",
        "b/2.jpg",
        ".ipynb_checkpoints/1-checkpoint.jpg",
        "a/.ipynb_checkpoints/1.jpg",
    )
    (tmp_path / "real/a/.DS_Store").write_text("")
    write(tmp_path / "real", "b/._2.jpg")
    (tmp_path / "linked").mkdir()
    for name in ("a", "b"):
        (tmp_path / "linked" / name).symlink_to(tmp_path / "real" / name)
    (tmp_path / "real/a/up").symlink_to(tmp_path / "real")
    for root in ("real", "linked"):
        assert labels_by_id(opened(tmp_path / root)) == {"1": ("a",), "2": ("b",)}


def test_classes_and_other_folders(tmp_path):
    write(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    refuse(tmp_path, "has the class folder `c`, which is not in `classes` or `nothing`", classes=["b", "a"])
    dataset = opened(tmp_path, classes=["b", "a"], other_folders="ignore")
    assert dataset.classes == ("b", "a") and labels_by_id(dataset) == {"1": ("a",), "2": ("b",)}
    refuse(tmp_path, "`classes`: .* no class folder `aa`", classes=["aa", "b", "c"])
    write(tmp_path, "background/4.jpg")
    refuse(tmp_path, "`background` cannot be a class, .*`nothing: background`")
    assert labels_by_id(opened(tmp_path, nothing="background"))["4"] == ()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"mask_level": 255}, r"`mask_level` of dataset `class_folders` must be a whole number in 0\.\.254"),
        ({"mask_level": 0.5}, "`mask_level`"),
        ({"val_share": 1}, "`val_share`"),
        (
            {"splits": "hash"},
            "`splits` of dataset `class_folders` must be auto, folders or drawn; got 'hash'",
        ),
        ({"other_folders": "drop"}, "`other_folders`"),
        ({"masks": "beside"}, "`masks` must be none or a path with {name}"),
        ({"masks": "{stem}.png"}, "got '{stem}.png'"),
        ({"masks": "{name}/mask"}, "with {name} in its last part"),
        ({"masks": 3}, "got 3"),
        ({"masks": "GT/{name}.png"}, r"no image has a mask there, such as .*GT/1\.png; `wsseg init FOLDER`"),
        ({"masks": "{folder}/{name}.jpg"}, "every image below .* fits `masks"),
        ({"root": None}, "needs `root`"),
    ],
)
def test_wrong_options(tmp_path, options, match):
    write(tmp_path, "a/1.jpg", "b/2.jpg")
    root = options.pop("root", tmp_path)
    refuse(root, match, **options)


def test_a_photograph_and_a_copy_of_it_are_not_told_apart_by_guess(tmp_path):
    """Twins whose content does not say which is the mask: both photographs, both masks, or of two sizes."""
    rng = np.random.default_rng(0)
    for folder, first, second in (
        ("photographs", rng.integers(0, 256, (16, 20)), rng.integers(0, 256, (16, 20))),
        ("masks twice", np.zeros((16, 20)), np.full((16, 20), 255)),
        ("sizes", rng.integers(0, 256, (16, 20)), np.zeros((20, 16))),
    ):
        root = tmp_path / folder
        for name in ("a/1", "b/2"):
            write_levels(root / f"{name}.bmp", first)
            write_levels(root / f"{name}.png", second)
        with pytest.raises(
            InputError, match=r"a/1\.bmp and .*a/1\.png have the same name, and it is not clear"
        ):
            detect(root).options(root)
        refuse(root, r"a/1\.bmp and 1\.png have the same name; if one is the mask of the other")


def test_even_gray_photographs_are_no_masks(tmp_path):
    """All their levels are near the brightest one, as in a mask, but they have no black."""
    rng = np.random.default_rng(0)
    for name in ("a/1", "b/2"):
        write_levels(tmp_path / f"{name}.jpg", rng.integers(118, 126, (16, 20)))
        write_levels(tmp_path / f"{name}.png", np.repeat([[0, 255]], [12, 8], axis=1).repeat(16, 0))
    assert detect(tmp_path).options(tmp_path)["masks"] == BESIDE
    for name in ("a/1", "b/2"):  # an object all over the image
        write_levels(tmp_path / f"{name}.png", np.full((16, 20), 255))
    assert detect(tmp_path).options(tmp_path)["masks"] == BESIDE


def test_the_level_that_is_proposed(tmp_path):
    def level(*values):
        write(tmp_path, "a/1.jpg", "b/2.jpg", size_hw=(1, len(values)))
        for name in ("a/1_mask.png", "b/2_mask.png"):
            write_levels(tmp_path / name, [values])
        return detect(tmp_path).options(tmp_path)["mask_level"]

    assert (level(0, 3, 128, 254), level(0, 1, 1), level(0, 0, 40)) == (127, 0, 0)
    with pytest.raises(
        InputError, match=r"levels \[0, 1, 255\]: if these are class ids and 255 marks unsure"
    ):
        level(0, 1, 255)


def test_two_kinds_of_masks_are_named(tmp_path):
    write(tmp_path, "a/1.jpg", "b/2.jpg", "a/1_mask.png", "b/2_mask.png", "GT/a/1.png", "GT/b/2.png", value=0)
    with pytest.raises(InputError, match=r"1_mask\.png or in GT/a/1\.png; choose"):
        detect(tmp_path).options(tmp_path)
