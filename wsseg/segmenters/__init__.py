"""Segmentation networks: images to class scores a pixel."""

from typing import Any

import keras

from wsseg.catalogue import load

SEGMENTERS = {
    "deeplab_v3_plus": "wsseg.segmenters.deeplab_v3_plus:DeepLabV3Plus",
}


def create(name: str, **options: Any) -> keras.Model:
    """Build a segmenter by name.

    Args:
        name: A key of `SEGMENTERS`.
        options: What its class takes: `backbone`, `num_classes` (background included), `output_stride`,
            `weights`, `input_size` ...

    Returns:
        A functional `keras.Model`: `(B, H, W, 3)` RGB in [0, 255] -> `(B, H, W, num_classes)` float32 logits.

    Raises:
        InputError: No segmenter of that name; the message names the nearest.

    Example:
        >>> model = create("deeplab_v3_plus", backbone="mobilenet_0.25", num_classes=3, input_size=(64, 64))
        >>> model.output_shape
        (None, 64, 64, 3)
    """
    return load(SEGMENTERS, name, "segmenter")(**options)
