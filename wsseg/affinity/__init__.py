"""Networks that learn from confident pseudo-labels which neighbouring pixels belong to the same class."""

from typing import Any

import keras

from wsseg.catalogue import load

NETWORKS = {
    "psa": "wsseg.affinity.affinity_net:affinity_net",
    "irn": "wsseg.affinity.irnet:irnet",
}


def create(name: str, /, **options: Any) -> keras.Model:
    """Build an affinity network by name.

    Args:
        name: A key of `NETWORKS`.
        options: Arguments of its function: `backbone`, `weights`, `input_size` ...

    Returns:
        A functional model: `(B, H, W, 3)` RGB in [0, 255] -> the output that the network's function documents.

    Raises:
        InputError: The network is unknown; the message names the nearest.

    Example:
        >>> create("irn", backbone="mobilenet_0.25", input_size=(64, 64)).output_shape
        (None, 16, 16, 3)
    """
    return load(NETWORKS, name, "affinity network")(**options)
