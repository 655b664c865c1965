"""Layers that are called several times, and models of several images."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from examples.model_shapes.nested import base
from examples.model_shapes.shape import NO_CAM, SIDE, Shape, chain, conv, images, pooled, shape


def tower() -> tuple[keras.Model, Callable, Callable]:
    trunk, pool = chain(conv(), conv(5, name="last")), layers.GlobalAveragePooling2D()
    return base(chain(trunk, pool), "tower"), trunk, pool


def siamese(image: int, options: dict[str, Any]) -> Shape:
    both, trunk, pool = tower()
    inputs = [keras.Input((SIDE, SIDE, 3), name=name) for name in ("first", "second")]
    last = layers.Dense(1)
    model = keras.Model(inputs, ops.sigmoid(last(ops.abs(both(inputs[0]) - both(inputs[1])))))

    def head(features: Any, *given: Any) -> Any:
        return last(ops.abs(pool(features) - pool(trunk(given[1 - image]))))

    return Shape(
        model,
        [images(), images(seed=1)],
        lambda *given: trunk(given[image]),
        head,
        options,
        classes=(0, 0),
        image=image,
        refused={"cam": "reads only the features"},
    )


@shape("siamese, first image")
def siamese_first() -> Shape:
    return siamese(0, {})


@shape("siamese, second image")
def siamese_second() -> Shape:
    return siamese(1, {"image": "second"})


@shape("siamese, second call of the layer")
def siamese_call() -> Shape:
    return siamese(1, {"layer": ("last", 1)})


@shape("triplet")
def triplet() -> Shape:
    one, trunk, pool = tower()
    inputs = [keras.Input((SIDE, SIDE, 3), name=name) for name in ("anchor", "positive", "negative")]
    a, p, n = map(one, inputs)
    distance = lambda x, y: ops.sum(ops.square(x - y), axis=1, keepdims=True)  # noqa: E731
    model = keras.Model(inputs, distance(a, n) - distance(a, p))

    def head(features: Any, anchor: Any, positive: Any, negative: Any) -> Any:
        a, n = pool(trunk(anchor)), pool(trunk(negative))
        return distance(a, n) - distance(a, pool(features))

    return Shape(
        model,
        [images(seed=i) for i in range(3)],
        lambda anchor, positive, negative: trunk(positive),
        head,
        {"image": "positive"},
        classes=(0, 0),
        image=1,
        refused={"cam": "reads only the features"},
    )


@shape("one layer called three times, its first call")
def tied() -> Shape:
    step, pool = conv(3, strides=1, name="step"), pooled()
    image = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(image, pool(step(step(step(image)))))
    return Shape(
        model, [images()], lambda x: step(x), chain(step, step, pool), {"layer": "step#0"}, refused=NO_CAM
    )


@shape("one layer at two scales")
def two_scales() -> Shape:
    step, half, pool, last = (
        conv(name="step"),
        layers.AveragePooling2D(2),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3),
    )
    image = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(image, last(pool(step(image)) + pool(step(half(image)))))
    return Shape(
        model,
        [images()],
        lambda x: step(half(x)),
        lambda f, x: last(pool(step(x)) + pool(f)),
        {"layer": ("step", 1)},
        refused={"cam": "reads only the features"},
    )


@shape("two images, RGB and depth")
def rgb_and_depth() -> Shape:
    colour, depth, pool, last = conv(), conv(5), layers.GlobalAveragePooling2D(), layers.Dense(3)
    inputs = [keras.Input((SIDE, SIDE, 3), name="rgb"), keras.Input((SIDE, SIDE, 1), name="depth")]
    score = lambda a, b: last(ops.concatenate([pool(a), pool(b)], axis=1))  # noqa: E731
    return Shape(
        keras.Model(inputs, score(colour(inputs[0]), depth(inputs[1]))),
        [images(), images(1)],
        lambda x, d: depth(d),
        lambda f, x, d: score(colour(x), f),
        {"image": "depth"},
        image=1,
        refused={"cam": "reads only the features"},
    )


@shape("two images, compared in space")
def change() -> Shape:
    one, after, head = conv(), conv(5), pooled()
    inputs = [keras.Input((SIDE, SIDE, 3)) for _ in range(2)]
    trunk = lambda a, b: after(ops.concatenate([one(a), one(b)], axis=-1))  # noqa: E731
    return Shape(keras.Model(inputs, head(trunk(*inputs))), [images(), images(seed=1)], trunk, head)


@shape("image and vector")
def image_and_vector() -> Shape:
    trunk, pool, last = chain(conv(), conv(5)), layers.GlobalAveragePooling2D(), layers.Dense(3)
    image, vector = keras.Input((SIDE, SIDE, 3), name="image"), keras.Input((2,), name="vector")
    head = lambda f, x, v: last(ops.concatenate([pool(f), v], axis=1))  # noqa: E731
    model = keras.Model({"image": image, "vector": vector}, head(trunk(image), image, vector))
    return Shape(
        model, [images(), images()[:, 0, 0, :2]], trunk, head, refused={"cam": "reads only the features"}
    )
