"""Layers and models of the user's own classes, and models changed after they were built."""

from typing import Any

import keras
from keras import layers, ops

from examples.model_shapes.nested import base
from examples.model_shapes.shape import SIDE, Shape, chain, conv, images, plain, pooled, shape


class Block(layers.Layer):
    """Two convolutions behind one call."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.first, self.inner = conv(name="first"), conv(5, name="inner")

    def build(self, input_shape: Any) -> None:
        self.first.build(input_shape)
        self.inner.build((None, SIDE // 2, SIDE // 2, 4))

    def call(self, x: Any) -> Any:
        return self.inner(self.first(x))


@shape("custom composite layer")
def composite() -> Shape:
    return plain(Block(), pooled())


@shape("layer inside a custom layer")
def inside_composite() -> Shape:
    block, head = Block(name="block"), pooled()
    return plain(block, head, options={"layer": "block/inner"}, refused={"cam": "reads only the features"})


class Subclassed(keras.Model):
    """A model with a `call` of its own."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.trunk, self.pool, self.scores = (
            Block(name="trunk"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        )

    def call(self, x: Any) -> Any:
        return self.scores(self.pool(self.trunk(x)))


@shape("subclassed model")
def subclassed() -> Shape:
    model = Subclassed()
    model(images())
    head = chain(model.pool, model.scores)
    return Shape(
        model, [images()], model.trunk, head, {"layer": "trunk"}, refused={"cam": "reads only the features"}
    )


@shape("subclassed model inside a functional one")
def subclassed_inside() -> Shape:
    inner = Subclassed(name="inner")
    image = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(image, ops.softmax(inner(image)))
    head = chain(inner.pool, inner.scores)
    return Shape(
        model,
        [images()],
        inner.trunk,
        head,
        {"layer": "inner/trunk"},
        refused={"cam": "reads only the features"},
    )


@shape("frozen")
def frozen() -> Shape:
    found = plain(chain(conv(), conv(5)), pooled())
    found.model.trainable = False
    return found


@shape("quantised dense layers")
def quantised() -> Shape:
    pool, last = layers.GlobalAveragePooling2D(), layers.Dense(3)
    found = plain(chain(conv(), conv(5)), chain(pool, last))
    last.quantize("int8")
    found.tolerance = 5e-2  # eight bits
    return found


@shape("rebuilt from its configuration")
def rebuilt() -> Shape:
    trunk, pool, last = (
        [conv(name="one"), conv(5, name="two")],
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, name="last"),
    )
    found = plain(chain(base(chain(*trunk))), chain(pool, last), final=layers.Softmax())
    config = found.model.get_config()
    model = type(found.model).from_config(config)
    model.set_weights(found.model.get_weights())
    found.model = model
    return found
