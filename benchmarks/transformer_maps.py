"""Do a vision transformer's maps find the object? The pointing game on generated scenes.

    python benchmarks/transformer_maps.py

A small vision transformer (patches of 8 pixels, 4 blocks) is trained from random weights to tell which kinds of object
(bug, fish, flower) a scene of 64 x 64 pixels holds: once with a class token, once with a mean over the patches. Maps of
the kinds present in other scenes, where there are two kinds at least, then play the pointing game without tolerance:
the share of maps whose maximum lies on an object of that kind. Chance is the mean area. About 4 minutes on one core.
"""

import argparse
import time

import keras
import numpy as np
from keras import layers, ops

from wsseg import explainers
from wsseg.datasets.scenes.generator import render
from wsseg.metrics import PointingGame

SIZE, PATCH, WIDTH, BLOCKS, KINDS = 64, 8, 64, 4, ("bug", "fish", "flower")
METHODS = (
    "attention_relevance",
    "attention_rollout",
    "grad_cam",
    "layer_cam",
    "hires_cam",
    "grad_cam_pp",
    "xgrad_cam",
    "eigen_cam",
    "integrated_gradients",
    "smooth_grad",
    "occlusion",
)


class ClassToken(layers.Layer):
    """A learnt token before the others, and position embeddings."""

    def __init__(self, first: bool, **options):
        super().__init__(**options)
        self.first = first

    def build(self, shape):
        count, width = shape[1] + self.first, shape[2]
        self.table = self.add_weight(shape=(1, count, width), initializer="random_normal")
        if self.first:
            self.token = self.add_weight(shape=(1, 1, width), initializer="random_normal")

    def call(self, tokens):
        if self.first:
            tokens = ops.concatenate([ops.tile(self.token, (ops.shape(tokens)[0], 1, 1)), tokens], axis=1)
        return tokens + self.table


def transformer(head: str) -> keras.Model:
    """Return images in [0, 255] -> logits of the kinds."""
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(WIDTH, PATCH, strides=PATCH)(layers.Rescaling(1 / 127.5, -1)(image))
    x = ClassToken(head == "class")(layers.Reshape((-1, WIDTH))(x))
    for number in range(BLOCKS):
        y = layers.LayerNormalization(name=f"norm_{number}")(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, WIDTH // 4)(y, y)])
        y = layers.Dense(2 * WIDTH, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(WIDTH)(y)])
    x = layers.LayerNormalization(name="final")(x)
    x = x[:, 0] if head == "class" else layers.GlobalAveragePooling1D()(x)
    return keras.Model(image, layers.Dense(len(KINDS))(x))


def scenes(split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images `(n, 64, 64, 3)` and kinds `(n, 64, 64)`, 0 = background."""
    drawn = [render(0, split, index, SIZE) for index in range(count)]
    kinds = np.stack([(scene.mask.astype(int) + 1) // 2 for scene in drawn])
    return np.stack([scene.image for scene in drawn]).astype(np.float32), kinds


def present(kinds: np.ndarray) -> np.ndarray:
    """Return which kinds images hold, `(n, 3)` bool."""
    return np.stack([(kinds == number + 1).any(axis=(1, 2)) for number in range(len(KINDS))], axis=1)


def pointing(maps: np.ndarray, kinds: np.ndarray, shown: np.ndarray) -> float:
    """Return the pointing game's score of maps `(n, 3, H, W)` for the kinds present."""
    game = PointingGame(0)
    for image, kind in np.argwhere(shown):
        game.update(maps[image, kind], kinds[image] == kind + 1, KINDS[kind])
    return game.result()["pooled"]


def main() -> None:
    """Train, explain and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--heads", nargs="+", default=("class", "mean"))
    parser.add_argument(
        "--layers", nargs="*", default=(), help="further layers for the methods that take one"
    )
    arguments = parser.parse_args()
    train, val = scenes("train", arguments.scenes), scenes("val", 300)
    several = present(val[1]).sum(axis=1) >= 2
    images, kinds = val[0][several], val[1][several]
    shown = present(kinds)
    for head in arguments.heads:
        keras.utils.set_random_seed(0)
        model = transformer(head)
        steps = arguments.epochs * (len(train[0]) // 64)
        model.compile(
            keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(1e-3, steps), weight_decay=0.01),
            keras.losses.BinaryCrossentropy(from_logits=True),
        )
        began = time.process_time()
        both = np.concatenate([train[0], train[0][:, :, ::-1]])
        labels = np.concatenate([present(train[1])] * 2).astype(np.float32)
        model.fit(both, labels, batch_size=64, epochs=arguments.epochs // 2, verbose=0)
        right = ((model.predict(val[0], verbose=0) > 0) == present(val[1])).mean()
        print(
            f"head {head}: {right:.3f} of the labels right, {time.process_time() - began:.0f} s", flush=True
        )
        chance = pointing(np.zeros((*shown.shape, SIZE, SIZE)), kinds, shown)
        print(f"  {'chance':<24} {chance:.3f}")
        targets = [[0, 1, 2]] * len(images)
        for method in METHODS:
            for layer in (None, *(arguments.layers if "cam" in method else ())):
                options = {} if layer is None else {"layer": layer}
                try:
                    explainer = explainers.create(method, model=model, **options)
                    found = explainer(images, targets)
                except explainers.core.InputError as error:
                    print(f"  {method:<24} {str(error)[:60]}")
                    continue
                score = pointing(found, kinds, shown)
                empty = (~found.any(axis=(2, 3)))[shown].mean()
                print(f"  {method:<24} {score:.3f}  empty {empty:.2f}  {explainer.layer}", flush=True)


if __name__ == "__main__":
    main()
