"""Base class of explainers that score many changed versions of an image, in chunks of one size."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg import progress as progress_bars
from wsseg.errors import InputError, require_whole
from wsseg.explainers.core import Explainer
from wsseg.explainers.network import Outputs
from wsseg.explainers.score import Score

MOST = 256
"""Maximum number of versions per pass, even if they are small."""


class Perturbation(Explainer):
    """A map from the scores of many changed versions of each image.

    The versions of one image run in chunks of one size through one compiled function. The function builds each version
    from a few numbers (a channel, a window's corner, a random grid), so memory does not grow with their number. The
    last chunk is padded by repeating its last version, and the scores of the padding are dropped. All scores of an
    image come from the same forward passes. Inputs other than the image are repeated, one row per version. A target
    must compute each row's score from that row of the output alone.

    Args:
        model: See `Explainer`.
        layer: See `Explainer`; must be None for a method that explains the image itself.
        output: See `Explainer`.
        batch_size: Versions per forward pass; None for a number that is fast and keeps memory small.
        progress: Show a progress bar for each image.
        image: Name or position of the explained image, for a model with several images.
        reshape: See `Explainer`.

    Raises:
        InputError: `batch_size` is not a positive whole number, or `layer` is given although the image itself is
            explained.
    """

    in_graph = False

    def __init__(
        self,
        model: keras.Model,
        layer: Any = None,
        output: str | int | None = None,
        *,
        batch_size: int | None = None,
        progress: bool = False,
        image: str | int | None = None,
        reshape: Any = None,
    ):
        if not self.at_layer and layer is not None:
            raise InputError(
                f"{type(self).__name__} explains the image itself; remove `layer` (got {layer!r})"
            )
        if batch_size is not None:
            require_whole("batch_size", batch_size, hint="remove it to use one that fits")
        super().__init__(model, layer, output, image=image, reshape=reshape)
        self.batch_size, self.progress = batch_size, progress

    def map_of_image(self, inputs: Sequence[tf.Tensor], score: Score, text: str) -> np.ndarray:
        """The method's formula, for one image.

        Args:
            inputs: The model's inputs, one row each.
            score: The T scores of this image.
            text: Label of this image on the progress bar.

        Returns:
            `(T, h, w)` maps.
        """
        raise TypeError(f"{type(self).__name__} must define `map_of_image`")

    def outputs_of(
        self, inputs: Sequence[tf.Tensor], fixed: Sequence[tf.Tensor], rows: Sequence[tf.Tensor]
    ) -> Outputs:
        """Return the model's outputs for n versions of one image; called while tracing.

        Args:
            inputs: The model's inputs, one row each.
            fixed: Tensors that all versions of this image share.
            rows: Tensors that define the versions, n rows each.
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
            score: The T scores of this image.
            rows: Arrays that define the versions, n rows each, for `outputs_of`.
            fixed: Arrays that all versions share.
            fitting: Number of versions that fit into memory; `batch_size` replaces it if given.
            most: Maximum number of versions per image; None for n. It sets the chunk size, so that images with fewer
                versions need no new trace.
            own: Score the model's own outputs (probabilities) even if the target asks for logits.
            text: Label on the progress bar.

        Returns:
            `(n, T)` float64.

        Raises:
            InputError: The target does not give one score for each row of the output.
        """
        target, count = score.target, len(rows[0])
        chunk = chunk_size(most or count, self.batch_size or max(1, min(fitting, MOST)))

        def run(inputs: Any, arrays: Any, fixed: Any, rows: Any) -> tf.Tensor:
            outputs = self.outputs_of(inputs, fixed, rows)
            found = Score(target, arrays, score.output)(outputs, own=own)
            wanted = rows[0].shape[0]
            if None not in (wanted, found.shape[0]) and found.shape[0] != wanted:
                raise InputError(
                    f"a target must give one score for each row of the output: {type(self).__name__} runs many "
                    f"versions of an image in one batch; for {wanted} rows it gave {found.shape[0]} scores"
                )
            return found

        function = self.compiled((type(self), target.key, own), run)
        arrays, fixed = [tf.constant(x) for x in score.arrays], [tf.constant(x) for x in fixed]
        bar = progress_bars.bar(f"{type(self).__name__} {text}".rstrip(), count, "passes")
        results = []
        with bar if self.progress else nullcontext() as advance:
            for start in range(0, count, chunk):
                # The last version is repeated to keep one shape, so one trace is enough.
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
    """Return the chunk size, at most `limit`, that needs the least padding with the smallest number of chunks.

    Example:
        >>> chunk_size(100, 32), chunk_size(3, 32)
        (25, 3)
    """
    return -(-count // -(-count // limit))


def repeated(inputs: Sequence[tf.Tensor], rows: tf.Tensor) -> list[tf.Tensor]:
    """Repeat the inputs, of one row each, to the number of rows in `rows`."""
    return [tf.repeat(x, tf.shape(rows)[0], axis=0) for x in inputs]


def pair(option: str, value: Any, hint: str) -> tuple[int, int]:
    """Return an option's value as (height, width); one number stands for both.

    Raises:
        InputError: The value is neither one nor two whole numbers of at least 1.
    """
    both = value if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2:
        raise InputError(f"`{option}` must be one number, or (height, width); got {value!r}; {hint}")
    height, width = (require_whole(option, side, hint=hint) for side in both)
    return height, width
