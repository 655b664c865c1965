"""Small vision transformers, built as people build them; each for images of 32 x 48 pixels in patches of 8."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

SIZE_HW, GRID_HW, WIDTH = (32, 48), (4, 6), 16


class FirstTokens(layers.Layer):
    """Learnt tokens (class, distillation, registers), put before or behind the others."""

    def __init__(self, count=1, last=False, **options):
        super().__init__(**options)
        self.count, self.last = count, last

    def build(self, shape):
        self.tokens = self.add_weight(shape=(1, self.count, shape[-1]), initializer="random_normal")

    def call(self, x):
        own = ops.cast(ops.tile(self.tokens, (ops.shape(x)[0], 1, 1)), x.dtype)
        return ops.concatenate([x, own] if self.last else [own, x], axis=1)


class Positions(layers.Layer):
    """A learnt position embedding."""

    def build(self, shape):
        self.table = self.add_weight(shape=(1, *shape[1:]), initializer="random_normal")

    def call(self, x):
        return x + ops.cast(self.table, x.dtype)


class Patches(layers.Layer):
    """Patches cut by TensorFlow, of a number that isn't known when the graph is built."""

    def call(self, images):
        found = tf.image.extract_patches(images, [1, 8, 8, 1], [1, 8, 8, 1], [1, 1, 1, 1], "VALID")
        return tf.reshape(found, [tf.shape(images)[0], -1, found.shape[-1]])


class PatchEncoder(layers.Layer):
    """A projection, and position embeddings by number."""

    def __init__(self, **options):
        super().__init__(**options)
        self.projection, self.table = layers.Dense(WIDTH), layers.Embedding(24, WIDTH)

    def call(self, patches):
        return self.projection(patches) + self.table(ops.arange(24))


class OwnAttention(layers.Layer):
    """Attention written by hand, its softmax a layer or an operation."""

    def __init__(self, softmax="layer", **options):
        super().__init__(**options)
        self.parts = [layers.Dense(WIDTH) for _ in range(4)]
        self.softmax = layers.Softmax() if softmax == "layer" else ops.softmax

    def call(self, x):
        query, key, value = (part(x) for part in self.parts[:3])
        scores = self.softmax(ops.matmul(query, ops.swapaxes(key, 1, 2)) / 4)
        return self.parts[3](ops.matmul(scores, value))


class Block(layers.Layer):
    """A block with its normalisations inside."""

    def __init__(self, attention=None, **options):
        super().__init__(**options)
        self.first, self.second = layers.LayerNormalization(name="first"), layers.LayerNormalization()
        self.attention = attention or layers.MultiHeadAttention(2, 8)
        self.own = attention is not None
        self.dense = [layers.Dense(32, activation="gelu"), layers.Dense(WIDTH)]

    def call(self, x):
        y = self.first(x)
        x = x + (self.attention(y) if self.own else self.attention(y, y))
        return x + self.dense[1](self.dense[0](self.second(x)))


class Encoder(layers.Layer):
    """All blocks in one layer, as in keras-hub."""

    def __init__(self, **options):
        super().__init__(**options)
        self.blocks = [Block(name=f"block_{i}") for i in range(2)]
        self.norm = layers.LayerNormalization()

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Subclassed(keras.Model):
    """A model with a call of its own."""

    def __init__(self):
        super().__init__()
        self.embed, self.shape = layers.Conv2D(WIDTH, 8, strides=8), layers.Reshape((24, WIDTH))
        self.first, self.places = FirstTokens(), Positions()
        self.blocks = [Block(name=f"block_{i}") for i in range(2)]
        self.norm, self.head = layers.LayerNormalization(), layers.Dense(3)

    def call(self, images):
        x = self.places(self.first(self.shape(self.embed(images))))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class Reordered(layers.Layer):
    """Tokens in another order: that of columns, one that is fixed, or another one at each call."""

    def __init__(self, order, **options):
        super().__init__(**options)
        self.order = order

    def call(self, x):
        if self.order == "columns":
            numbers = np.arange(24).reshape(GRID_HW).T.ravel()
        elif self.order == "fixed":
            numbers = np.random.default_rng(3).permutation(24)
        else:
            numbers = tf.argsort(tf.random.uniform((tf.shape(x)[0], 24)))
            return tf.gather(x, numbers, batch_dims=1)
        return ops.take(x, numbers, axis=1)


def patches(image, kind="convolution"):
    """Return the patch tokens `(B, 24, 16)` of an image."""
    if kind == "extracted":
        return PatchEncoder()(Patches()(image))
    if kind == "overlapping":
        tensor = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
        tensor = layers.MaxPooling2D(3, strides=2, padding="same")(tensor)
        tensor = layers.Conv2D(WIDTH, 3, padding="same", activation="relu")(tensor)
        tensor = layers.AveragePooling2D(4)(tensor)
    else:
        tensor = layers.Conv2D(WIDTH, 8, strides=8, name="embedding")(image)
    return layers.Reshape((tensor.shape[1] * tensor.shape[2], WIDTH))(tensor)


def plain_block(x, number=0, norm="before"):
    """Return a block made of Keras' layers."""
    normed = layers.LayerNormalization(name=f"norm_{number}")
    y = normed(x) if norm == "before" else x
    attention = layers.MultiHeadAttention(2, 8, name=f"attention_{number}")
    x = layers.Add(name=f"sum_{number}")([x, attention(y, y)])
    x = normed(x) if norm == "after" else x
    second = layers.LayerNormalization(name=f"second_norm_{number}")
    y = second(x) if norm == "before" else x
    y = layers.Dense(32, activation="gelu", name=f"wide_{number}")(y)
    x = layers.Add(name=f"end_{number}")([x, layers.Dense(WIDTH, name=f"narrow_{number}")(y)])
    return second(x) if norm == "after" else x


def transformer(
    cut="convolution",
    first=1,
    last=0,
    order=None,
    body="plain",
    head="class",
    size_hw=SIZE_HW,
    dtype="float32",
    blocks=2,
):
    """Return images -> patch tokens -> blocks -> head -> three logits."""
    image = keras.Input((*size_hw, 3), dtype=dtype)
    x = layers.Rescaling(1 / 255)(image) if dtype == "uint8" else image
    x = patches(x, cut)
    if order:
        x = Reordered(order)(x)
    if first:
        x = FirstTokens(first, name="first")(x)
    if last:
        x = FirstTokens(last, last=True)(x)
    x = Positions(name="positions")(x)
    if body == "encoder":
        x = Encoder(name="encoder")(x)
    elif body == "nested":
        inner = keras.Input(x.shape[1:])
        x = keras.Model(inner, plain_block(plain_block(inner), 1), name="inner")(x)
    else:
        for number in range(blocks):
            if body in ("plain", "after"):
                x = plain_block(x, number, "before" if body == "plain" else "after")
            elif body == "mixer":
                y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
                y = layers.Dense(x.shape[1])(layers.Dense(20, activation="gelu")(y))
                x = layers.Add()([x, layers.Permute((2, 1))(y)])
            else:
                own = None if body == "block" else OwnAttention(body)
                x = Block(own, name=f"block_{number}")(x)
    x = layers.LayerNormalization(name="final")(x)
    if head == "class":
        x = x[:, 0]
    elif head == "mean":
        x = layers.GlobalAveragePooling1D()(x)
    elif head == "flatten":
        x = layers.Flatten()(x)
    elif head == "pooling":
        probe = FirstTokens(1, name="probe")(x)[:, :1]
        x = layers.MultiHeadAttention(2, 8, name="pooling")(probe, x)[:, 0]
    return keras.Model(image, layers.Dense(3, name="logits")(x))


class WindowBlock(layers.Layer):
    """Attention within windows of 2 x 2 tokens, as in Swin."""

    def __init__(self, **options):
        super().__init__(**options)
        self.attention = layers.MultiHeadAttention(2, 8)

    def call(self, x):
        count = ops.shape(x)[0]
        y = ops.transpose(ops.reshape(x, (count, 2, 2, 3, 2, WIDTH)), (0, 1, 3, 2, 4, 5))
        y = ops.reshape(y, (-1, 4, WIDTH))
        y = ops.reshape(self.attention(y, y), (count, 2, 3, 2, 2, WIDTH))
        return x + ops.reshape(ops.transpose(y, (0, 1, 3, 2, 4, 5)), (count, 24, WIDTH))


def windows():
    """Return images -> two blocks of attention within windows -> three logits."""
    image = keras.Input((*SIZE_HW, 3))
    x = WindowBlock(name="window_1")(WindowBlock(name="window_0")(patches(image)))
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))
