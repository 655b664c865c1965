"""Classifiers trained from image-level labels, whose features class maps are made of."""

from typing import Any

import keras

from wsseg.catalogue import load

CLASSIFIERS = {
    "gap": "wsseg.classifiers.gap:GAPClassifier",
}


def create(name: str, **options: Any) -> keras.Model:
    """Build a classifier by name.

    Args:
        name: A key of `CLASSIFIERS`.
        options: What its class takes: `backbone`, `num_classes`, `output_stride`, `weights`, `input_size` ...

    Returns:
        A functional `keras.Model`: `(B, H, W, 3)` RGB in [0, 255] -> `(B, num_classes)` logits.

    Raises:
        InputError: No classifier of that name; the message names the nearest.

    Example:
        >>> model = create("gap", backbone="mobilenet_0.25", num_classes=3, input_size=(64, 64))
        >>> model.output_shape
        (None, 3)
    """
    return load(CLASSIFIERS, name, "classifier")(**options)
