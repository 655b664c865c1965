"""A cap on the pixels of an image: a small file cannot fill the memory."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import read_mask
from wsseg.errors import InputError
from wsseg.image_files import check_images, image_size_hw, pixel_count, read_image


def bomb(path, width, height):
    """Write a PNG whose header names a size that its few pixels do not have."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


@pytest.mark.parametrize("side", [9_434, 12_000, 20_000, 2**20])  # Pillow is silent, warns, refuses
def test_an_image_beyond_the_cap_is_refused_by_its_header(tmp_path, side):
    path = bomb(tmp_path / "bomb.png", side, side)
    for read in (read_image, image_size_hw):
        with pytest.raises(InputError, match=r"bomb.png has \d+ .*cap of 89 million.*WSSEG_MEGAPIXELS"):
            read(path)
    with pytest.raises(InputError):
        read_mask(path)


def test_the_cap_is_an_environment_variable(tmp_path, monkeypatch):
    path = tmp_path / "image.png"
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(path)
    monkeypatch.setenv("WSSEG_MEGAPIXELS", "0.002")
    assert read_image(path).shape == (40, 50, 3)
    monkeypatch.setenv("WSSEG_MEGAPIXELS", "0.0019")
    with pytest.raises(InputError, match="50 x 40 pixels"):
        read_image(path)
    for wrong in ("0", "-1", "many", "nan", "inf"):
        monkeypatch.setenv("WSSEG_MEGAPIXELS", wrong)
        with pytest.raises(InputError, match="WSSEG_MEGAPIXELS is"):
            read_image(path)


def test_a_higher_cap_also_raises_pillows(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setenv("WSSEG_MEGAPIXELS", "500")
    assert pixel_count(bomb(tmp_path / "large.png", 20_000, 20_000)) == 400_000_000


def test_such_an_image_is_set_aside_and_the_others_are_used(tmp_path):
    class Record:
        def __init__(self, id):
            self.id, self.image = id, tmp_path / f"{id}.png"

    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / "good.png")
    bomb(tmp_path / "bomb.png", 30_000, 30_000)
    kept, aside = check_images([Record("bomb"), Record("good")])
    assert [record.id for record in kept] == ["good"] and "cap of 89 million" in aside["bomb"]


def test_a_tiff_stack_and_a_mask_inside_of_json_have_the_cap(tmp_path, monkeypatch):
    import tifffile

    from wsseg.image_arrays import read_tiff_stack

    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((5, 40, 50), np.uint16), photometric="minisblack")
    assert read_tiff_stack(tmp_path / "stack.tif").shape == (40, 50, 5)
    monkeypatch.setenv("WSSEG_MEGAPIXELS", "0.0019")
    with pytest.raises(InputError, match="50 x 40 pixels"):
        read_tiff_stack(tmp_path / "stack.tif")


def test_an_image_larger_than_the_small_ones_is_decoded_as_before(tmp_path):
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (21, 20, 3), np.uint8), np.ones((100, 100, 1), np.uint8))
    assert pixels.shape[0] * pixels.shape[1] > 4_000_000
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", compress_level=1)
    (tmp_path / "large.png").write_bytes(content.getvalue())
    assert np.array_equal(read_image(tmp_path / "large.png"), pixels)
