"""Layers of the networks, each registered with Keras so that a saved model finds it again.

`LAYERS` names them all; each is loaded when first asked for.

Example:
    >>> from wsseg import layers
    >>> layers.AtrousMaxPooling2D(pool_size=2).name
    'atrous_max_pooling2d...'
"""

from typing import Any

from wsseg.catalogue import load

LAYERS = {
    "AtrousMaxPooling2D": "wsseg.layers.atrous_max_pooling:AtrousMaxPooling2D",
    "BilinearResizeTo": "wsseg.layers.bilinear_resize:BilinearResizeTo",
    "ImagePreprocessing": "wsseg.layers.image_preprocessing:ImagePreprocessing",
    "ImageStatistics": "wsseg.layers.image_statistics:ImageStatistics",
    "MaskedGlobalAveragePooling2D": "wsseg.layers.masked_pooling:MaskedGlobalAveragePooling2D",
}


def __getattr__(name: str) -> Any:
    if name in LAYERS:
        return load(LAYERS, name, "layer")
    raise AttributeError(f"module `wsseg.layers` has no attribute `{name}`")


def __dir__() -> list[str]:
    return sorted([*globals(), *LAYERS])


def register_all() -> None:
    """Import every layer, so that `keras.saving.load_model` knows them by their registered names."""
    for name in LAYERS:
        load(LAYERS, name, "layer")
