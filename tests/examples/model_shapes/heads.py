"""Kinds of layers behind the explained features."""

from typing import Any

import keras
from keras import layers, ops

from examples.model_shapes.shape import NO_CAM, SIDE, Shape, chain, conv, images, plain, shape


@shape("segmenter")
def segmenter() -> Shape:
    trunk, scores, up = chain(conv(), conv(5)), layers.Conv2D(3, 1), layers.UpSampling2D(4)
    image = keras.Input((SIDE, SIDE, 3))
    head = lambda f, *_: ops.mean(up(scores(f)), axis=(1, 2))  # noqa: E731
    return Shape(
        keras.Model(image, up(scores(trunk(image)))),
        [images()],
        trunk,
        head,
        {"layer": -3},
        classes=(1, 1),
        targets=lambda maps: ops.mean(maps[..., 1], axis=(1, 2)),
        refused={"cam": "explains class scores"},
    )


@shape("global max pooling")
def max_pooling() -> Shape:
    return plain(chain(conv(), conv(5)), chain(layers.GlobalMaxPooling2D(), layers.Dense(3)), refused=NO_CAM)


@shape("flatten and dense")
def flattened() -> Shape:
    return plain(chain(conv(), conv(5)), chain(layers.Flatten(), layers.Dense(3)), refused=NO_CAM)


@shape("hidden layer with tanh")
def hidden() -> Shape:
    head = chain(layers.Flatten(), layers.Dense(6, activation="tanh"), layers.Dense(3))
    return plain(chain(conv(), conv(5)), head, refused=NO_CAM)


@shape("attention pooling")
def attention_pooling() -> Shape:
    weigh, last, cells = layers.Dense(1), layers.Dense(3), layers.Reshape((-1, 5))

    def head(features: Any, *_: Any) -> Any:
        rows = cells(features)
        return last(ops.sum(rows * ops.softmax(weigh(rows), axis=1), axis=1))

    return plain(chain(conv(), conv(5)), head, refused=NO_CAM)


@shape("attention over cells, by keyword")
def attention() -> Shape:
    cells, attend, pool, last = (
        layers.Reshape((-1, 5)),
        layers.MultiHeadAttention(2, 3),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3),
    )

    def head(features: Any, *_: Any) -> Any:
        rows = cells(features)
        return last(pool(attend(query=rows, value=rows)))

    return plain(chain(conv(), conv(5)), head, refused=NO_CAM)


@shape("time distributed dense")
def time_distributed() -> Shape:
    head = chain(
        layers.TimeDistributed(layers.Dense(6, activation="relu")), layers.Flatten(), layers.Dense(3)
    )
    return plain(chain(conv(), conv(5)), head, options={"layer": 2}, refused=NO_CAM)


@shape("bidirectional recurrence over cells")
def bidirectional() -> Shape:
    head = chain(layers.Reshape((-1, 5)), layers.Bidirectional(layers.SimpleRNN(3)), layers.Dense(3))
    return plain(chain(conv(), conv(5)), head, refused=NO_CAM)
