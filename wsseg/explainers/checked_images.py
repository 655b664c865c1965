"""Checks of the images that a user gives, against the model that is explained."""

from collections.abc import Sequence

import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Network


def check_images(inputs: Sequence[np.ndarray], network: Network) -> None:
    """Check the arrays that a model takes.

    Args:
        inputs: The model's inputs as a flat list; the images `(B, H, W, C)` are at index `network.image`.
        network: The model.

    Raises:
        InputError: The images have another shape, are none, or hold NaN or infinity; or an input has another number of
            rows.
    """
    image, channels = inputs[network.image], network.channels or "C"
    if image.ndim != 4 or (network.channels is not None and image.shape[-1] != network.channels):
        raise InputError(
            f"`images` must be (B, H, W, {channels}); got {image.shape}; {_remedy(image.shape, network.channels)}"
        )
    if not len(image):
        raise InputError(f"`images` must hold at least one image; got {image.shape}")
    # Fast check: one value that is not finite makes the sum not finite. But large values can also overflow the sum.
    index = None if np.isfinite(image.sum()) else _broken(image)
    if index is not None:
        raise InputError(f"`images` must be finite numbers; image {index} of the batch holds NaN or infinity")
    for axis, (got, wanted) in enumerate(zip(image.shape[1:3], network.input_size)):
        if wanted is not None and got != wanted:
            raise InputError(
                f"`images` must be {network.input_size} (height, width) for this model; got "
                f"{image.shape[1:3]}; resize them ({'height' if axis == 0 else 'width'} differs)"
            )
    for index, array in enumerate(inputs):
        if len(array) != len(image):
            raise InputError(f"input {index} has {len(array)} rows and there are {len(image)} images")


def _remedy(shape: Sequence[int], channels: int | None) -> str:
    if len(shape) == 3:
        return "add a batch axis with images[None]"
    if len(shape) == 4 and channels in (shape[1], None) and shape[-1] != channels:
        return "move the channels to the end with np.moveaxis(images, 1, -1)"
    return (
        f"give images of {channels} channels, the last axis" if channels else "the channels are the last axis"
    )


def _broken(images: np.ndarray) -> int | None:
    """Return the number of the first image that holds NaN or infinity."""
    return next((number for number, one in enumerate(images) if not np.isfinite(one).all()), None)
