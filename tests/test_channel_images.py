"""Images with a model's channels: equality with Keras' own loader, deep gray, arrays and stacks."""

import keras
import numpy as np
import pytest
import tifffile
from PIL import Image

from wsseg.channel_images import (
    AS_STORED,
    NEW_ALPHA,
    NO_ALPHA,
    TO_GRAY,
    TURNED,
    ChannelReader,
    deep_peak,
    depth_of,
)
from wsseg.errors import InputError
from wsseg.image_files import read_image

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (6, 9, 3), np.uint8)
GRAY = RANDOM.integers(0, 256, (6, 9), np.uint8)
HALF = np.dstack([COLOURS, RANDOM.integers(0, 255, (6, 9), np.uint8)])
BANDS = RANDOM.integers(0, 10000, (6, 9, 13), np.uint16)


def save(folder, name, array, **options):
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(folder / name, **options)
    return folder / name


def pictures(folder):
    palette = Image.fromarray(COLOURS).quantize(8)
    yield save(folder, "rgb.png", COLOURS)
    yield save(folder, "rgb.jpg", COLOURS)
    yield save(folder, "gray.png", GRAY)
    yield save(folder, "half.png", HALF)
    yield save(folder, "gray_alpha.png", np.dstack([GRAY, GRAY[::-1]]))
    yield save(folder, "palette.png", palette)
    yield save(folder, "transparent_palette.png", palette, transparency=3)
    yield save(folder, "bilevel.png", Image.fromarray(GRAY > 99))
    yield save(folder, "cmyk.jpg", Image.fromarray(COLOURS).convert("CMYK"))
    yield save(folder, "rgb.tif", COLOURS)


@pytest.mark.parametrize(("channels", "mode"), [(1, "grayscale"), (3, "rgb"), (4, "rgba")])
def test_pictures_are_as_keras_loads_them(tmp_path, channels, mode):
    for path in pictures(tmp_path):
        expected = keras.utils.img_to_array(keras.utils.load_img(path, color_mode=mode))
        found = ChannelReader(channels)(path)
        assert found.values.dtype == np.uint8 and found.factor == 1, path
        np.testing.assert_array_equal(found.values, expected, err_msg=str(path))
        assert found.shown.shape == (6, 9, 3) and found.shown.dtype == np.uint8


def test_what_is_done_to_a_picture_is_said(tmp_path):
    half, rgb, gray = (save(tmp_path, *x) for x in (("h.png", HALF), ("c.png", COLOURS), ("g.png", GRAY)))
    same = save(tmp_path, "same.png", np.repeat(GRAY[..., None], 3, axis=2))
    opaque = save(tmp_path, "opaque.png", np.dstack([COLOURS, np.full((6, 9), 255, np.uint8)]))
    said = {
        (1, half): (TO_GRAY, NO_ALPHA), (3, half): (NO_ALPHA,), (4, half): (),
        (1, rgb): (TO_GRAY,), (3, rgb): (), (4, rgb): (NEW_ALPHA,),
        (1, gray): (), (3, gray): (), (1, same): (), (3, opaque): (), (4, opaque): (),
    }  # fmt: skip
    for (channels, path), expected in said.items():
        assert ChannelReader(channels)(path).remarks == expected, (channels, path)


def test_a_turned_photograph_is_upright_and_that_is_said(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path, "a.png", COLOURS, exif=exif)
    found = ChannelReader(3)(path)
    np.testing.assert_array_equal(found.values, np.rot90(COLOURS, -1))
    np.testing.assert_array_equal(
        np.asarray(keras.utils.load_img(path)), COLOURS
    )  # the difference that is said
    assert found.remarks == (TURNED,)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_deep_gray_keeps_its_shades(tmp_path, channels, kind):
    deep = np.linspace(0, 4095, 54).astype(np.uint16).reshape(6, 9)
    path = save(tmp_path, f"a.{kind}", deep)
    found = ChannelReader(channels, bits=12)(path)
    assert found.values.shape == (6, 9, channels)
    np.testing.assert_allclose(
        found.resized((6, 9)), np.repeat(deep[..., None], channels, 2) * (255 / 4095), rtol=1e-5
    )
    assert len(np.unique(found.values)) == 54 and found.shown[0, 0].tolist() == [0, 0, 0]
    stated = ChannelReader(channels, scale=1 / 4095)(path)
    np.testing.assert_allclose(stated.resized((6, 9))[..., 0], deep / 4095, rtol=1e-5)
    assert deep_peak(path) == 4095 and depth_of(4095) == 12
    with pytest.raises(InputError, match=r"values from 0 to 4095; expected 0..1023; state with --scale"):
        ChannelReader(channels, bits=10)(path)


def test_only_deep_gray_has_a_peak(tmp_path):
    np.save(tmp_path / "a.npy", BANDS)
    (tmp_path / "broken.png").write_bytes(b"no image")
    for path in (
        save(tmp_path, "a.png", GRAY),
        tmp_path / "a.npy",
        tmp_path / "broken.png",
        tmp_path / "none.png",
    ):
        assert deep_peak(path) is None


def test_stacks_and_arrays_have_the_same_bands(tmp_path):
    np.save(tmp_path / "a.npy", BANDS)
    np.save(tmp_path / "batch.npy", BANDS[None])
    tifffile.imwrite(tmp_path / "pages.tif", np.moveaxis(BANDS, -1, 0), photometric="minisblack")
    tifffile.imwrite(tmp_path / "mixed.tif", BANDS, photometric="minisblack", planarconfig="contig")
    planes = np.moveaxis(BANDS, -1, 0)
    tifffile.imwrite(tmp_path / "planes.tif", planes, photometric="minisblack", planarconfig="separate")
    for name in ("a.npy", "batch.npy", "pages.tif", "mixed.tif", "planes.tif"):
        found = ChannelReader(13)(tmp_path / name)
        np.testing.assert_array_equal(found.values, BANDS.astype(np.float32), err_msg=name)
        assert found.factor == 1 and found.is_array and found.remarks[0] == AS_STORED
        assert "channels 0, 1 and 2 (counted from 0)" in found.remarks[1]
        scaled = ChannelReader(13, scale=1e-4)(tmp_path / name)
        np.testing.assert_allclose(scaled.resized((6, 9)), BANDS * 1e-4, rtol=1e-5)


def test_pictures_show_the_chosen_bands(tmp_path):
    np.save(tmp_path / "a.npy", BANDS)
    first = ChannelReader(13)(tmp_path / "a.npy").shown
    chosen = ChannelReader(13, bands=(2, 1, 0))(tmp_path / "a.npy").shown
    np.testing.assert_array_equal(chosen, first[..., ::-1])
    low, high = np.percentile(BANDS[..., 0], (2, 98))
    expected = np.clip(np.rint((BANDS[..., 0] - low) / (high - low) * 255), 0, 255)
    np.testing.assert_allclose(first[..., 0], expected, atol=1)


def test_arrays_of_other_channels(tmp_path):
    for name, array in (("gray", GRAY), ("rgb", COLOURS), ("unit", COLOURS / 255)):
        np.save(tmp_path / f"{name}.npy", array)
    assert (
        ChannelReader(3)(tmp_path / "gray.npy").values.tolist() == np.repeat(GRAY[..., None], 3, 2).tolist()
    )
    gray = ChannelReader(1)(tmp_path / "rgb.npy")
    assert gray.remarks == (TO_GRAY,)
    np.testing.assert_allclose(gray.values[..., 0], np.asarray(Image.fromarray(COLOURS).convert("L")), atol=1)
    unit = ChannelReader(3)(tmp_path / "unit.npy")
    np.testing.assert_allclose(unit.values, COLOURS / 255, rtol=1e-6)
    assert unit.remarks == (AS_STORED,) and abs(int(unit.shown.max()) - 255) < 2


@pytest.mark.parametrize(
    ("channels", "name", "message"),
    [
        (13, "rgb.png", r"rgb.png is a picture of 1, 3 or 4 channels, and the model takes 13; give a TIFF stack of 13"),
        (3, "bands.npy", r"bands.npy has 13 channels, \(6, 9, 13\), and the model takes 3; give an RGB image, or"),
        (1, "bands.tif", r"bands.tif has 13 channels, .* and the model takes 1; give a gray image"),
        (4, "bands.npy", "give an RGBA image"),
        (13, "first.npy", r"its first axis has the channels: save it as np.moveaxis\(array, 0, -1\)"),
        (3, "flat.npy", r"is an array of shape \(5,\); expected \(height, width\)"),
        (3, "words.npy", "holds no real numbers"),
        (3, "objects.npy", "is no array of numbers that NumPy can read"),
        (3, "nan.npy", "holds values that are not finite"),
        (3, "absent.npy", "does not exist"),
        (13, "broken.tif", "cannot be read as a TIFF stack"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_with_the_way_out(tmp_path, channels, name, message):
    save(tmp_path, "rgb.png", COLOURS)
    arrays = {
        "bands": BANDS,
        "first": np.moveaxis(BANDS, -1, 0),
        "flat": np.zeros(5),
        "words": np.full((4, 4), "x"),
    }
    arrays |= {"nan": np.full((4, 4), np.nan)}
    for stem, array in arrays.items():
        np.save(tmp_path / f"{stem}.npy", array)
    np.save(tmp_path / "objects.npy", np.array([[{}]], object))
    tifffile.imwrite(tmp_path / "bands.tif", np.moveaxis(BANDS, -1, 0), photometric="minisblack")
    (tmp_path / "broken.tif").write_bytes(b"II*\0\x08\0\0\0")
    with pytest.raises(InputError, match=message):
        ChannelReader(channels)(tmp_path / name)


def test_one_of_our_own_models_reads_as_it_was_trained(tmp_path):
    path = save(tmp_path, "half.png", HALF)
    found = ChannelReader(3, as_trained_here=True)(path)
    np.testing.assert_array_equal(found.values, read_image(path))
    assert (found.values != ChannelReader(3)(path).values).any()


def test_resizing_does_not_mix_colours_with_alpha(tmp_path):
    path = save(tmp_path, "half.png", HALF)
    found = ChannelReader(4)(path).resized((3, 4))
    for index in range(4):
        one = Image.fromarray(np.ascontiguousarray(HALF[..., index])).resize(
            (4, 3), Image.Resampling.BILINEAR
        )
        np.testing.assert_array_equal(found[..., index], np.asarray(one, np.float32))
