"""A layer that fails on images whose size its network can't take."""

from typing import Any

import keras

from wsseg.layers.grid_rules import same
from wsseg.layers.legal_sizes import LegalSizes


@keras.saving.register_keras_serializable(package="wsseg")
class SizeGuard(keras.layers.Layer):
    """Identity that fails on an illegal height or width; the message names the nearest legal sizes.

    Without it, a network whose skip connections don't fit fails in an inner layer, with a message about that layer.
    The guard checks the sizes that are known when the network is called or traced; those of an array always are. Sizes
    that stay unknown pass.

    Args:
        multiple: Pixels from one legal side to the next.
        remainder: Remainder of a legal side divided by `multiple`.
        smallest: Smallest legal side.
        network: Name of the network in the message.

    Raises:
        InputError: The layer is called (or built) with an illegal size.

    Example:
        >>> import numpy as np
        >>> SizeGuard(32, network="segnet")(np.zeros((1, 64, 70, 3)))
        Traceback (most recent call last):
        wsseg.errors.InputError: ...`segnet` can't take images of 64 x 70 pixels: its sides must be multiples
        of 32, from 32; try (64, 64) or (64, 96)...
    """

    output_grid = same

    def __init__(
        self,
        multiple: int = 1,
        remainder: int = 0,
        smallest: int = 1,
        network: str = "network",
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)  # raw pixels: float16 would round them
        self.sizes = LegalSizes(multiple, remainder, smallest)
        self.network = network

    def call(self, images):
        """Return images `(B, H, W, C)` unchanged."""
        self.sizes.check(tuple(images.shape[1:3]), self.network)
        return images

    def compute_output_spec(self, images):
        """Return the input's spec; its dtype is kept in any precision."""
        self.sizes.check(tuple(images.shape[1:3]), self.network)
        return keras.KerasTensor(images.shape, dtype=images.dtype)

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return super().get_config() | {
            "multiple": self.sizes.multiple,
            "remainder": self.sizes.remainder,
            "smallest": self.sizes.smallest,
            "network": self.network,
        }
