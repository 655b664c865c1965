"""Scores of a class with parts of the image removed, computed in batches by one traced function."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError, nearest, require_whole
from wsseg.places.class_odds import checked_class_ids, checked_outputs, class_odds
from wsseg.places.fills import FILLS, fills_of

SCORES = ("log_odds", "probability")


class RemovalScores:
    """Score a class on one image with parts of it removed.

    Args:
        model: A Keras classifier, from `(B, H, W, C)` to `(B, K)`.
        outputs: Kind of the model's outputs: "softmax" or "sigmoid" probabilities, "softmax_logits" or
            "sigmoid_logits"; None to find it from the last layer.
        score: "log_odds", log(p / (1 - p)), or "probability", p.
        fill: Fill of removed parts: "mean", "blur" or "inpaint"; see `wsseg.places.fills`.
        preprocess: Function from `(B, H, W, C)` float32, RGB in [0, 255] to the model's input, which must treat each
            pixel separately; None for a model that takes [0, 255].
        batch_size: Images per forward pass. The last batch is padded, so that it needs no kernels of its own.

    Raises:
        InputError: A choice is unknown, `batch_size` is not positive, or the kind of outputs is unknown.
    """

    def __init__(
        self,
        model: keras.Model,
        outputs: str | None = None,
        score: str = "log_odds",
        fill: str = "mean",
        preprocess: Callable[[np.ndarray], np.ndarray] | None = None,
        batch_size: int = 32,
    ):
        for name, given, choices in (("score", score, SCORES), ("fill", fill, FILLS)):
            if given not in choices:
                raise InputError(f"unknown `{name}` {given!r}; {nearest(str(given), choices)}")
        self.batch_size = require_whole("batch_size", batch_size)
        self.model, self.score, self.fill = model, score, fill
        self.outputs = checked_outputs(outputs, model)
        self.preprocess = preprocess or (lambda images: images)
        self._function = tf.function(self._forward, reduce_retracing=True)

    @property
    def traces(self) -> int:
        """Number of times that the function was traced: a few at most, whatever the sizes of the images."""
        return self._function.experimental_get_tracing_count()

    def _forward(self, image, fills, masks, chosen):
        images = tf.where(masks[..., None], fills, image)
        return class_odds(self._outputs(images), chosen, self.outputs)

    def _outputs(self, images):
        # A model that was built from a list of one input needs a list.
        form = getattr(self.model, "input", images)
        given = keras.tree.map_structure(lambda _: images, form)
        found = keras.tree.flatten(self.model(given, training=False))
        if len(found) != 1 or len(found[0].shape) != 2:
            raise InputError(
                f"model `{self.model.name}` gives outputs of shapes {[tuple(x.shape) for x in found]}; expected "
                "one of (batch, classes); build a model with only the class output"
            )
        return found[0]

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Return the model's probabilities for the unchanged image, `(K,)` float32."""
        images = self.preprocess(np.asarray(image, np.float32)[None])
        values = np.asarray(keras.ops.convert_to_numpy(self._outputs(images)), np.float32)[0]
        if self.outputs == "softmax_logits":
            values = np.exp(values - values.max())
            values /= values.sum()
        elif self.outputs == "sigmoid_logits":
            values = 1 / (1 + np.exp(-values))
        return values

    def __call__(
        self, image: np.ndarray, masks: np.ndarray, class_ids: int | Sequence[int], num_classes: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Score the image R times, each time with the pixels of one mask removed.

        Args:
            image: `(H, W, C)` uint8, such as RGB, of the model's input size.
            masks: `(R, H, W)` bool, True at removed pixels.
            class_ids: Class index, or several that count as one class.
            num_classes: Number K of classes of the model.

        Returns:
            `(R,)` float32 scores, and `(R,)` bool, True if the class is still predicted.

        Raises:
            InputError: A class index is invalid.
        """
        ids = checked_class_ids(class_ids, num_classes, self.outputs)
        chosen = np.isin(np.arange(num_classes), ids)
        # Preprocessing treats each pixel separately, so pixels may be replaced after it.
        base = np.asarray(self.preprocess(np.asarray(image, np.float32)[None]), np.float32)
        one_fill = self.fill != "inpaint"
        fills = self._fills(image, masks[:1]) if one_fill else None
        scores, predicted = [], []
        for start in range(0, len(masks), self.batch_size):
            batch = masks[start : start + self.batch_size]
            count = len(batch)
            batch = np.concatenate([batch, np.zeros((self.batch_size - count, *batch.shape[1:]), bool)])
            odds, still = self._function(
                tf.constant(base),
                tf.constant(fills if one_fill else self._fills(image, batch)),
                tf.constant(batch),
                tf.constant(chosen),
            )
            scores.append(odds.numpy()[:count])
            predicted.append(still.numpy()[:count])
        scores = np.concatenate([np.zeros(0, np.float32), *scores])
        if self.score == "probability":
            scores = 1 / (1 + np.exp(-scores.astype(np.float64)))
        return scores.astype(np.float32), np.concatenate([np.zeros(0, bool), *predicted])

    def _fills(self, image: np.ndarray, masks: np.ndarray) -> np.ndarray:
        return np.asarray(self.preprocess(fills_of(image, masks, self.fill)), np.float32)
