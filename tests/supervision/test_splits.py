import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import read_json, write_mask
from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.recipe.reading import load_recipe
from wsseg.supervision import splits


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
    for opened in (splits.open_split(recipe(), "val"), splits.checked(recipe(), "val", tmp_path / "data")[0]):
        assert len(opened) == 10 and all(record.mask is None for record in opened)
    with_masks = splits.open_split(recipe(), "val", masks=True)
    assert sum(record.mask is not None for record in with_masks) == 9


def test_broken_images_are_found_once(recipe, photographs, tmp_path, monkeypatch):
    (photographs / "images/03.png").write_bytes(b"no image")
    Image.new("RGB", (1, 1)).save(photographs / "images/04.png")
    kept, aside = splits.checked(recipe(), "train", tmp_path / "data")
    assert len(kept) == 8 and set(aside) == {"03", "04"}
    assert "03.png" in aside["03"] and "1 x 1" in aside["04"]
    assert read_json(tmp_path / "data/train.json")["set_aside"] == aside

    def decoded_again(*args, **kwargs):
        raise AssertionError("the images were read again")

    monkeypatch.setattr(splits, "check_images", decoded_again)
    assert splits.checked(recipe(), "train", tmp_path / "data")[1] == aside
    Image.new("RGB", (20, 24)).save(photographs / "images/03.png")  # now it is good: another dataset
    with pytest.raises(AssertionError, match="read again"):
        splits.checked(recipe(), "train", tmp_path / "data")


def test_masks_are_checked_only_where_they_are_asked_for(recipe, tmp_path, monkeypatch):
    kept, aside = splits.checked(recipe(), "val", tmp_path / "data", masks=True)
    assert set(aside) == {"12", "13"} and len(kept) == 8
    assert "masks/12.png is 20 x 20 pixels" in aside["12"] and "masks/13.png cannot be read" in aside["13"]
    read = []
    monkeypatch.setattr(Dataset, "read_mask", lambda self, record: read.append(record))
    assert splits.checked(recipe(), "val", tmp_path / "other")[1] == {} and read == []


def test_the_name_of_a_split_makes_no_path(recipe, photographs, tmp_path):
    text = (photographs / "labels.csv").read_text()
    (photographs / "labels.csv").write_text(text.replace(",val", ",../held out"))
    splits.checked(recipe(), "../held out", tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".._held_out.json"]


def test_calibration_images_are_the_same_with_and_without_masks(recipe, tmp_path):
    words = ["label.threshold.rule=calibration", "label.threshold.split=val", "label.threshold.images=5"]
    blind = splits.calibration_split(recipe(*words), tmp_path / "data")
    seeing = splits.calibration_split(recipe(*words), tmp_path / "data", masks=True)
    assert [r.id for r in blind] == [r.id for r in seeing] and len(blind) == 5
    assert all(r.mask is None for r in blind) and all(r.mask is not None for r in seeing)
    assert not {"12", "13", "14"} & {r.id for r in seeing}
    drawn = {
        tuple(r.id for r in splits.calibration_split(recipe(*words, f"seed={s}"), tmp_path / "d"))
        for s in range(9)
    }
    assert len(drawn) > 3
    everything = splits.calibration_split(recipe(*words[:2]), tmp_path / "data")
    assert len(everything) == 7


def test_the_fingerprints_of_unused_parts(recipe):
    assert splits.fingerprint(recipe(), "calibration_masks") is None
    used = ["label.threshold.rule=calibration", "label.threshold.split=val"]
    assert splits.fingerprint(recipe(*used), "calibration_masks") == splits.fingerprint(recipe(), "val_masks")
    assert splits.fingerprint(recipe(*used, "segment.train_on=true_masks"), "calibration_masks") is None


def test_weights_by_content(tmp_path):
    assert [splits.weights_fingerprint(name) for name in (None, "imagenet", "classifier")] == [
        None,
        "imagenet",
        "classifier",
    ]
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert splits.weights_fingerprint(str(tmp_path / "a")) == splits.weights_fingerprint(str(tmp_path / "b"))
    with pytest.raises(InputError, match=r"weights file .* cannot be read \(Is a directory\)"):
        splits.weights_fingerprint(str(tmp_path))
