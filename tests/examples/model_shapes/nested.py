"""Functional and sequential models, and models nested in models."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from examples.model_shapes.shape import NO_CAM, SIDE, Shape, chain, conv, images, plain, pooled, shape


@shape("functional, softmax")
def functional() -> Shape:
    return plain(chain(conv(), conv(5)), pooled())


@shape("sequential")
def sequential() -> Shape:
    parts = [conv(), conv(5), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), *parts, layers.Softmax()])
    return Shape(model, [images()], chain(*parts[:2]), chain(*parts[2:]))


def base(trunk: Callable, name: str = "base", channels: int = 3, **input_options: Any) -> keras.Model:
    image = keras.Input((SIDE, SIDE, channels), **input_options)
    return keras.Model(image, trunk(image), name=name)


def nested(call: Callable[[keras.Model, Any], Any]) -> Shape:
    trunk = chain(conv(), conv(5))
    inner = base(trunk)
    return plain(lambda x, *_: call(inner, x), pooled())


@shape("nested model")
def nested_once() -> Shape:
    return nested(lambda inner, x: inner(x))


@shape("nested model called by keyword")
def nested_by_keyword() -> Shape:
    return nested(lambda inner, x: inner(inputs=x))


@shape("nested model with training=False")
def nested_with_training() -> Shape:
    return nested(lambda inner, x: inner(x, training=False))


@shape("nested two deep")
def nested_two_deep() -> Shape:
    inner = base(chain(conv(), conv(5)))
    middle = keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Rescaling(2.0), inner], name="middle")
    return plain(middle, pooled())


@shape("nested three deep")
def nested_three_deep() -> Shape:
    innermost = keras.Sequential([keras.Input((SIDE, SIDE, 3)), conv(), conv(5)], name="innermost")
    inner = base(lambda x: innermost(inputs=x), "inner")
    outer = keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Rescaling(2.0), inner], name="outer")
    return plain(outer, pooled())


@shape("nested model with a dict of inputs")
def nested_dict_inputs() -> Shape:
    features, scores = chain(conv(), conv(5)), layers.Dense(5)
    image, vector = keras.Input((SIDE, SIDE, 3), name="image"), keras.Input((2,), name="vector")
    gated = features(image) * ops.sigmoid(scores(vector))[:, None, None]
    inner = keras.Model({"vector": vector, "image": image}, gated, name="inner")
    image, vector, head = keras.Input((SIDE, SIDE, 3)), keras.Input((2,)), pooled()
    model = keras.Model([image, vector], head(inner({"image": image, "vector": vector})))
    trunk = lambda x, v: features(x) * ops.sigmoid(scores(v))[:, None, None]  # noqa: E731
    return Shape(model, [images(), images()[:, 0, 0, :2]], trunk, head)


@shape("nested model with several outputs")
def nested_several_outputs() -> Shape:
    first, second, head = conv(), conv(5), pooled()
    image = keras.Input((SIDE, SIDE, 3))
    inner = keras.Model(image, {"low": first(image), "high": second(first(image))}, name="inner")
    image = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(image, head(inner(image)["high"]))
    return Shape(model, [images()], chain(first, second), head)


@shape("nested model called twice")
def nested_twice() -> Shape:
    inner = base(conv(3, strides=1))
    return plain(chain(inner, inner), pooled())


@shape("nested model named as the layer")
def nested_named() -> Shape:
    inner, last = base(conv(strides=1)), conv(5)
    return plain(
        inner,
        chain(last, *[layers.GlobalAveragePooling2D(), layers.Dense(3)]),
        options={"layer": "base"},
        refused=NO_CAM,
    )
