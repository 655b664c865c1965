"""Masks of stored pixels, told from masks of the image as it is shown, by pictures whose object is known."""

import numpy as np
import pytest
from PIL import Image, ImageOps
from small_run.in_process import run_quietly

from wsseg import datasets
from wsseg.datasets.turned_masks import fits_stored_pixels

ORIENTATION = 0x0112


def scene(seed):
    """Return a noisy picture with a bright ellipse off its centre, and its mask."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:60, :80]
    mask = ((row - 16) / 9) ** 2 + ((column - 25) / 14) ** 2 < 1
    pixels = np.where(mask[..., None], (210, 190, 120), (70, 90, 80)) + rng.normal(0, 12, (60, 80, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8), mask.astype(np.uint8)


def shown(pixels, orientation):
    """Turn stored pixels as Pillow, an independent reader, shows them."""
    image = Image.fromarray(pixels)
    image.getexif()[ORIENTATION] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("orientation", [2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_which_of_two_masks_fits(orientation, seed):
    stored, mask = scene(seed)
    image = shown(stored, orientation)
    assert fits_stored_pixels(image, mask, orientation)
    assert not fits_stored_pixels(image, shown(mask, orientation), orientation)


def test_nothing_certain_is_said_of_noise_symmetry_and_nothing():
    stored, mask = scene(0)
    noise = np.random.default_rng(0).integers(0, 255, stored.shape, np.uint8)
    centred = np.zeros_like(mask)
    centred[20:40, 30:50] = 1
    for image, one in ((noise, mask), (stored, centred), (stored, np.zeros_like(mask)), (stored * 0, mask)):
        assert not any(fits_stored_pixels(image, one, orientation) for orientation in range(1, 9))


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_every_orientation_is_right_or_named(tmp_path, extension, orientation):
    """A mask as the image is shown fits; one of the stored pixels makes the check fail."""
    stored, mask = scene(orientation)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    (tmp_path / "masks").mkdir()
    Image.fromarray(stored).save(tmp_path / f"a.{extension}", exif=exif)
    (tmp_path / "labels.csv").write_text("image,labels,split\na,cat,train\n")
    Image.fromarray(shown(mask, orientation)).save(tmp_path / "masks/a.png")
    dataset = datasets.create("folder", root=tmp_path)
    bright = dataset.read_image(dataset[0])[..., 0] > 140
    assert np.mean(bright == (dataset.read_mask(dataset[0]) == 1)) > 0.98
    assert run_quietly("datasets", "check", tmp_path)[0] == 0
    Image.fromarray(mask).save(tmp_path / "masks/a.png")
    status, said = run_quietly("datasets", "check", tmp_path)
    assert status == 2 and f"EXIF orientation {orientation}" in said
