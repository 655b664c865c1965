"""Images are told apart by content, compared here with the bytes of all files."""

import os

import numpy as np
import pytest

from wsseg.datasets import Record
from wsseg.datasets.shared_images import TAIL, repeated_images, shared_images


@pytest.fixture
def files(tmp_path):
    """Files of few sizes and contents, some with equal ends, some linked, two empty, one missing."""
    random = np.random.default_rng(3)
    end = random.bytes(TAIL)
    contents = [
        random.bytes(300),
        random.bytes(300),
        random.bytes(50) + end,
        random.bytes(50) + end,
        random.bytes(9),
        b"",
    ]
    paths = []
    for number in range(24):
        path = tmp_path / f"{number:02}.jpg"
        path.write_bytes(contents[int(random.integers(len(contents)))])
        paths.append(path)
    for number, source in enumerate(paths[:3]):
        (tmp_path / f"link {number}.jpg").symlink_to(source)
        os.link(source, tmp_path / f"hard link {number}.jpg")
        paths += [tmp_path / f"link {number}.jpg", tmp_path / f"hard link {number}.jpg"]
    return [*paths, tmp_path / "missing.jpg"]


def records(paths):
    return [Record(path.stem, path, ("cat",)) for path in paths]


def equal(one, other):
    """Whether two files are one, or hold the same bytes and any at all."""
    if one.resolve() == other.resolve():
        return True
    return one.exists() and other.exists() and one.read_bytes() == other.read_bytes() != b""


def test_images_of_both_splits(files):
    first, second = files[::2], files[1::2]
    found = {(one.image, other.image) for one, other in shared_images(records(first), records(second))}
    wanted = {one: [other for other in second if equal(one, other)] for one in first}
    assert {one for one, _ in found} == {one for one, others in wanted.items() if others}
    assert all(other == wanted[one][0] for one, other in found) and 5 < len(found) < len(first)
    assert len(shared_images(records(files), records(files))) == len(files)


def test_images_that_are_in_a_split_twice(files):
    found = repeated_images(records(files))
    wanted = {
        path.stem: others[0].stem
        for number, path in enumerate(files)
        if (others := [other for other in files[:number] if equal(path, other)])
    }
    assert found == wanted and len(found) > 10


def test_files_of_different_sizes_are_not_read(tmp_path, monkeypatch):
    paths = [tmp_path / f"{number}.jpg" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(b"x" * (number + 1))
    monkeypatch.setattr("wsseg.datasets.shared_images._tail", None)  # calling it fails
    assert shared_images(records(paths[:2]), records(paths[2:])) == []
