import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from wsseg.artifacts import read_mask
from wsseg.errors import InputError
from wsseg.image_files import check_image, check_images, image_size_hw, read_image, stored_size_hw


@dataclass
class Item:
    id: str
    image: Path


def photograph(height=24, width=32):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 8 % 256, y * 10 % 256, (x + y) * 4 % 256], axis=-1).astype(np.uint8)


def save(folder, name, image, **options):
    path = folder / name
    image.save(path, **options)
    return path


def test_colour_png_comes_back_exactly(tmp_path):
    rgb = photograph()
    read = read_image(save(tmp_path, "a.png", Image.fromarray(rgb)))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, rgb)


def test_gray_becomes_three_equal_channels(tmp_path):
    gray = photograph()[..., 0]
    np.testing.assert_array_equal(
        read_image(save(tmp_path, "a.png", Image.fromarray(gray))), np.repeat(gray[..., None], 3, axis=2)
    )


def test_16_bit_gray_is_scaled_not_clipped(tmp_path):
    deep = np.array([[0, 257], [128 * 257, 65535]], np.uint16)
    for name in ("a.png", "a.tif"):
        read = read_image(save(tmp_path, name, Image.fromarray(deep)))
        assert read[..., 1].tolist() == [[0, 1], [128, 255]]


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_float_gray_in_unit_or_byte_range(tmp_path, top):
    image = Image.fromarray(np.array([[0, top], [top / 2, top]], np.float32))
    assert read_image(save(tmp_path, "a.tif", image))[..., 2].tolist() == [[0, 255], [128, 255]]


def test_palette_gives_its_colours(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8))
    image.putpalette([10, 20, 30, 200, 100, 50] + [0] * 762)
    assert read_image(save(tmp_path, "a.png", image))[0].tolist() == [[10, 20, 30], [200, 100, 50]]


def test_bilevel_is_black_and_white(tmp_path):
    image = Image.fromarray(np.array([[True, False]]))
    assert read_image(save(tmp_path, "a.png", image))[0].tolist() == [[255] * 3, [0] * 3]


def test_transparent_pixels_are_composited_on_white(tmp_path):
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]], np.uint8)
    read = read_image(save(tmp_path, "a.png", Image.fromarray(rgba)))
    assert read[0].tolist() == [[255, 0, 0], [255, 255, 255], [204, 204, 204]]  # 255 * (1 - 51 / 255) = 204


def test_transparent_palette_entry_and_gray_alpha_become_white(tmp_path):
    palette = Image.fromarray(np.array([[0, 1]], np.uint8))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    path = save(tmp_path, "a.png", palette, transparency=0)
    assert read_image(path)[0].tolist() == [[255, 255, 255], [200, 100, 50]]
    gray_alpha = Image.fromarray(np.array([[[7, 255], [7, 0]]], np.uint8))
    assert read_image(save(tmp_path, "b.png", gray_alpha))[0].tolist() == [[7] * 3, [255] * 3]


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    image = Image.new("CMYK", (32, 24), (0, 255, 255, 0))
    read = read_image(save(tmp_path, "a.jpg", image))
    assert read.shape == (24, 32, 3)
    np.testing.assert_allclose(read.mean(axis=(0, 1)), [255, 0, 0], atol=6)


def test_exif_orientation_is_applied(tmp_path):
    rgb = photograph(2, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # Shown upright after a quarter turn clockwise.
    path = save(tmp_path, "a.png", Image.fromarray(rgb), exif=exif)
    np.testing.assert_array_equal(read_image(path), np.rot90(rgb, -1))
    assert image_size_hw(path) == (3, 2)


# How the stored pixels of each EXIF orientation become upright (CIPA DC-008, tag 274: where row 0 and column 0 lie).
UPRIGHT = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["tif", "png", "webp"])
def test_all_orientations_in_image_and_size(tmp_path, kind, orientation):
    colours = photograph(10, 30)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "webp" else {}
    kinds = (
        (colours,) if kind == "webp" else (colours, colours[..., 0], colours[..., 0].astype(np.uint16) * 257)
    )
    for pixels in kinds:
        path = save(tmp_path, f"a.{kind}", Image.fromarray(pixels), exif=exif, **options)
        shown = colours if pixels.ndim == 3 else np.repeat(colours[..., :1], 3, axis=2)
        wanted = UPRIGHT[orientation](shown)
        np.testing.assert_array_equal(read_image(path), wanted)
        assert image_size_hw(path) == wanted.shape[:2]
        assert stored_size_hw(path) == ((10, 30), orientation)


def ramp(most, dtype=np.uint16):
    return np.linspace(0, most, 40 * 60).reshape(40, 60).astype(dtype)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ramp(588),
            r"16-bit gray\) is nearly black: its values end at 588 of 65535, and 3 of its 589 shades",
        ),
        (ramp(1), "1 of its 2 shades"),  # an object that would not be seen at all
        (ramp(4095), "nearly black: its values end at 4095"),  # a sensor of 12 bits
        (ramp(70000, np.int32), r"values from 0 to 70000; expected 0\.\.65535"),
        (ramp(4000, np.int32) - 1024, "values from -1024 to"),  # computed tomography
        (ramp(0.01, np.float32), "floats\\) is nearly black"),
        (ramp(4095, np.float32), r"expected \[0, 1\] or 0\.\.255"),
        (np.where(ramp(1, np.float32) > 0.5, np.nan, 1).astype(np.float32), "not finite"),
    ],
)
def test_deep_gray_that_would_lose_its_shades_is_refused(tmp_path, values, message):
    with pytest.raises(InputError, match=message):
        read_image(save(tmp_path, "a.tif", Image.fromarray(values)))


def test_dark_images_without_more_shades_are_read(tmp_path):
    for values in (np.zeros((20, 20), np.uint16), ramp(12, np.uint8)):
        read_image(save(tmp_path, "a.tif", Image.fromarray(values)))


def write_deep_colours(path, values):
    """Write a PNG of 16 bits per channel, which Pillow cannot write (PNG specification, 11.2)."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(content)
    return path


def test_deep_colours_of_small_range_are_refused(tmp_path):
    values = np.stack([ramp(588)] * 3, axis=2)
    with pytest.raises(InputError, match="16 bits per channel and is nearly black: its brightest value is 2"):
        read_image(write_deep_colours(tmp_path / "a.png", values))
    read = read_image(write_deep_colours(tmp_path / "b.png", values * 100))
    assert read.max() == 58800 // 256 and len(np.unique(read)) > 200


def test_size_of_an_upright_image(tmp_path):
    assert image_size_hw(save(tmp_path, "a.jpg", Image.fromarray(photograph(24, 32)))) == (24, 32)


def test_a_format_that_starts_a_program_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("Ghostscript was started"))
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (20, 20)).save(path, format="EPS")
    for read in (read_image, image_size_hw, read_mask):
        with pytest.raises(InputError, match=r"photo.jpg is a file in the format EPS"):
            read(path)


def test_content_counts_not_the_extension(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(photograph()).save(path, format="PNG")
    np.testing.assert_array_equal(read_image(path), photograph())


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_truncated_file_is_named_with_the_reason(tmp_path, kind):
    path = save(
        tmp_path,
        f"half.{kind}",
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)),
    )
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=rf"half\.{kind} cannot be read \(.*truncated"):
        read_image(path)


def test_broken_absent_empty_and_foreign_files(tmp_path):
    with pytest.raises(InputError, match=r"none\.jpg does not exist"):
        read_image(tmp_path / "none.jpg")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(InputError, match=r"empty\.jpg is empty"):
        read_image(tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_text("not an image, although it is called one")
    with pytest.raises(InputError, match=r"text\.jpg is not an image"):
        read_image(tmp_path / "text.jpg")
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)
    good = save(tmp_path, "broken.png", Image.fromarray(photograph()))
    content = bytearray(good.read_bytes())
    position = content.index(b"IDAT") + 8
    content[position : position + 4] = struct.pack(">I", 0xDEADBEEF)
    good.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.png cannot be read"):
        read_image(good)


def test_one_pixel_can_be_read_but_not_used(tmp_path):
    path = save(tmp_path, "dot.png", Image.new("RGB", (1, 1), (9, 8, 7)))
    assert read_image(path).tolist() == [[[9, 8, 7]]]
    with pytest.raises(InputError, match=r"dot\.png is 1 x 1 pixels .* at least 16"):
        check_image(path)
    check_image(path, minimum_side=1)


def test_check_compares_the_shorter_side(tmp_path):
    path = save(tmp_path, "a.png", Image.new("RGB", (40, 15)))
    with pytest.raises(InputError, match="40 x 15"):
        check_image(path, minimum_side=16)
    check_image(path, minimum_side=15)


@pytest.mark.parametrize("workers", [1, 3, None])
def test_check_images_keeps_order_and_names_reasons(tmp_path, workers):
    items = [Item(f"i{k}", save(tmp_path, f"i{k}.png", Image.fromarray(photograph()))) for k in range(6)]
    items[1].image.write_bytes(b"")
    items[4].image.unlink()
    seen = []
    kept, set_aside = check_images(items, workers, progress=seen.append)
    assert [item.id for item in kept] == ["i0", "i2", "i3", "i5"]
    assert list(set_aside) == ["i1", "i4"]
    assert "empty" in set_aside["i1"]
    assert "does not exist" in set_aside["i4"]
    assert seen == items


def test_a_name_after_which_no_file_can_be_named_is_set_aside(tmp_path):
    from wsseg.datasets import Record

    records = [
        Record(name, save(tmp_path, f"{name[:4]}.png", Image.fromarray(photograph())), ())
        for name in ("x" * 250, "y" * 251)
    ]
    kept, set_aside = check_images(records)
    assert kept == records[:1]
    assert set_aside == {
        "y" * 251: "its name has 251 bytes; shorten it to 250, because files are named after it"
    }
