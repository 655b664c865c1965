"""Explainers that change the input many times and watch the score: their one loop over chunks."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg import progress as progress_bars
from wsseg.errors import InputError, require_whole
from wsseg.explainers.core import Explainer, Score
from wsseg.explainers.network import Outputs

MOST = 256
"""Versions that are run at once at most, however small they are."""


class Perturbation(Explainer):
    """A map from the scores of many changed versions of each image.

    The versions of one image run in chunks of one size through one compiled function, which makes them itself from a
    few numbers each (a channel, a window's corner, a random grid): so memory does not grow with their number. The last
    chunk is filled up by repeating its last version, whose scores are dropped. All scores of an image come from the
    same forward passes. Other inputs than the image are repeated, a row for each version. A score must be computed for
    each row of the output by itself.

    Args:
        model: As of `Explainer`.
        layer: As of `Explainer`; a method that explains the image itself takes none.
        output: As of `Explainer`.
        batch_size: Versions that are run at once; None for as many as are fast and keep memory small.
        progress: Show a bar for each image.

    Raises:
        InputError: `batch_size` is not positive, or `layer` is given and the image itself is explained.
    """

    in_graph = False

    def __init__(
        self,
        model: keras.Model,
        layer: str | None = None,
        output: str | int | None = None,
        *,
        batch_size: int | None = None,
        progress: bool = False,
    ):
        if not self.at_layer and layer is not None:
            raise InputError(
                f"{type(self).__name__} explains the image itself; leave out `layer` (got {layer!r})"
            )
        if batch_size is not None:
            require_whole("batch_size", batch_size, hint="leave it out for one that fits")
        super().__init__(model, layer, output)
        self.batch_size, self.progress = batch_size, progress

    def map_of_image(self, inputs: Sequence[tf.Tensor], score: Score, text: str) -> np.ndarray:
        """The method's formula, for one image.

        Args:
            inputs: The model's inputs, one row each.
            score: Of this image, T scores.
            text: Says on the bar which image it is.

        Returns:
            `(T, h, w)`.
        """
        raise TypeError(f"{type(self).__name__} must define `map_of_image`")

    def outputs_of(
        self, inputs: Sequence[tf.Tensor], fixed: Sequence[tf.Tensor], rows: Sequence[tf.Tensor]
    ) -> Outputs:
        """Return the model's outputs for n versions of one image; traced.

        Args:
            inputs: The model's inputs, one row each.
            fixed: What the versions of this image share.
            rows: What sets them apart, n rows each.
        """
        raise TypeError(f"{type(self).__name__} must define `outputs_of`")

    def maps(self, inputs: Sequence[np.ndarray], score: Score) -> tf.Tensor:
        """Explain image by image."""
        batch = len(inputs[self.network.image])
        maps = [
            self.map_of_image(
                [tf.constant(x[i : i + 1]) for x in inputs], score.of_image(i), f"image {i + 1}/{batch}"
            )
            for i in range(batch)
        ]
        return tf.constant(np.stack(maps), tf.float32)

    def scores(
        self,
        inputs: Sequence[tf.Tensor],
        score: Score,
        rows: Sequence[np.ndarray],
        *,
        fixed: Sequence[Any] = (),
        fitting: int = MOST,
        most: int | None = None,
        own: bool = False,
        text: str = "",
    ) -> np.ndarray:
        """Score all versions of one image.

        Args:
            inputs: The model's inputs, one row each.
            score: Of this image.
            rows: What sets the versions apart: arrays of n rows, for `outputs_of`.
            fixed: What they share.
            fitting: How many versions memory has room for; `batch_size`, where given, is taken instead.
            most: How many versions an image may have; None for n. It sets the chunk's size, so that images with fewer
                need no new trace.
            own: Score the model's own outputs (probabilities) where the target would take logits.
            text: Of the bar.

        Returns:
            `(n, T)` float64.

        Raises:
            InputError: A score does not have a row for each row of the output.
        """
        target, count = score.target, len(rows[0])
        chunk = chunk_size(most or count, self.batch_size or max(1, min(fitting, MOST)))

        def run(inputs: Any, arrays: Any, fixed: Any, rows: Any) -> tf.Tensor:
            outputs = self.outputs_of(inputs, fixed, rows)
            found = Score(target, arrays, score.output)(outputs, own=own)
            wanted = rows[0].shape[0]
            if None not in (wanted, found.shape[0]) and found.shape[0] != wanted:
                raise InputError(
                    f"a target must give a score for each row of the output by itself: {type(self).__name__} runs many "
                    f"versions of an image in one batch; for {wanted} rows it gave {found.shape[0]} scores"
                )
            return found

        function = self.compiled((type(self), target.key, own), run)
        arrays, fixed = [tf.constant(x) for x in score.arrays], [tf.constant(x) for x in fixed]
        bar = progress_bars.bar(f"{type(self).__name__} {text}".rstrip(), count, "passes")
        results = []
        with bar if self.progress else nullcontext() as advance:
            for start in range(0, count, chunk):
                # Repeating the last version keeps one shape, hence one trace.
                part = np.minimum(np.arange(start, start + chunk), count - 1)
                found = function(list(inputs), arrays, fixed, [tf.constant(x[part]) for x in rows])
                results.append(found.numpy()[: count - start])
                if advance:
                    advance(count=len(results[-1]))
        return np.concatenate(results).astype(np.float64)

    def features_of(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Return the explained layer's output for one image, `(1, h, w, C)` float32."""
        function = self.compiled(
            "features", lambda inputs: tf.cast(self.network.features(inputs), tf.float32)
        )
        return function(list(inputs))


def chunk_size(count: int, limit: int) -> int:
    """Return the size of the chunks, `limit` at most, that leaves the least of the last one to fill up.

    Example:
        >>> chunk_size(100, 32), chunk_size(3, 32)
        (25, 3)
    """
    return -(-count // -(-count // limit))


def repeated(inputs: Sequence[tf.Tensor], rows: tf.Tensor) -> list[tf.Tensor]:
    """Repeat inputs of one row as often as `rows` has rows."""
    return [tf.repeat(x, tf.shape(rows)[0], axis=0) for x in inputs]


def pair(option: str, value: Any, hint: str) -> tuple[int, int]:
    """Return an option's value as (height, width); one number serves both.

    Raises:
        InputError: Neither a whole number from 1 up nor two of them.
    """
    both = value if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2:
        raise InputError(f"`{option}` must be one number, or (height, width); got {value!r}; {hint}")
    height, width = (require_whole(option, side, hint=hint) for side in both)
    return height, width
