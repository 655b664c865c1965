"""Masks as paint programs write them, each written by Pillow in another form."""

import numpy as np
import pytest
from PIL import Image

from wsseg.annotations.coloured_masks import palette_code, read_coloured_mask
from wsseg.artifacts import write_mask
from wsseg.errors import InputError
from wsseg.palette import voc_palette

IDS = np.array([[0, 1, 2], [255, 7, 1]], np.uint8)
CODE = palette_code(7)
SIZE = (2, 3)


def read(path, code=CODE, size=SIZE, **options):
    return read_coloured_mask(path, code, size, **options)[0]


def saved(path, pixels, mode=None, **options):
    image = Image.fromarray(pixels) if mode is None else Image.fromarray(pixels).convert(mode)
    image.save(path, **options)
    return path


def rgb_of(ids):
    return voc_palette().astype(np.uint8)[ids]


def indexed(path, index, palette, **options):
    image = Image.fromarray(index)
    image.putpalette(np.array(palette, np.uint8).tobytes())
    image.save(path, **options)
    return path


def test_the_form_of_the_run(tmp_path):
    write_mask(tmp_path / "a.png", IDS)
    assert np.array_equal(read(tmp_path / "a.png"), IDS)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours(tmp_path, mode):
    assert np.array_equal(read(saved(tmp_path / "a.png", rgb_of(IDS), mode)), IDS)


def test_a_palette_in_another_order_is_read_by_its_colours(tmp_path):
    order = [1, 0, 7, 255, 2]  # index -> class
    index = np.array([[order.index(one) for one in row] for row in IDS.tolist()], np.uint8)
    path = indexed(tmp_path / "a.png", index, rgb_of(np.array(order)))
    with Image.open(path) as image:
        assert image.mode == "P" and not np.array_equal(np.asarray(image), IDS)
    assert np.array_equal(read(path), IDS)


def test_ids_as_gray_values(tmp_path):
    assert np.array_equal(read(saved(tmp_path / "a.png", IDS)), IDS)
    assert np.array_equal(read(saved(tmp_path / "b.png", IDS, "RGB")), IDS), (
        "a paint program made RGB of gray"
    )
    assert np.array_equal(read(indexed(tmp_path / "c.png", IDS, [[v, v, v] for v in range(256)])), IDS)
    assert np.array_equal(read(saved(tmp_path / "d.png", IDS.astype(np.uint16))), IDS)
    assert np.array_equal(read(saved(tmp_path / "e.png", IDS.astype(np.uint16) * 257)), IDS), (
        "scaled to 16 bits"
    )
    assert np.array_equal(read(saved(tmp_path / "f.png", IDS, "LA")), IDS)


def test_a_colour_that_is_gray_saved_as_gray(tmp_path):
    """Class 7 is (128, 128, 128): a mask of it and black alone is saved as gray by many programs."""
    ids = np.array([[0, 7, 7], [0, 0, 7]], np.uint8)
    assert np.array_equal(read(saved(tmp_path / "a.png", rgb_of(ids), "L")), ids)
    # With 130 classes the gray 128 may also be the id 128, so the file alone does not say.
    with pytest.raises(
        InputError, match="gray 128 may be the value of mask id 128 or the colour of mask id 7; save"
    ):
        read(tmp_path / "a.png", palette_code(130))
    assert np.array_equal(read(saved(tmp_path / "b.png", rgb_of(ids)), palette_code(130)), ids)
    write_mask(tmp_path / "c.png", ids)
    assert np.array_equal(read(tmp_path / "c.png", palette_code(130)), ids)


def smoothed(path):
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[:, 4:] = (128, 0, 0)
    pixels[:, 4] = (64, 0, 0)  # the class 8, which is none of seven
    pixels[5, 4] = (60, 1, 0)
    return saved(path, pixels)


def test_unknown_colours_are_named_with_count_and_place(tmp_path):
    path = smoothed(tmp_path / "a.png")
    with pytest.raises(InputError) as error:
        read(path, size=(6, 8))
    text = str(error.value)
    assert f"mask {path} has 5 pixels of unknown colour (64, 0, 0), the first at column 4, row 0" in text
    assert "1 pixel of unknown colour (60, 1, 0), the first at column 4, row 5" in text
    assert "anti-aliasing" in text and "--unknown ignore" in text and "\n" not in text


def test_unknown_colours_become_255_on_request_alone(tmp_path):
    mask, unknown = read_coloured_mask(smoothed(tmp_path / "a.png"), CODE, (6, 8), unknown_to_ignore=True)
    expected = np.repeat([[0, 0, 0, 0, 255, 1, 1, 1]], 6, axis=0)
    assert np.array_equal(mask, expected) and unknown == 6
    white = saved(tmp_path / "white.png", np.full((2, 3, 3), 250, np.uint8))
    with pytest.raises(InputError, match=r"6 pixels of unknown colour \(250, 250, 250\)"):
        read(white, unknown_to_ignore=True)


def test_a_smoothed_edge_with_the_colour_of_a_class(tmp_path):
    """Half of class 1, (128, 0, 0), is (64, 0, 0): class 8. Other steps of the same edge give it away."""
    pixels = np.zeros((12, 12, 3), np.uint8)
    pixels[2:10, 4:], pixels[2:10, 3] = (128, 0, 0), (64, 0, 0)
    pixels[1, 3:], pixels[10, 3:] = (37, 0, 0), (90, 0, 0)
    pixels[5:8, 8:11] = (64, 0, 0)  # an object of class 8, away from the edge
    path = saved(tmp_path / "a.png", pixels)
    with pytest.raises(InputError, match="9 pixels of unknown colour"):
        read(path, palette_code(9), (12, 12))
    mask, unknown = read_coloured_mask(path, palette_code(9), (12, 12), unknown_to_ignore=True)
    expected = np.zeros((12, 12), np.uint8)
    expected[1:11, 3:] = 255
    expected[2:10, 4:] = 1
    expected[5:8, 8:11] = 8
    assert np.array_equal(mask, expected) and unknown == 9 + 9 + 8


def test_a_mask_that_was_made_smaller_by_a_program(tmp_path):
    """Resizing smooths all edges; the size is refused first, and at the right size the colours."""
    mask = np.zeros((40, 40), np.uint8)
    mask[7:33, 9:30] = 3
    image = Image.fromarray(rgb_of(mask))
    image.resize((20, 20), Image.Resampling.LANCZOS).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="is 20 x 20 pixels but its image is 40 x 40"):
        read(tmp_path / "a.png", size=(40, 40))
    image.resize((20, 20), Image.Resampling.LANCZOS).resize((40, 40), Image.Resampling.LANCZOS).save(
        tmp_path / "b.png"
    )
    with pytest.raises(InputError, match="more unknown colours; paint with"):
        read(tmp_path / "b.png", size=(40, 40))
    found, unknown = read_coloured_mask(tmp_path / "b.png", CODE, (40, 40), unknown_to_ignore=True)
    sure = found != 255
    assert unknown and sure.mean() > 0.5 and np.array_equal(found[sure], mask[sure])


def test_pixels_that_are_not_opaque(tmp_path):
    pixels = np.dstack([rgb_of(IDS), np.full(SIZE, 255, np.uint8)])
    pixels[1, 2, 3] = 0  # rubbed out
    path = saved(tmp_path / "a.png", pixels)
    with pytest.raises(InputError, match="1 pixel not opaque, the first at column 2, row 1"):
        read(path)
    expected = IDS.copy()
    expected[1, 2] = 255
    assert np.array_equal(read(path, unknown_to_ignore=True), expected)
    clear = indexed(tmp_path / "b.png", IDS, voc_palette(), transparency=0)
    with pytest.raises(InputError, match="1 pixel not opaque, the first at column 0, row 0"):
        read(clear)


def test_gray_of_a_coloured_mask_is_no_mask(tmp_path):
    """The luma of class 1 is 38: no id of seven classes."""
    path = saved(tmp_path / "a.png", rgb_of(np.ones(SIZE, np.uint8)), "L")
    with pytest.raises(InputError, match=r"unknown colour \(38, 38, 38\)"):
        read(path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: saved(path, rgb_of(IDS), format="JPEG"), "is a JPEG file; save it as PNG"),
        (lambda path: path.write_bytes(b"no image"), "cannot be read"),
        (lambda path: saved(path, IDS.T), "is 2 x 3 pixels but its image is 3 x 2 .*; turn it as viewers"),
        (lambda path: saved(path, IDS[:1]), "is 3 x 1 pixels .*paint on a mask of the image's size"),
        (lambda path: saved(path, IDS > 0), "one bit per pixel"),
        (lambda path: saved(path, IDS.astype(np.uint16) * 300), "16-bit values that are no class ids"),
    ],
)
def test_refused_files(tmp_path, write, message):
    write(tmp_path / "a.png")
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.png")


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "none.png")


def test_an_orientation_of_the_mask_file_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = np.rot90(IDS)  # counter-clockwise
    saved(tmp_path / "a.png", np.ascontiguousarray(rgb_of(turned)), exif=exif)
    assert np.array_equal(read(tmp_path / "a.png"), IDS)
