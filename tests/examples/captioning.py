"""A small captioning network and its captions, such as "a red circle left-of a blue square"."""

import keras
import numpy as np
from keras import layers

from examples.shapes import COLOURS, SHAPES, SIDE

WORDS = ("<start>", "a", *COLOURS, *SHAPES, "left-of", "above")
STEPS = 7


def caption(scene):
    """Return a scene's caption, seven words."""
    first, second = scene.things
    relation = "left-of" if scene.beside else "above"
    return ("a", first.colour, first.shape, relation, "a", second.colour, second.shape)


def batch(scenes):
    """Return the inputs, images `(N, 32, 32, 3)` and the words so far `(N, 7)`, and the captions `(N, 7)`."""
    words = np.array([[WORDS.index(word) for word in caption(scene)] for scene in scenes], np.int32)
    before = np.concatenate([np.zeros((len(words), 1), np.int32), words[:, :-1]], axis=1)
    return [np.stack([scene.image for scene in scenes]).astype(np.float32), before], words


@keras.saving.register_keras_serializable(package="wsseg_tests")
class Coordinates(layers.Layer):
    """Append to places `(B, n * n, C)` their x and y in [-1, 1]: so a network can tell left from right."""

    def call(self, places):
        ops, side = keras.ops, round(places.shape[1] ** 0.5)
        y, x = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side), indexing="ij")
        grid = ops.convert_to_tensor(np.stack([x, y], axis=-1).reshape(1, -1, 2), places.dtype)
        return ops.concatenate([places, ops.repeat(grid, ops.shape(places)[0], axis=0)], axis=-1)


def places(image, channels=32):
    """Return features of 8 x 8 places (layer `features`), and two tensors `(B, 64, channels)` that know the place.

    The two are the keys that attention looks for and the values that it takes.
    """
    tensor = layers.Rescaling(1 / 128, -1)(image)
    for index, (width, stride) in enumerate(((16, 2), (channels, 2), (channels, 1))):
        name = "features" if index == 2 else f"activation_{index}"
        tensor = layers.Conv2D(width, 3, stride, "same", use_bias=False, name=f"convolution_{index}")(tensor)
        tensor = layers.ReLU(name=name)(layers.BatchNormalization(momentum=0.9, name=f"norm_{index}")(tensor))
    placed = Coordinates(name="coordinates")(layers.Reshape((-1, channels))(tensor))
    return [layers.Dense(channels, activation="relu", name=name)(placed) for name in ("keys", "values")]


def attend(query, keys, values):
    """Look for queries `(B, S, D)` among the keys `(B, N, D)`; return the values found, `(B, S, D)`."""
    ops = keras.ops
    share = ops.softmax(ops.matmul(query, ops.transpose(keys, (0, 2, 1))) / keys.shape[-1] ** 0.5, axis=-1)
    return ops.matmul(share, values)


def captioner(channels=32):
    """Return images and the words so far -> probabilities of the next word at each step, `(B, 7, words)`."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    before = keras.Input((STEPS,), dtype="int32", name="words_so_far")
    keys, values = places(image, channels)
    whole = layers.Dense(64, name="whole_image")(layers.GlobalAveragePooling1D()(values))
    words = layers.Embedding(len(WORDS), 32, name="words")(before)
    # A causal convolution over the last three words, with a bias for each step; no later word is seen.
    state = layers.Conv1D(64, 3, padding="causal", name="sentence")(words)
    state = layers.EinsumDense("bsc,cd->bsd", (STEPS, 64), bias_axes="sd", name="step")(state)
    state = layers.ReLU()(layers.Add()([state, layers.Reshape((1, 64))(whole)]))
    found = attend(layers.Dense(channels, name="query")(state), keys, values)
    hidden = layers.Dense(64, activation="relu", name="hidden")(layers.Concatenate()([state, found]))
    return keras.Model(
        [image, before], layers.Dense(len(WORDS), activation="softmax", name="next_word")(hidden)
    )


def trained(scenes, epochs=12):
    """Train a captioner; return it."""
    keras.utils.set_random_seed(0)
    model = captioner()
    inputs, words = batch(scenes)
    steps = epochs * -(-len(words) // 32)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(inputs, words, batch_size=32, epochs=epochs, verbose=0)
    return model
