"""Image files with as many channels as a model takes: 1 (gray), 3 (colour), 4 (colour and alpha) or any number.

`wsseg.image_files` reads every image as RGB of 8 bits, as this package trains. Here deep values keep their shades, TIFF
stacks and arrays keep their bands, and pictures are read as `keras.utils.load_img` reads them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.errors import InputError
from wsseg.image_arrays import check_values, read_npy, read_tiff_stack
from wsseg.image_files import (
    ORIENTATION,
    is_deep_colour,
    open_image,
    read_image,
    refuse_nearly_black,
    unreadable,
    upright,
)

DEPTHS = (8, 10, 12, 14, 16)
"""Numbers of bits that sensors have; their values are stored in files of 16 bits."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in gray (ITU-R BT.601), as in Pillow's mode L."""

FIRST_BANDS = (0, 1, 2)
"""Channels that pictures show as red, green and blue, if nobody chooses others."""

SHOWN_PERCENTILES = (2, 98)
"""Percentiles of a band that a picture shows as black and white, if its values are not those of a photograph."""

TO_GRAY = "is in colour and converted to gray (ITU-R BT.601), as the model takes one channel"
NO_ALPHA = "has transparent pixels; the alpha channel is dropped, as keras.utils.load_img does"
NEW_ALPHA = "has no alpha channel; the model's fourth channel is 255, as keras.utils.load_img makes it"
TURNED = "is stored turned (EXIF) and explained upright; keras.utils.load_img leaves it as it is stored"
AS_STORED = "is an array, whose values are passed on as they are stored; --scale multiplies them"


@dataclass(frozen=True)
class ChannelImage:
    """An image with the channels of a model.

    Attributes:
        values: `(H, W, C)` uint8, or float32 of any range: the stored values.
        factor: Number that the values are multiplied by before the model's preprocessing. With it, the values of a
            picture are in [0, 255].
        shown: `(H, W, 3)` uint8 RGB: what pictures show of it.
        is_array: Whether the values are those of an array or a stack, whose range nobody has stated.
        remarks: What has been done to it, each to be read after the file's name.
    """

    values: np.ndarray
    factor: float
    shown: np.ndarray
    is_array: bool = False
    remarks: tuple[str, ...] = ()

    def resized(self, size_hw: tuple[int, int]) -> np.ndarray:
        """Resize bilinearly (Pillow's, which averages when it makes an image smaller), and multiply by the factor.

        Returns:
            `(h, w, C)` float32.
        """
        values, size = self.values, tuple(size_hw[::-1])
        if values.shape[-1] == 3 and values.dtype == np.uint8:
            found = np.array(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR), np.float32)
        else:  # one by one: Pillow would multiply colours by their alpha
            bands = [np.ascontiguousarray(values[..., index]) for index in range(values.shape[-1])]
            found = np.stack(
                [np.asarray(Image.fromarray(x).resize(size, Image.Resampling.BILINEAR)) for x in bands],
                axis=-1,
                dtype=np.float32,
            )
        return found if self.factor == 1 else found * np.float32(self.factor)


@dataclass(frozen=True)
class ChannelReader:
    """Read image files with a given number of channels.

    Pictures are read as `keras.utils.load_img` reads them: the alpha channel is dropped (unless the model takes four
    channels), colour becomes gray by the luma of ITU-R BT.601, and gray is repeated for three channels. Other than
    there, images are upright (EXIF), and gray values of 16 bits are scaled to [0, 255], where `load_img` clips them to
    255 for RGB.

    A TIFF of several pages or bands, and a `.npy` array `(H, W)` or `(H, W, C)`, must have the model's channels; one
    channel is repeated for three, and three become one gray. Their values are passed on as they are stored.

    Attributes:
        channels: Number of channels C of the model.
        scale: Number that all stored values are multiplied by; None to scale pictures to [0, 255] by their depth.
        bits: Depth of gray files of 16 bits: 12 maps 4095 to 255.
        bands: Three channels, counted from 0, that pictures show as red, green and blue, for images with five channels
            or more, or stacks; None for the first three.
        as_trained_here: Whether to read as this package's training does (`wsseg.image_files.read_image`): transparent
            pixels are white, and 16 bits always end at 65535. Only for three channels.
    """

    channels: int = 3
    scale: float | None = None
    bits: int = 16
    bands: tuple[int, int, int] | None = None
    as_trained_here: bool = False

    def __call__(self, path: str | Path) -> ChannelImage:
        """Read a file.

        Raises:
            InputError: The file is missing or broken, has another number of channels than the model (the message says
                how many it has), or holds values that are no numbers.
        """
        path = Path(path)
        if path.suffix.lower() == ".npy":
            return self._of_array(read_npy(path), path)
        if self.as_trained_here and self.channels == 3 and self.scale is None:
            pixels = read_image(path)
            return ChannelImage(pixels, 1.0, pixels)
        stack = read_tiff_stack(path)
        if stack is not None:
            return self._of_array(stack, path)
        return self._of_picture(path)

    def _of_picture(self, path: Path) -> ChannelImage:
        if self.channels not in (1, 3, 4):
            raise self._mismatch(path, "is a picture of 1, 3 or 4 channels")
        try:
            with open_image(path) as image:
                turned = image.getexif().get(ORIENTATION) in range(2, 9)
                transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
                deep_colour = is_deep_colour(image)
                picture = upright(image, path)
                if picture.mode == "F" or picture.mode.startswith("I"):
                    values, factor = self._deep(picture, path)
                    if self.channels == 4:
                        opaque = np.full_like(values, 255 / factor)
                        values = np.concatenate([values, values, values, opaque], axis=-1)
                    found, remarks = self._channels(values), []
                else:
                    found, remarks = self._of_bytes(picture, transparent)
                    factor = 1.0 if self.scale is None else self.scale
        except InputError:
            raise
        except (
            Exception
        ) as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error ...
            raise unreadable(path, error) from error
        if deep_colour:
            refuse_nearly_black(found[..., :3], path)
        remarks += [TURNED] if turned else []
        remarks += [NEW_ALPHA] if self.channels == 4 and not transparent else []
        return ChannelImage(found, factor, _shown(found, None, factor), remarks=tuple(remarks))

    def _of_bytes(self, picture: Image.Image, transparent: bool) -> tuple[np.ndarray, list[str]]:
        """Convert a picture of 8 bits as `keras.utils.load_img` does."""
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[self.channels]
        found = np.asarray(picture if picture.mode == mode else picture.convert(mode))
        remarks = []
        if self.channels == 1:
            colours = np.asarray(picture.convert("RGB")) if picture.mode not in ("L", "LA", "1") else None
            if colours is not None and np.ptp(colours, axis=-1).any():
                remarks.append(TO_GRAY)
        if transparent and self.channels != 4 and np.asarray(picture.convert("RGBA"))[..., 3].min() < 255:
            remarks.append(NO_ALPHA)
        return found.reshape(*found.shape[:2], self.channels), remarks

    def _deep(self, picture: Image.Image, path: Path) -> tuple[np.ndarray, float]:
        """Return the values `(H, W, 1)` of a deep gray picture, and their factor to [0, 255]."""
        values = np.asarray(picture, np.float32)[..., None]
        check_values(values, path)
        if self.scale is not None:
            return values, self.scale
        least, most = float(values.min()), float(values.max())
        whole = 2**self.bits - 1 if picture.mode != "F" else 255 if most > 1 else 1
        if least < 0 or most > whole:
            expected = f"0..{whole}" if picture.mode != "F" else "[0, 1] or 0..255"
            raise InputError(
                f"image {path} holds values from {least:g} to {most:g}; expected {expected}; state with --scale what "
                "its values are multiplied by"
            )
        return values, 255 / whole

    def _of_array(self, values: np.ndarray, path: Path) -> ChannelImage:
        check_values(values, path)
        count, remarks = values.shape[-1], [] if values.dtype == np.uint8 or self.scale else [AS_STORED]
        if values.dtype != np.uint8:
            values = values.astype(np.float32)
        if count == 3 and self.channels == 1:
            gray = values @ np.array(LUMA, np.float32)
            values = (np.rint(gray).astype(np.uint8) if values.dtype == np.uint8 else gray)[..., None]
            remarks.append(TO_GRAY)
        elif count != self.channels and (count, self.channels) != (1, 3):
            raise self._mismatch(path, f"has {count} channels, {values.shape}", values.shape[0])
        values = self._channels(values)
        factor = 1.0 if self.scale is None else self.scale
        like_photograph = values.dtype == np.uint8 and self.channels <= 4
        shown = _shown(values, self.bands, 1.0 if like_photograph else None)
        if self.channels > 4:
            red, green, blue = self.bands or FIRST_BANDS
            remarks.append(
                f"pictures show its channels {red}, {green} and {blue} (counted from 0) as red, green and blue; "
                "--bands chooses others"
            )
        return ChannelImage(values, factor, shown, True, tuple(remarks))

    def _channels(self, values: np.ndarray) -> np.ndarray:
        return np.repeat(values, self.channels, axis=-1) if values.shape[-1] == 1 else values

    def _mismatch(self, path: Path, found: str, first: int = 0) -> InputError:
        ways = {1: "a gray image", 3: "an RGB image", 4: "an RGBA image"}
        way = ways.get(self.channels, f"a TIFF stack of {self.channels} pages")
        hint = f"give {way}, or a .npy array (height, width, {self.channels})"
        if first == self.channels:
            hint = "its first axis has the channels: save it as np.moveaxis(array, 0, -1)"
        return InputError(f"image {path} {found}, and the model takes {self.channels}; {hint}")


def deep_peak(path: str | Path) -> int | None:
    """Return the highest value of a gray picture of 16 bits; None for all other files, and for one that is broken."""
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy" or read_tiff_stack(path, only_tell=True) is not None:
            return None
        with open_image(path) as image:
            return int(np.asarray(image).max(initial=0)) if image.mode.startswith("I") else None
    except Exception:  # whoever reads the file says what is wrong with it
        return None


def depth_of(peak: int) -> int:
    """Return the number of bits in `DEPTHS` that a value needs.

    Example:
        >>> [depth_of(peak) for peak in (255, 256, 4095, 10000, 65535)]
        [8, 10, 12, 14, 16]
    """
    return next((bits for bits in DEPTHS if peak < 2**bits), DEPTHS[-1])


def _shown(values: np.ndarray, bands: tuple[int, int, int] | None, factor: float | None = None) -> np.ndarray:
    """Return the picture `(H, W, 3)` uint8 of an image, given the factor to [0, 255]; None stretches each band."""
    count = values.shape[-1]
    chosen = values[..., list(bands or (FIRST_BANDS if count >= 3 else (0, 0, 0)))]
    if factor is not None and chosen.dtype == np.uint8:
        return np.ascontiguousarray(chosen)
    chosen = chosen.astype(np.float32)
    if factor is not None and (chosen * factor).max() > 1.001 and (chosen * factor).max() <= 255.5:
        chosen = chosen * factor
    else:
        low, high = np.percentile(chosen, SHOWN_PERCENTILES, axis=(0, 1))
        low, high = (
            np.where(high > low, low, chosen.min(axis=(0, 1))),
            np.where(high > low, high, chosen.max(axis=(0, 1))),
        )
        chosen = (chosen - low) / np.maximum(high - low, 1e-12) * 255
    return np.clip(np.rint(chosen), 0, 255).astype(np.uint8)
