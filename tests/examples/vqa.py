"""A small network that answers questions about a scene, such as "what is left-of the blue square"."""

import keras
import numpy as np
from keras import layers

from examples.captioning import attend, places
from examples.shapes import COLOURS, SHAPES, SIDE

ANSWERS = ("no", "yes", *COLOURS, *SHAPES, "nothing")
WORDS = (
    "is",
    "there",
    "a",
    "what",
    "the",
    "thing",
    "colour",
    "shape",
    "left-of",
    "right-of",
    *COLOURS,
    *SHAPES,
)
LENGTH = 5


def questions(scene, rng):
    """Ask four questions about a scene.

    Returns:
        For each: the question, its answer, and the thing that shows the answer (None for no and nothing).
    """
    asked = []
    one, other = (scene.things[i] for i in rng.permutation(2))
    if rng.random() < 0.5:
        asked.append((f"is there a {one.colour} {one.shape}", "yes", one))
    else:
        # Both words occur in the scene, or one of them: only together they are wrong.
        asked.append((f"is there a {one.colour} {other.shape}", "no", None))
    asked.append((f"what colour is the {other.shape}", other.colour, other))
    asked.append((f"what shape is the {one.colour}", one.shape, one))
    first, second = scene.things
    if scene.beside and rng.random() < 0.8:
        thing, side, answer = (
            (second, "left-of", first) if rng.random() < 0.5 else (first, "right-of", second)
        )
    else:
        thing, side, answer = (first, "left-of", None) if rng.random() < 0.5 else (second, "right-of", None)
    asked.append(
        (f"what {side} the {thing.colour} {thing.shape}", answer.shape if answer else "nothing", answer)
    )
    return asked


def ask(scenes, seed=0):
    """Return the inputs, images `(N, 32, 32, 3)` and questions `(N, 5)`; the answers `(N,)`; and what was asked.

    What was asked is a list of (scene, question, answer, thing); the four questions of a scene follow each other.
    """
    rng = np.random.default_rng(seed)
    asked = [(scene, *one) for scene in scenes for one in questions(scene, rng)]
    images = np.stack([scene.image for scene, *_ in asked]).astype(np.float32)
    words = np.array(
        [[WORDS.index(word) for word in question.split()] for _, question, *_ in asked], np.int32
    )
    answers = np.array([ANSWERS.index(answer) for _, _, answer, _ in asked], np.int32)
    return [images, words], answers, asked


def answerer(channels=32):
    """Return images and questions -> probabilities of the answers, `(B, answers)`: attention that looks twice."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    question = keras.Input((LENGTH,), dtype="int32", name="question")
    keys, values = places(image, channels)
    words = layers.Flatten()(layers.Embedding(len(WORDS), 16, name="question_words")(question))
    asked = state = layers.Dense(64, activation="relu", name="asked")(words)
    for turn in ("first", "second"):
        query = layers.Reshape((1, channels))(layers.Dense(channels, name=f"{turn}_query")(state))
        found = layers.Flatten()(attend(query, keys, values))
        state = layers.Dense(64, activation="relu", name=f"{turn}_look")(
            layers.Concatenate()([asked, state, found])
        )
    return keras.Model(
        [image, question], layers.Dense(len(ANSWERS), activation="softmax", name="answer")(state)
    )


def trained(scenes, captioner, epochs=12):
    """Train an answerer that sees as a trained captioner does; return it.

    Its convolutions are the captioner's and stay: what comes behind them is trained on features computed once.
    """
    keras.utils.set_random_seed(0)
    model = answerer()
    for layer in captioner.layers:
        if layer.weights and layer.name in {mine.name for mine in model.layers}:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    eyes = keras.Model(model.inputs[0], model.get_layer("features").output)
    (images, words), answers, _ = ask(scenes)
    features = np.repeat(eyes.predict(images[::4], verbose=0), 4, axis=0)
    head = keras.Model([eyes.output, model.inputs[1]], model.output)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * -(-len(answers) // 64))
    head.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", jit_compile=False)
    head.fit([features, words], answers, batch_size=64, epochs=epochs, verbose=0)
    return model
