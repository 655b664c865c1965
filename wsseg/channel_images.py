"""Image files with as many channels as a model takes: 1 (gray), 3 (colour), 4 (colour and alpha) or any number.

`wsseg.image_files` reads every image as RGB of 8 bits, as this package trains. Here deep values keep their shades, TIFF
stacks and arrays keep their bands, and pictures are read as `keras.utils.load_img` reads them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.errors import InputError
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
            return self._of_array(_npy(path), path)
        if self.as_trained_here and self.channels == 3 and self.scale is None:
            pixels = read_image(path)
            return ChannelImage(pixels, 1.0, pixels)
        stack = _tiff_stack(path)
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
        _check_values(values, path)
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
        _check_values(values, path)
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
        if path.suffix.lower() == ".npy" or _tiff_stack(path, only_tell=True) is not None:
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


def _npy(path: Path) -> np.ndarray:
    if not path.exists():
        raise InputError(f"image {path} does not exist")
    try:
        values = np.load(path, allow_pickle=False)
    except Exception as error:  # ValueError, EOFError, OSError: it depends on where the file is broken
        raise InputError(f"image {path} is no array of numbers that NumPy can read ({error})") from error
    if not isinstance(values, np.ndarray):  # an .npz file with another name
        raise InputError(f"image {path} holds several arrays; give a .npy file with one")
    if values.ndim == 4 and len(values) == 1:
        values = values[0]
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3:
        raise InputError(
            f"image {path} is an array of shape {values.shape}; expected (height, width) or (height, width, channels)"
        )
    return values


def _tiff_stack(path: Path, only_tell: bool = False) -> np.ndarray | None:
    """Return the bands of a TIFF that is more than one picture, `(H, W, C)`; None if Pillow reads it.

    Args:
        path: Any file.
        only_tell: Return an empty array instead of the bands.

    Raises:
        InputError: It is a stack and cannot be read.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
                return None
    except OSError:
        return None
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            axes, shape = series.axes, series.shape
            colours = shape[axes.index("S")] if "S" in axes else 1
            pages = int(np.prod(shape)) // (series.sizes["height"] * series.sizes["width"] * colours)
            picture = colours == 1 or colours == 3 or (colours <= 4 and series.dtype.itemsize == 1)
            if picture and (
                pages == 1 or colours > 1
            ):  # of an animation in colour, Pillow reads the first page
                return None
            if only_tell:
                return np.zeros(0)
            values = np.moveaxis(series.asarray(), [axes.index("Y"), axes.index("X")], [0, 1])
    except Exception as error:  # it depends on where the file is broken, and on the codecs that are installed
        raise InputError(
            f"image {path} cannot be read as a TIFF stack ({error}); save it without compression, or as a .npy array "
            "(height, width, channels)"
        ) from error
    return values.reshape(*values.shape[:2], -1)


def _check_values(values: np.ndarray, path: Path) -> None:
    if values.dtype.kind not in "buif" or not values.size:
        raise InputError(f"image {path} holds no real numbers: {values.shape} {values.dtype}")
    if not np.isfinite(values).all():
        raise InputError(f"image {path} holds values that are not finite; replace them")


def _shown(values: np.ndarray, bands: tuple[int, int, int] | None, factor: float | None = None) -> np.ndarray:
    """Return the picture `(H, W, 3)` uint8 of an image, given the factor to [0, 255]; None stretches each band."""
    count = values.shape[-1]
    chosen = values[..., list(bands or ((0, 1, 2) if count >= 3 else (0, 0, 0)))]
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
