"""Arrays and TIFF stacks as images `(H, W, C)` with any number of channels, their values as they are stored."""

from pathlib import Path

import numpy as np

from wsseg.errors import InputError
from wsseg.pixel_cap import check_pixels


def read_npy(path: Path) -> np.ndarray:
    """Read a `.npy` file as `(H, W, C)`; a gray array `(H, W)` gets one channel.

    Raises:
        InputError: The file is missing or broken, holds Python objects, or has another number of axes.
    """
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


def read_tiff_stack(path: Path, only_tell: bool = False) -> np.ndarray | None:
    """Return the bands of a TIFF that is more than one picture, `(H, W, C)`; None if Pillow reads it.

    Args:
        path: Any file.
        only_tell: Return an empty array instead of the bands.

    Raises:
        InputError: It is a stack and cannot be read, or has too many pixels.
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
            check_pixels((series.sizes["width"], series.sizes["height"]), path)
            values = np.moveaxis(series.asarray(), [axes.index("Y"), axes.index("X")], [0, 1])
    except InputError:
        raise
    except Exception as error:  # it depends on where the file is broken, and on the codecs that are installed
        raise InputError(
            f"image {path} cannot be read as a TIFF stack ({error}); save it without compression, or as a .npy array "
            "(height, width, channels)"
        ) from error
    return values.reshape(*values.shape[:2], -1)


def check_values(values: np.ndarray, path: Path) -> None:
    """Raise an error unless an image's values are finite real numbers."""
    if values.dtype.kind not in "buif" or not values.size:
        raise InputError(f"image {path} holds no real numbers: {values.shape} {values.dtype}")
    if not np.isfinite(values).all():
        raise InputError(f"image {path} holds values that are not finite; replace them")
