"""Whole images in padded batches: each once, true sizes, few shapes."""

import numpy as np
import pytest
from examples.coded_images import coded_dataset
from PIL import Image

from wsseg.datasets import Dataset, Record
from wsseg.loading.augment import FILL_RGB
from wsseg.loading.padded_batches import padded_batches, padded_size
from wsseg.loading.reduction import reduced


@pytest.fixture
def coded(tmp_path):
    return coded_dataset(tmp_path)


def test_padded_size():
    assert padded_size((1, 64), 64) == (64, 64) and padded_size((65, 128), 64) == (128, 128)


def test_each_image_once_in_the_corner_of_its_batch(coded):
    seen, shapes = [], set()
    for batch in padded_batches(coded, coded, batch_size=2, multiple=32):
        shapes.add(batch.images.shape)
        assert len(batch.images) in (1, 2) and batch.images.dtype == np.float32
        assert 1 <= len(batch.records) == len(batch.sizes_hw)
        for record, size_hw, image in zip(batch.records, batch.sizes_hw, batch.images):
            original = coded.read_image(record)
            assert size_hw == original.shape[:2]
            height, width = size_hw
            np.testing.assert_array_equal(image[:height, :width], original)
            outside = np.ones(image.shape[:2], bool)
            outside[:height, :width] = False
            np.testing.assert_array_equal(
                image[outside], np.broadcast_to(np.float32(FILL_RGB), image[outside].shape)
            )
            assert image.shape[0] - height < 32 and image.shape[1] - width < 32
            seen.append(record.id)
    assert sorted(seen) == [record.id for record in coded]
    assert len(shapes) == len({padded_size(coded.read_image(r).shape[:2], 32) for r in coded})


def test_filling_repeats_the_last_image(coded):
    same = [coded[2]] * 4
    first, last = padded_batches(coded, same, batch_size=3)
    assert len(first.records) == 3 and len(last.records) == 1
    assert first.images.shape == last.images.shape and len(last.images) == 3
    np.testing.assert_array_equal(last.images[1], last.images[0])
    np.testing.assert_array_equal(last.images[2], last.images[0])


def test_few_or_large_images_make_small_batches(coded, monkeypatch):
    (batch,) = padded_batches(coded, coded[2:3], batch_size=8)
    assert len(batch.images) == 1
    height, width = padded_size(coded.read_image(coded[2]).shape[:2], 64)
    monkeypatch.setattr("wsseg.loading.padded_batches.PIXELS", height * width // 4)  # room for 8 / 4 images
    batches = list(padded_batches(coded, [coded[2]] * 5, batch_size=8))
    assert [len(batch.images) for batch in batches] == [2, 2, 2]


def test_turned_photograph_has_its_upright_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((40, 100, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    dataset = Dataset("turned", "val", ("a",), [Record("turned", tmp_path / "turned.jpg", ("a",))])
    (batch,) = padded_batches(dataset, dataset, batch_size=1)
    assert batch.sizes_hw == [(100, 40)] and batch.images.shape == (1, 128, 64, 3)


def test_nothing_to_read(coded):
    assert list(padded_batches(coded, [], batch_size=2)) == []


def test_large_images_are_reduced_and_remember_their_size(tmp_path):
    random, records = np.random.default_rng(0), []
    for index, size_hw in enumerate([(60, 200), (30, 100), (20, 40)]):
        path = tmp_path / f"{index}.png"
        Image.fromarray(random.integers(0, 256, (*size_hw, 3), np.uint8)).save(path)
        records.append(Record(str(index), path, ("a",)))
    dataset = Dataset("large", "val", ("a",), records)
    small, large = padded_batches(dataset, dataset, batch_size=2, max_side=100)
    assert small.images.shape == (1, 64, 64, 3) and small.own_sizes_hw == small.sizes_hw == [(20, 40)]
    # Reduced, the first fits into the second's batch.
    assert large.images.shape == (2, 64, 128, 3)
    assert large.sizes_hw == [(30, 100), (30, 100)] and large.own_sizes_hw == [(60, 200), (30, 100)]
    np.testing.assert_array_equal(large.images[0, :30, :100], reduced(dataset.read_image(records[0]), 100))
    np.testing.assert_array_equal(large.images[1, :30, :100], dataset.read_image(records[1]))
    (batch,) = padded_batches(dataset, records[:1], batch_size=2, max_side=None)
    assert batch.sizes_hw == [(60, 200)]
