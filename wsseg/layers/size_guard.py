"""A layer that refuses images of a size that its network can't take."""

from typing import Any

import keras

from wsseg.layers.grid_rules import same
from wsseg.layers.legal_sizes import LegalSizes


@keras.saving.register_keras_serializable(package="wsseg")
class SizeGuard(keras.layers.Layer):
    """Identity that fails on an illegal height or width with the nearest legal ones in the message.

    Without it a network whose skips don't meet fails deep inside, in terms of its layers. It sees the sizes
    that are known when the network is called or traced, which are those of every array; sizes that stay
    unknown pass.

    Args:
        multiple: Pixels from one legal side to the next.
        remainder: Of a legal side divided by `multiple`.
        smallest: The smallest legal side.
        network: The name in the message.

    Raises:
        InputError: Called (or built) with an illegal size.

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
        """Return `(B, H, W, C)` as it is."""
        self.sizes.check(tuple(images.shape[1:3]), self.network)
        return images

    def compute_output_spec(self, images):
        """Return the input's spec; keeps its dtype, whatever the precision."""
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
