import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from wsseg import artifacts
from wsseg.artifacts import (
    ClassMaps,
    Manifest,
    digest,
    read_json,
    read_mask,
    write_atomically,
    write_json,
    write_mask,
)
from wsseg.errors import InputError


@pytest.fixture
def mask():
    """Every id, 0 to 255, in a mask that is not square."""
    return np.arange(256, dtype=np.uint8).repeat(3).reshape(24, 32)


def test_a_mask_comes_back_as_it_was(tmp_path, mask):
    write_mask(tmp_path / "a.png", mask)
    found = read_mask(tmp_path / "a.png")
    assert found.dtype == np.uint8 and np.array_equal(found, mask)


def test_a_mask_opens_anywhere_in_the_voc_palette(tmp_path, mask):
    write_mask(tmp_path / "a.png", mask)
    with Image.open(tmp_path / "a.png") as image:
        assert (image.mode, image.size, image.format) == ("P", (32, 24), "PNG")
        colours = np.array(image.convert("RGB"))
    # The devkit's: background black, aeroplane dark red, cat (8) dark red 64, void cream.
    for value, rgb in ((0, (0, 0, 0)), (1, (128, 0, 0)), (8, (64, 0, 0)), (255, (224, 224, 192))):
        assert tuple(colours[mask == value][0]) == rgb


def test_a_mask_that_is_not_a_view_of_whole_memory(tmp_path, mask):
    write_mask(tmp_path / "a.png", mask[::2, ::-1])
    assert np.array_equal(read_mask(tmp_path / "a.png"), mask[::2, ::-1])


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.int64)]
)
def test_an_array_that_is_no_mask_is_refused(tmp_path, wrong):
    with pytest.raises(InputError, match=r"must be \(H, W\) uint8"):
        write_mask(tmp_path / "a.png", wrong)
    assert not list(tmp_path.iterdir())


def test_masks_of_other_kinds(tmp_path, mask):
    Image.fromarray(mask).save(tmp_path / "gray.png")
    assert np.array_equal(read_mask(tmp_path / "gray.png"), mask)
    Image.fromarray(mask > 100).save(tmp_path / "bits.png")
    assert np.array_equal(read_mask(tmp_path / "bits.png"), (mask > 100).astype(np.uint8))
    for mode in ("RGB", "RGBA", "LA", "I;16"):
        image = (
            Image.fromarray(mask.astype(np.uint16)) if mode == "I;16" else Image.fromarray(mask).convert(mode)
        )
        image.save(tmp_path / "colours.png")
        with pytest.raises(InputError, match=rf"colours.png holds {mode} pixels; a mask must be an indexed"):
            read_mask(tmp_path / "colours.png")


def broken_copies(path):
    """A file cut at many places, and with bytes in its middle changed."""
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, max(len(whole) // 40, 1)):
        yield whole[:length]
    for place in range(0, len(whole), max(len(whole) // 40, 1)):
        yield whole[:place] + bytes(255 - byte for byte in whole[place : place + 5]) + whole[place + 5 :]


@pytest.mark.parametrize("kind", ["mask", "maps"])
def test_broken_files_are_named(tmp_path, mask, kind):
    path = tmp_path / f"broken.{'png' if kind == 'mask' else 'npz'}"
    if kind == "mask":
        write_mask(path, mask)
    else:
        ClassMaps(np.array([2, 5]), np.random.default_rng(0).random((2, 6, 8)), (24, 32)).save(path)
    read = read_mask if kind == "mask" else ClassMaps.load
    refused = 0
    for content in list(broken_copies(path)):
        path.write_bytes(content)
        try:
            read(path)  # some damage is not in what is read
        except InputError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 20
    path.unlink()
    with pytest.raises(InputError, match=r"broken.*(does|do) not exist"):
        read(path)


def test_class_maps_come_back_to_half_precision(tmp_path):
    maps = np.random.default_rng(0).random((2, 5, 7)).astype(np.float32)
    ClassMaps(np.array([3, 20]), maps, (20, 27)).save(tmp_path / "a.npz")
    found = ClassMaps.load(tmp_path / "a.npz")
    assert found.class_ids.tolist() == [3, 20] and found.size_hw == (20, 27)
    assert found.maps.dtype == np.float32
    assert np.array_equal(found.maps, maps.astype(np.float16).astype(np.float32))
    assert np.abs(found.maps - maps).max() <= 2**-12  # half a unit in the last place, below 1
    with np.load(tmp_path / "a.npz", allow_pickle=False) as content:
        assert content["maps"].dtype == np.float16


def test_class_maps_of_no_class(tmp_path):
    ClassMaps(np.zeros(0, int), np.zeros((0, 4, 4)), (16, 16)).save(tmp_path / "a.npz")
    assert ClassMaps.load(tmp_path / "a.npz").maps.shape == (0, 4, 4)


@pytest.mark.parametrize(
    "failure", [ValueError("no"), KeyboardInterrupt(), OSError(errno.EIO, "broken disk")]
)
def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "a.json"
    write_json(path, {"old": True})

    def fail(file):
        file.write(b"half of it")
        raise failure

    with pytest.raises(InputError if isinstance(failure, OSError) else type(failure)):
        write_atomically(path, fail)
    assert read_json(path) == {"old": True}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stem", ["x" * 250, "é" * 125])
def test_the_longest_names(tmp_path, stem):
    write_json(tmp_path / f"{stem}.json", 1)
    write_mask(tmp_path / f"{stem}.png", np.zeros((4, 4), np.uint8))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{stem}.json", f"{stem}.png"]
    with pytest.raises(InputError, match="name too long; give the image a shorter name"):
        write_json(tmp_path / f"{stem}x.json", 1)


def test_a_full_disk_says_how_to_go_on(tmp_path):
    def fill_up(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError, match=r"a\.npz: No space left on device; free some space.*resumes"):
        write_atomically(tmp_path / "a.npz", fill_up)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(InputError, match=r"cannot write .*a\.png"):
            write_mask(folder / "a.png", np.zeros((2, 2), np.uint8))


def test_a_killed_write_leaves_the_old_file(tmp_path):
    program = """
import os, signal, sys
from pathlib import Path
from wsseg.artifacts import write_atomically
def write(file):
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]), write)
"""
    path = tmp_path / "a.txt"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", program, str(path)])
    assert done.returncode == -9
    assert path.read_text() == "old"
    # What is left is hidden, and is not taken for an artifact.
    assert all(other.name.startswith(".a.txt.") for other in tmp_path.iterdir() if other != path)


def test_json_that_is_missing_broken_or_no_text(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match=r"a\.json does not exist"):
        read_json(path)
    for content in (b"{", b"", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.json is not valid JSON"):
            read_json(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path)


def manifest(**changes):
    content = {
        "stage": "label",
        "definition": {"options": {"seed": 0}},
        "counts": {"images": 3},
        "set_aside": {"a": "broken"},
        "versions": {"python": "3"},
        "wall_seconds": 1.5,
        "resumed": False,
        "peak_memory_mb": 10.0,
    }
    return Manifest(**content | changes)


def test_a_manifest_comes_back(tmp_path):
    assert Manifest.load(tmp_path) is None
    manifest().save(tmp_path)
    assert Manifest.load(tmp_path) == manifest()
    assert json.loads((tmp_path / "manifest.json").read_text())["hash"] == manifest().hash


def test_only_the_definition_is_in_the_hash():
    assert manifest(wall_seconds=9.0, counts={}).hash == manifest().hash
    assert manifest(definition={"options": {"seed": 1}}).hash != manifest().hash


@pytest.mark.parametrize("content", [[], {"stage": "label"}])
def test_a_json_that_is_no_manifest(tmp_path, content):
    write_json(tmp_path / "manifest.json", content)
    with pytest.raises(InputError, match=r"manifest\.json is not a stage's manifest; delete its folder"):
        Manifest.load(tmp_path)


def test_a_digest_is_stable_over_processes_and_versions():
    """The first 16 hexadecimal digits of `printf '{"a": [1, 2]}' | sha256sum`."""
    assert digest({"a": [1, 2]}) == digest({"a": (1, 2)}) == "0bf464f8d802f582"
    assert digest({"a": [2, 1]}) != digest({"a": [1, 2]})


def test_artifacts_in_order_without_what_is_half_written(tmp_path):
    for name in ("b.c.png", "a.png", ".a.png.12.partial", ".x.png", "a.npz"):
        (tmp_path / name).write_text("")
    assert [name for name, _ in artifacts.image_files(tmp_path, ".png")] == ["a", "b.c"]
