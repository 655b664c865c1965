"""Kinds of layers before the explained features."""

from typing import Any

import keras
from keras import layers, ops

from examples.model_shapes.shape import Shape, chain, conv, plain, pooled, shape


def normalised() -> layers.Layer:
    return layers.BatchNormalization(
        moving_mean_initializer=keras.initializers.Constant(-0.1),
        beta_initializer=keras.initializers.Constant(0.1),
    )


@shape("batch norm and dropout")
def batch_norm() -> Shape:
    trunk = chain(conv(activation=None), normalised(), layers.ReLU(), layers.Dropout(0.5), conv(5))
    return plain(trunk, chain(layers.GlobalAveragePooling2D(), layers.Dropout(0.5), layers.Dense(3)))


@shape("layer norm and augmentation")
def layer_norm() -> Shape:
    flip = layers.RandomFlip()
    trunk = chain(
        lambda x: flip(x, training=False) if not isinstance(x, keras.KerasTensor) else flip(x),
        conv(),
        layers.LayerNormalization(),
        conv(5),
    )
    return plain(trunk, pooled())


@shape("depthwise separable")
def depthwise() -> Shape:
    point = layers.Conv2D(5, 1, activation="relu", bias_initializer=keras.initializers.Constant(0.1))
    return plain(chain(conv(), layers.DepthwiseConv2D(3, padding="same"), point), pooled())


@shape("dilated and grouped")
def dilated() -> Shape:
    return plain(chain(conv(), conv(6, strides=1, dilation_rate=2), conv(6, groups=2)), pooled())


@shape("residual")
def residual() -> Shape:
    first, inner, add, relu = conv(), conv(strides=1), layers.Add(), layers.ReLU()

    def trunk(x: Any) -> Any:
        x = first(x)
        return relu(add([x, inner(x)]))

    return plain(trunk, pooled())


@shape("dense blocks")
def dense_blocks() -> Shape:
    first, second, join, last = conv(), conv(strides=1), layers.Concatenate(), conv(5)
    return plain(lambda x: last(join([first(x), second(first(x))])), pooled())


@shape("squeeze and excite")
def squeeze_and_excite() -> Shape:
    first, pool, gate = (
        conv(5),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.Conv2D(5, 1, activation="sigmoid"),
    )
    return plain(lambda x: first(x) * gate(pool(first(x))), pooled())


@shape("transposed convolution")
def transposed() -> Shape:
    up = layers.Conv2DTranspose(
        5, 3, 2, "same", activation="relu", bias_initializer=keras.initializers.Constant(0.1)
    )
    return plain(chain(conv(), conv(), up), pooled())


@shape("mixed precision")
def mixed() -> Shape:
    first, second, pool = (
        conv(dtype="mixed_float16"),
        conv(5, dtype="mixed_float16"),
        layers.GlobalAveragePooling2D(dtype="mixed_float16"),
    )
    return plain(chain(first, second), chain(pool, layers.Dense(3)), tolerance=2e-2)


@shape("Lambda layer")
def lambda_layer() -> Shape:
    return plain(chain(layers.Lambda(lambda x: x * 2 - 1), conv(), conv(5)), pooled())


@shape("plain operations")
def plain_operations() -> Shape:
    last = conv(5)
    return plain(chain(ops.square, conv(), lambda x: ops.relu(last(x) - 0.01)), pooled())
