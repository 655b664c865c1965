"""The score that is explained, as a function of a model's outputs."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from wsseg.explainers.network import Network, Outputs
from wsseg.explainers.saturation import may_saturate, saturated
from wsseg.explainers.targets import Target


class Score:
    """A target with its arrays: a function from the model's outputs to `(B, T)` float32 scores."""

    def __init__(self, target: Target, arrays: Sequence[Any], output: str | int | None = None):
        self.target, self.arrays, self.output = target, tuple(arrays), output
        self.first: tuple[Outputs, tf.Tensor] | None = None

    def __call__(self, outputs: Outputs, own: bool = False) -> tf.Tensor:
        """Score the outputs of a batch.

        Args:
            outputs: The model's outputs, one row for each row of the arrays; or several consecutive rows for each,
                one per version of that image.
            own: Use the model's own outputs (probabilities) even if the target asks for logits.
        """
        scores = self.target.evaluate(outputs, self.arrays, own, self.output)
        self.first = self.first or (outputs, scores)
        return scores

    def saturated(self, network: Network) -> tf.Tensor:
        """Return which of the scores first asked for are saturated probabilities, `(B, T)`; `(0,)` if none can be."""
        outputs, scores = self.first or (None, None)
        inside = tf.compat.v1.get_default_graph()  # a loop of the method has a graph of its own
        if scores is None or getattr(scores, "graph", None) is not inside:
            return tf.zeros(0, bool)
        if not may_saturate(self.target, network, self.output):
            return tf.zeros(0, bool)
        return saturated(outputs, scores, self.output if self.target.output is None else self.target.output)

    def of_image(self, index: int) -> "Score":
        """Return the score of one image of the batch."""
        rows = [x if len(x) == 1 else x[index : index + 1] for x in self.arrays]
        return Score(self.target, rows, self.output)
