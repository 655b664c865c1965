"""Training batches: the same for the same seed and epoch, masks on their images, nothing invented."""

import dataclasses
import time

import numpy as np
import pytest
from examples.coded_images import COLOURS, coded_dataset

from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.loading.augment import FILL_RGB, Crops
from wsseg.loading.training_batches import TrainingBatches
from wsseg.recipe import TrainingConfig


@pytest.fixture
def coded(tmp_path):
    return coded_dataset(tmp_path)


CONFIGURED = {field.name for field in dataclasses.fields(TrainingConfig)}


def batches_of(dataset, crop, long_side, batch_size, seed, **options):
    """Options of the training go into the config, all others to the batches themselves."""
    config = {name: options.pop(name) for name in CONFIGURED & set(options)}
    config = TrainingConfig(crop=crop, long_side=long_side, batch_size=batch_size, **config)
    return TrainingBatches(dataset, config, seed, **options)


def batches_with_masks(dataset, **options):
    options = {"crop": 48, "long_side": (40, 110), "batch_size": 3, "seed": 5} | options
    return batches_of(dataset, target="masks", read_mask=dataset.read_mask, **options)


def arrays(batches, epoch):
    return [(images.numpy(), masks.numpy()) for images, masks in batches.epoch(epoch)]


class Slow(Dataset):
    """Reads one image much slower than others, so that parallel loading finishes out of order."""

    slow = None

    def read_image(self, record):
        time.sleep(0.5 if record.id == self.slow else 0)
        return super().read_image(record)


def test_two_passes_are_equal_bit_by_bit_and_epochs_differ(coded):
    slow = Slow(coded.name, coded.split, coded.classes, coded)
    first = arrays(batches_with_masks(coded, jitter=0.5), 2)
    batches = batches_with_masks(slow, jitter=0.5)
    other = arrays(batches, 0)
    slow.slow = slow[Crops.draw(7, (40, 110), 5, 2).order[0]].id
    second = arrays(batches, 2)
    assert len(first) == len(second) == 2
    for (images, masks), (images_again, masks_again), (images_other, _) in zip(first, second, other):
        np.testing.assert_array_equal(images, images_again)
        np.testing.assert_array_equal(masks, masks_again)
        assert not np.array_equal(images, images_other)


def test_masks_stay_on_their_images(coded):
    checked, left_of_right = 0, set()
    for epoch in range(3):
        for images, masks in arrays(batches_with_masks(coded), epoch):
            for image, mask in zip(images, masks):
                # Where the 5 x 5 neighbours agree, the colour is not blurred over a border.
                windows = np.lib.stride_tricks.sliding_window_view(mask, (5, 5))
                inner = windows.min((2, 3)) == windows.max((2, 3))
                for value, colour in COLOURS.items():
                    where = inner & (mask[2:-2, 2:-2] == value)
                    found = image[2:-2, 2:-2][where]
                    if value == 255:  # painted as unsure, or padded
                        padded = np.abs(found - FILL_RGB).max(-1) < 1e-3
                        found = found[~padded]
                    if len(found):
                        np.testing.assert_allclose(
                            found, np.broadcast_to(np.float32(colour), found.shape), atol=2
                        )
                        checked += len(found)
                columns = np.nonzero((mask == 7).any(0))[0]
                background = np.nonzero((mask == 0).any(0))[0]
                if len(columns) and len(background):
                    left_of_right.add(columns.mean() < background.mean())
    assert checked > 5000
    assert left_of_right == {True, False}  # class 7 is left in every file: so flips happened


def test_no_class_is_invented_and_padding_is_unsure(coded):
    for images, masks in arrays(batches_with_masks(coded, jitter=0.4), 1):
        assert masks.dtype == np.int32 and set(np.unique(masks)) <= {0, 3, 7, 255}
        padded = (images == np.float32(FILL_RGB)).all(-1)
        assert padded.any() and (masks[padded] == 255).all()
        assert images.dtype == np.float32 and images.min() >= 0 and images.max() <= 255


def test_labels_and_validity(coded):
    batches = batches_of(coded, crop=48, long_side=(30, 60), batch_size=3, seed=1, jitter=0.3)
    seen = []
    for (images, valid), labels in batches.epoch(0):
        images, valid = images.numpy(), valid.numpy()
        assert images.shape == (3, 48, 48, 3) and valid.shape == (3, 48, 48) and labels.shape == (3, 7)
        assert set(np.unique(valid)) == {0, 1}
        np.testing.assert_array_equal(valid == 0, (images == np.float32(FILL_RGB)).all(-1))
        for one in valid:  # the image is a rectangle
            rows, columns = np.nonzero(one)
            assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        seen += [tuple(np.flatnonzero(row)) for row in labels.numpy()]
    assert set(seen) == {(2, 6), (6,)}


def test_labels_go_with_their_images(tmp_path):
    from PIL import Image

    records = []
    for index in range(8):
        path = tmp_path / f"{index}.png"
        Image.new("RGB", (32, 32), (20 * index, 0, 0)).save(path)
        records.append(Record(str(index), path, (f"class {index}",)))
    dataset = Dataset("red", "train", [f"class {i}" for i in range(8)], records)
    for (images, _), labels in batches_of(dataset, 32, (32, 32), 2, 0).epoch(3):
        np.testing.assert_allclose(images[:, 16, 16, 0] / 20, np.argmax(labels, -1), atol=1e-3)


def test_an_epoch_shows_what_it_is_told(coded):
    """Of the first image, alone 60 x 90, three crops hold it whole: 32 x 48."""
    shown = [*coded, coded[0], coded[0]]
    batches = batches_with_masks(coded, shown=shown, batch_size=9, long_side=(48, 48), image_labels=True)
    (((_, valid, labels), _),) = batches.epoch(0)
    sizes = [(int(one.any(1).sum()), int(one.any(0).sum())) for one in valid.numpy()]
    assert len(sizes) == 9 and sizes.count((32, 48)) == 3 and sizes.count((48, 32)) == 1
    for size, vector in zip(sizes, labels.numpy()):
        if size == (32, 48):
            np.testing.assert_array_equal(vector, coded.label_vector(coded[0]))


def test_image_labels_come_with_masks(coded):
    plain = arrays(batches_with_masks(coded, jitter=0.4), 1)
    full = batches_with_masks(coded, jitter=0.4, image_labels=True)
    known = {tuple(coded.label_vector(record)) for record in coded}
    for (images, masks), ((same, valid, labels), same_masks) in zip(plain, full.epoch(1)):
        np.testing.assert_array_equal(images, same)
        np.testing.assert_array_equal(masks, same_masks)
        assert (masks[valid.numpy() == 0] == 255).all() and set(np.unique(valid)) <= {0, 1}
        assert {tuple(vector) for vector in labels.numpy()} <= known


def test_an_image_without_a_mask_is_unsure_everywhere(coded):
    first = coded[0].id

    def read(record):
        return coded.read_mask(record) if record.id == first else None

    batches = batches_of(coded, 48, (40, 48), 9, 0, target="masks", read_mask=read)
    ((_, masks),) = arrays(batches, 0)
    assert sorted(bool((mask == 255).all()) for mask in masks) == [False] + 6 * [True]


def test_jitter_changes_colours_not_masks(coded):
    plain, jittered = arrays(batches_with_masks(coded), 1), arrays(batches_with_masks(coded, jitter=0.5), 1)
    for (images, masks), (changed, same) in zip(plain, jittered):
        np.testing.assert_array_equal(masks, same)
        assert np.abs(images - changed).mean() > 3


def test_erasing_blots_images_out_and_leaves_labels(coded):
    plain = batches_of(coded, 48, (90, 110), 3, 1)
    erased = batches_of(coded, 48, (90, 110), 3, 1, erase=0.6)
    shares = []
    for ((before, _), labels), ((after, valid), same) in zip(plain.epoch(0), erased.epoch(0)):
        np.testing.assert_array_equal(labels, same)
        differs = (before.numpy() != after.numpy()).any(-1)
        assert (np.abs(after.numpy()[differs] - FILL_RGB) < 1e-4).all()
        shares += list((differs & (valid.numpy() > 0)).mean((1, 2)))
    assert 0 < np.mean(shares) < 0.36 and max(shares) < 0.36  # 0.6 x 0.6 at most


@pytest.mark.parametrize(("batch_size", "steps", "shape"), [(3, 2, 3), (7, 1, 7), (20, 1, 7), (1, 7, 1)])
def test_steps_and_the_last_batch(coded, batch_size, steps, shape):
    batches = batches_with_masks(coded, batch_size=batch_size)
    found = arrays(batches, 0)
    assert batches.steps == len(found) == steps
    assert all(len(images) == shape for images, _ in found)


def test_turned_photographs_are_upright(tmp_path):
    from PIL import Image

    photograph = np.full((40, 60, 3), 10, np.uint8)
    photograph[:20] = 240  # stored bright above; orientation 6 turns that to the right
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photograph).save(tmp_path / "turned.png", exif=exif)
    mask = np.zeros((60, 40), np.uint8)
    mask[:, 20:] = 1
    dataset = Dataset("turned", "train", ("a",), [Record("turned", tmp_path / "turned.png", ("a",))])
    batches = batches_of(dataset, 60, (60, 60), 1, 0, target="masks", read_mask=lambda record: mask)
    ((images, masks),) = arrays(batches, 0)
    bright = images[0, ..., 0] > 200
    np.testing.assert_array_equal(masks[0] == 1, bright)
    assert bright.sum() == 60 * 20


def test_no_image(coded):
    empty = Dataset("none", "train", ("a",), [])
    with pytest.raises(InputError, match=r"dataset `none` \(train\) has no image to train on"):
        batches_of(empty, 32, (32, 32), 1, 0)


def test_a_margin_is_cut_from_the_masks_and_filled_with_context(tmp_path):
    """What a network without padding gets: an image smaller than what is labelled, mirrored around."""
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    dataset = Dataset("noise", "train", ("a",), [Record("noise", tmp_path / "noise.png", ("a",))])
    batches = batches_of(
        dataset, 64, (30, 30), 1, 0, target="masks", read_mask=lambda _: np.ones((20, 30), np.uint8), margin=8
    )
    ((images, masks),) = arrays(batches, 0)
    assert images.shape == (1, 64, 64, 3) and masks.shape == (1, 48, 48) and masks.dtype == np.int32
    rows, columns = np.nonzero(masks[0] == 1)
    assert len(rows) == 20 * 30 and set(np.unique(masks)) == {1, 255}
    top, left = rows.min() + 8, columns.min() + 8
    inside = images[0, top : top + 20, left : left + 30]
    np.testing.assert_allclose(np.sort(inside.ravel()), np.sort(pixels.ravel()), atol=1e-3)
    context = images[0, top - 8 : top + 28, left - 8 : left + 38]
    np.testing.assert_allclose(context, np.pad(inside, ((8, 8), (8, 8), (0, 0)), "reflect"), atol=1e-3)
    rest = np.ones((64, 64), bool)
    rest[top - 8 : top + 28, left - 8 : left + 38] = False
    assert (images[0][rest] == np.float32(FILL_RGB)).all()


def test_masks_with_a_margin_stay_on_their_images(coded):
    checked = 0
    for images, masks in arrays(batches_with_masks(coded, margin=9), 0):
        for value in (0, 3, 7):
            # Inside of an area of one class the colour is not blurred.
            windows = np.lib.stride_tricks.sliding_window_view(masks, (5, 5), (1, 2))
            where = (windows == value).all((3, 4))
            found = images[:, 9:-9, 9:-9][:, 2:-2, 2:-2][where]
            np.testing.assert_allclose(
                found, np.broadcast_to(np.float32(COLOURS[value]), found.shape), atol=2
            )
            checked += len(found)
    assert checked > 500


@pytest.mark.parametrize("margin", [0, 7])
def test_maps_go_with_their_masks(coded, margin):
    def maps(mask):  # of the whole crop: the margin's columns are counted too
        columns = np.broadcast_to(np.arange(mask.shape[1]), mask.shape)
        return np.stack([mask, columns], -1)

    plain = arrays(batches_with_masks(coded, margin=margin), 0)
    turned = set()
    for (images, targets), (same, masks) in zip(
        arrays(batches_with_masks(coded, margin=margin, maps=maps), 0), plain, strict=True
    ):
        np.testing.assert_array_equal(images, same)
        assert targets.dtype == np.float32 and targets.shape == (*masks.shape, 3)
        np.testing.assert_array_equal(targets[..., 0], masks)
        np.testing.assert_array_equal(targets[..., 1], masks)
        for columns in targets[..., 2]:
            mirrored = bool(columns[0, 0] > columns[0, -1])
            expected = np.arange(margin, 48 - margin)[:: -1 if mirrored else 1]
            np.testing.assert_array_equal(columns, np.broadcast_to(expected, columns.shape))
            turned.add(mirrored)
    assert turned == {True, False}


def test_batches_are_float32_whatever_the_networks_compute_in(tmp_path):
    """Random erasing mixes images with a float32 colour, so a flip in half precision ended the run."""
    import keras

    dataset = coded_dataset(tmp_path)
    config = TrainingConfig(crop=16, long_side=(16, 24), batch_size=2, jitter=0.2)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        (images, valid), _ = next(iter(TrainingBatches(dataset, config, seed=1, erase=0.5).epoch(0)))
    finally:
        keras.config.set_dtype_policy("float32")
    assert images.dtype == valid.dtype == "float32"
