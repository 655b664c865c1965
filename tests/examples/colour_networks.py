"""Networks with weights made by hand, whose answers are known: what is how red, green or blue in a part of the image.

All start with `features`, a 1x1 convolution that sees red, green and blue (channels 0 to 2), each cell its own pixel.
"""

import keras
import numpy as np
from keras import layers

SIDE = 8
COLOURS = {"red": (250, 20, 20), "green": (20, 250, 20), "blue": (20, 20, 250)}


def painted(**places):
    """Return `(1, 8, 8, 3)` float32, dark grey, (rows, columns) of it painted: `painted(red=(slice(2), 3))`."""
    image = np.full((1, SIDE, SIDE, 3), 20, np.float32)
    for colour, places_of_it in places.items():
        for place in places_of_it if isinstance(places_of_it, list) else [places_of_it]:
            image[(0, *place)] = COLOURS[colour]
    return image


def seen_colours():
    """Return the image's input and `features` `(B, 8, 8, 3)`: 1 where all is one colour, 0 where there is none."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    eye = layers.Conv2D(3, 1, activation="relu", name="features")
    features = eye(image)
    eye.set_weights([(1.5 * np.eye(3) - 0.5)[None, None] / 230, np.zeros(3)])
    return image, features


def half_captioner():
    """Return images -> `(B, 2, 3)` probabilities: word 0 the colour of the left half, word 1 of the right one."""
    image, features = seen_colours()
    halves = layers.AveragePooling2D((SIDE, SIDE // 2))(features)
    words = layers.Rescaling(20.0)(layers.Reshape((2, 3))(halves))
    return keras.Model(image, layers.Softmax(name="words")(words))


def half_answerer():
    """Return images and a question (0: what colour is the left half, 1: the right one) -> `(B, 3)` probabilities."""
    image, features = seen_colours()
    question = keras.Input((1,), dtype="int32", name="question")
    halves = layers.Reshape((2, 3))(layers.AveragePooling2D((SIDE, SIDE // 2))(features))
    looked = layers.Embedding(2, 2, embeddings_initializer="identity")(question)  # (B, 1, 2)
    found = layers.Flatten()(layers.Dot((2, 1))([looked, halves]))
    return keras.Model([image, question], layers.Softmax(name="answer")(layers.Rescaling(20.0)(found)))


def colour_embedding():
    """Return images -> `(B, 3)`: the amounts of red, green and blue."""
    image, features = seen_colours()
    return keras.Model(image, layers.GlobalAveragePooling2D(name="embedding")(features))


def cell_boxes():
    """Return `(16, 4)` float32: the boxes (left, top, right, bottom) of the 2 x 2 pixel cells, row by row."""
    return np.array([(x, y, x + 2, y + 2) for y in range(0, SIDE, 2) for x in range(0, SIDE, 2)], np.float32)


class _CellBoxes(layers.Layer):
    def call(self, scores):
        boxes = keras.ops.convert_to_tensor(cell_boxes()[None])
        return keras.ops.repeat(boxes, keras.ops.shape(scores)[0], axis=0)


def cell_detector():
    """Return images -> `boxes` (B, 16, 4), a cell each, and `scores` (B, 16, 3), sigmoids of the cell's colours."""
    image, features = seen_colours()
    cells = layers.Reshape((16, 3))(layers.AveragePooling2D(2)(features))
    scores = layers.Activation("sigmoid", name="scores")(layers.Rescaling(8.0, -4.0)(cells))
    return keras.Model(image, {"scores": scores, "boxes": _CellBoxes(name="boxes")(scores)})
