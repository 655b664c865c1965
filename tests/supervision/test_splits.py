import os

import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import read_json, write_mask
from wsseg.datasets import Dataset
from wsseg.engine.definitions import Definitions, weights_fingerprint
from wsseg.errors import InputError
from wsseg.recipe.reading import load_recipe
from wsseg.supervision import splits
from wsseg.supervision.splits import Splits


@pytest.fixture
def photographs(tmp_path):
    """Twenty good images, half of them in `val` with masks of which two are bad."""
    root = tmp_path / "photographs"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rows = ["image,labels,split"]
    for index in range(20):
        pixels = np.random.default_rng(index).integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"images/{index:02}.png")
        if index >= 10:
            write_mask(root / f"masks/{index:02}.png", np.zeros((20, 24), np.uint8))
        rows.append(f"{index:02}.png,cat,{'train' if index < 10 else 'val'}")
    write_mask(root / "masks/12.png", np.zeros((20, 20), np.uint8))
    (root / "masks/13.png").write_bytes(b"no mask")
    (root / "masks/14.png").unlink()
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def recipe(photographs):
    def build(*words):
        base = ["--dataset.name=folder", f"--dataset.root={photographs}"]
        return load_recipe(overrides=[*base, *(f"--{word}" for word in words)])

    return build


def test_records_know_no_masks_unless_asked(recipe, tmp_path):
    for opened in (Splits(recipe()).open("val"), Splits(recipe(), tmp_path / "data").checked("val")[0]):
        assert len(opened) == 10 and all(record.mask is None for record in opened)
    with_masks = Splits(recipe()).open("val", masks=True)
    assert sum(record.mask is not None for record in with_masks) == 9


def test_broken_images_are_found_once(recipe, photographs, tmp_path, monkeypatch):
    (photographs / "images/03.png").write_bytes(b"no image")
    Image.new("RGB", (1, 1)).save(photographs / "images/04.png")
    kept, aside = Splits(recipe(), tmp_path / "data").checked("train")
    assert len(kept) == 8 and set(aside) == {"03", "04"}
    assert "03.png" in aside["03"] and "1 x 1" in aside["04"]
    assert read_json(tmp_path / "data/train.json")["set_aside"] == aside

    def decoded_again(*args, **kwargs):
        raise AssertionError("the images were read again")

    monkeypatch.setattr(splits, "check_images", decoded_again)
    assert Splits(recipe(), tmp_path / "data").checked("train")[1] == aside
    Image.new("RGB", (20, 24)).save(photographs / "images/03.png")  # now it is good: another dataset
    with pytest.raises(AssertionError, match="read again"):
        Splits(recipe(), tmp_path / "data").checked("train")


def test_an_image_replaced_by_a_broken_one_of_the_same_size_is_found(recipe, photographs, tmp_path):
    data = tmp_path / "data"
    assert Splits(recipe(), data).checked("train")[1] == {}
    path = photographs / "images/03.png"
    time_ns = path.stat().st_mtime_ns
    path.write_bytes(bytes(path.stat().st_size))
    os.utime(path, ns=(time_ns, time_ns + 10**9))
    assert set(Splits(recipe(), data).checked("train")[1]) == {"03"}
    assert set(Splits(recipe(), data).checked("train")[1]) == {"03"}


def test_masks_are_checked_only_where_they_are_asked_for(recipe, tmp_path, monkeypatch):
    kept, aside = Splits(recipe(), tmp_path / "data").checked("val", masks=True)
    assert set(aside) == {"12", "13"} and len(kept) == 8
    assert "masks/12.png is 20 x 20 pixels" in aside["12"] and "masks/13.png cannot be read" in aside["13"]
    read = []
    monkeypatch.setattr(Dataset, "read_mask", lambda self, record: read.append(record))
    assert Splits(recipe(), tmp_path / "other").checked("val")[1] == {} and read == []


def test_the_name_of_a_split_makes_no_path(recipe, photographs, tmp_path):
    text = (photographs / "labels.csv").read_text()
    (photographs / "labels.csv").write_text(text.replace(",val", ",../held out"))
    Splits(recipe(), tmp_path / "data").checked("../held out")
    assert {path.name for path in (tmp_path / "data").iterdir()} == {".._held_out.json", "contents"}


def test_calibration_images_are_the_same_with_and_without_masks(recipe, tmp_path):
    words = ["label.threshold.rule=calibration", "label.threshold.split=val", "label.threshold.images=5"]
    blind = Splits(recipe(*words), tmp_path / "data").calibration()
    seeing = Splits(recipe(*words), tmp_path / "data").calibration(masks=True)
    assert [r.id for r in blind] == [r.id for r in seeing] and len(blind) == 5
    assert all(r.mask is None for r in blind) and all(r.mask is not None for r in seeing)
    assert not {"12", "13", "14"} & {r.id for r in seeing}
    drawn = {
        tuple(r.id for r in Splits(recipe(*words, f"seed={s}"), tmp_path / "d").calibration())
        for s in range(9)
    }
    assert len(drawn) > 3
    everything = Splits(recipe(*words[:2]), tmp_path / "data").calibration()
    assert len(everything) == 7


def test_calibration_data_decides_nothing_where_it_is_not_used(recipe):
    def parts(*words):
        return Definitions(Splits(recipe(*words))).of("localize")["data"]

    assert list(parts()) == ["train"]
    used = ["label.threshold.rule=calibration", "label.threshold.split=val"]
    assert parts(*used)["calibration_masks"] == Splits(recipe()).fingerprint("val_masks")


def test_weights_by_content(tmp_path):
    assert [weights_fingerprint(name) for name in (None, "imagenet", "classifier")] == [
        None,
        "imagenet",
        "classifier",
    ]
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert weights_fingerprint(str(tmp_path / "a")) == weights_fingerprint(str(tmp_path / "b"))
    with pytest.raises(InputError, match=r"weights file .* cannot be read \(Is a directory\)"):
        weights_fingerprint(str(tmp_path))


def test_an_image_whose_mask_alone_is_broken_is_not_scored(tmp_path):
    """It is trained on all the same: the reason says that it is the mask."""
    root = tmp_path / "pets"
    (root / "masks").mkdir(parents=True)
    for name in ("a", "b", "c"):
        Image.fromarray(np.full((20, 24, 3), ord(name), np.uint8)).save(root / f"{name}.png")
        Image.fromarray(np.full((20, 24), 1, np.uint8)).save(root / f"masks/{name}.png")
    (root / "masks/b.png").write_bytes(b"broken")
    (root / "labels.csv").write_text("image,labels,split\na,cat,train\nb,cat,train\nc,cat,val\n")
    words = ["--dataset.name=folder", f"--dataset.root={root}"]
    splits = Splits(load_recipe(overrides=words), tmp_path / "data")
    kept, aside = splits.checked("train", masks=True)
    assert [record.id for record in kept] == ["a"] and aside["b"].startswith(
        "not scored, as its mask cannot be"
    )
    assert [record.id for record in splits.checked("train")[0]] == ["a", "b"] and not splits.checked("train")[
        1
    ]
