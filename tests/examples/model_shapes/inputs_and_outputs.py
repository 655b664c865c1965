"""Structures of outputs, dtypes and channels of images, final activations."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from examples.model_shapes.shape import SIDE, Shape, chain, conv, images, plain, pooled, shape


def several(outputs: Callable[[Any, Any], Any], output: Any) -> Shape:
    trunk, pool, main, other = (
        chain(conv(), conv(5)),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, name="main_scores"),
        layers.Dense(2),
    )
    image = keras.Input((SIDE, SIDE, 3))
    tensor = pool(trunk(image))
    model = keras.Model(image, outputs(ops.softmax(main(tensor)), other(tensor)))
    return Shape(model, [images()], trunk, chain(pool, main), {"output": output})


@shape("list of outputs")
def list_of_outputs() -> Shape:
    return several(lambda main, other: [other, main], 1)


@shape("dict of outputs")
def dict_of_outputs() -> Shape:
    return several(lambda main, other: {"main": main, "aux": other}, "main")


@shape("nested outputs")
def nested_outputs() -> Shape:
    return several(lambda main, other: {"heads": {"main": main}, "aux": [other, other]}, "heads.main")


def whole(dtype: str) -> Shape:
    trunk = chain(layers.Rescaling(1 / 255), conv(), conv(5))
    image, head = keras.Input((SIDE, SIDE, 3), dtype=dtype), pooled()
    pixels = np.random.default_rng(0).integers(0, 128, (2, SIDE, SIDE, 3)).astype(dtype)
    return Shape(keras.Model(image, head(trunk(image))), [pixels], trunk, head)


@shape("uint8 input")
def uint8() -> Shape:
    return whole("uint8")


@shape("int32 input")
def int32() -> Shape:
    return whole("int32")


@shape("1 channel")
def one_channel() -> Shape:
    return plain(chain(conv(), conv(5)), pooled(), channels=1)


@shape("4 channels")
def four_channels() -> Shape:
    return plain(chain(conv(), conv(5)), pooled(), channels=4)


@shape("13 channels")
def thirteen_channels() -> Shape:
    return plain(chain(conv(), conv(5)), pooled(), channels=13)


@shape("images of any size")
def any_size() -> Shape:
    image, trunk, head = keras.Input((None, None, 3)), chain(conv(), conv(5)), pooled()
    return Shape(keras.Model(image, ops.softmax(head(trunk(image)))), [images()], trunk, head)


@shape("sigmoid of several labels")
def several_labels() -> Shape:
    return plain(chain(conv(), conv(5)), pooled(), final=layers.Activation("sigmoid"))


@shape("one logit")
def one_logit() -> Shape:
    return plain(chain(conv(), conv(5)), pooled(1), final=lambda x: x, classes=(0, 0))
