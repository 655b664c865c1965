"""Pictures as `data:` URIs, so that a page needs no other files."""

import base64
import io

import numpy as np
from PIL import Image

from wsseg.errors import InputError
from wsseg.palette import voc_palette

PICTURE_SIDE = 360
"""Long side of a picture in the page, pixels: about twice the size of a tile on a common screen."""


def picture_uri(picture: np.ndarray) -> str:
    """Return a picture as a `data:` URI: a mask as indexed PNG in the VOC palette, an image as JPEG.

    Args:
        picture: `(H, W, 3) uint8` RGB, or a mask, `(H, W)` integers in 0..255. It is reduced if its long side exceeds
            360 pixels.

    Raises:
        InputError: `picture` is neither an RGB image nor a mask.

    Example:
        >>> picture_uri(np.zeros((2, 3), np.uint8))[:22]
        'data:image/png;base64,'
    """
    picture = np.asarray(picture)
    is_mask = picture.ndim == 2 and picture.dtype.kind in "iu"
    in_range = not is_mask or not picture.size or 0 <= picture.min() <= picture.max() <= 255
    is_image = picture.ndim == 3 and picture.shape[-1] == 3 and picture.dtype == np.uint8
    if not (is_mask and in_range) and not is_image:
        raise InputError(
            f"a picture must be (H, W, 3) uint8 or an (H, W) mask of ids in 0..255; got {picture.shape} "
            f"{picture.dtype}"
        )
    image = Image.fromarray(np.ascontiguousarray(picture, np.uint8))
    scale = PICTURE_SIDE / max(image.size)
    if scale < 1:
        size = tuple(max(round(side * scale), 1) for side in image.size)
        image = image.resize(size, Image.Resampling.NEAREST if is_mask else Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if is_mask:
        image.putpalette(voc_palette().tobytes())
        image.save(file, format="PNG", optimize=True)
        return data_uri("image/png", file.getvalue())
    image.save(file, format="JPEG", quality=85)
    return data_uri("image/jpeg", file.getvalue())


def data_uri(kind: str, content: bytes) -> str:
    """Return the bytes of a media type such as `image/png` as a `data:` URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
