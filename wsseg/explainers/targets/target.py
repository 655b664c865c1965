"""What a target is, and how several become one."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs


class Target:
    """A score to explain: a differentiable function of a model's output.

    A plain function of the model's output does as well; a target can do two things more. Its `arrays` are handed to
    the compiled function as tensors, so that other values (another word, another mask) need no new trace, and it may
    ask for the scores before a final softmax or sigmoid.

    Attributes:
        logits: Whether `scores` wants the outputs before a final softmax or sigmoid.
        output: Name or position of the output that it reads, None for the only one (or the explainer's `output=`).
        arrays: What `scores` gets beside the outputs, each `(B, ...)`, a row for each image, or `(1, ...)`, the same
            for all. Where an explainer looks at many versions of an image, rows are repeated.
        width: Number of scores an image.
    """

    logits: bool = True
    output: str | int | None = None
    arrays: tuple[np.ndarray, ...] = ()
    width: int = 1

    @property
    def key(self) -> Hashable:
        """What the trace of a compiled function depends on, beside the arrays' shapes."""
        return (type(self), self.logits, self.output)

    def scores(self, outputs: Any, *arrays: Any) -> Any:
        """Score each image.

        Args:
            outputs: The output that the target reads, a tensor `(B, ...)`.
            arrays: `self.arrays` as tensors, with B rows each.

        Returns:
            `(B,)` for one score an image, or `(B, T)` for several, each of which gets a map.
        """
        raise TypeError(f"{type(self).__name__} must define `scores`")

    def absent(self, batch: int) -> np.ndarray | None:
        """Return `(B, T)` bool: where an image has no such score and its map is 0; None for nowhere."""
        return None

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Refuse a model whose outputs, given as symbols, have no such score.

        Raises:
            InputError: The message says what the output has.
        """

    def evaluate(self, outputs: Outputs, arrays: Sequence[Any], own: bool, default: str | int | None) -> Any:
        """Return the scores `(B, T)` float32; `own` asks for the model's own outputs, whatever `logits` says."""
        ops = keras.ops
        output = default if self.output is None else self.output
        read = outputs.one(output, self.logits and not own)
        batch = ops.shape(read)[0]
        rows = [ops.repeat(x, batch // ops.shape(x)[0], axis=0) for x in arrays]
        scores = ops.cast(self.scores(ops.cast(read, "float32"), *rows), "float32")
        return _one_column(scores)


class Function(Target):
    """A plain function of the model's outputs, in the structure the model gives them in: -> `(B,)` or `(B, T)`.

    The function is traced once for each shape of the batch: keep it and use it again, a new one is traced anew.
    """

    def __init__(self, function: Callable[[Any], Any]):
        self.function = function

    @property
    def key(self) -> Hashable:
        """The function itself."""
        return self.function

    def evaluate(self, outputs: Outputs, arrays: Sequence[Any], own: bool, default: str | int | None) -> Any:
        """Call the function on the model's own outputs."""
        return _one_column(keras.ops.cast(self.function(outputs.values), "float32"))


class Several(Target):
    """Several targets, a map for each (for each class, of `ClassScores`)."""

    def __init__(self, targets: Sequence[Target]):
        self.targets = tuple(targets)
        self.width = sum(target.width for target in targets)
        self.arrays = tuple(x for target in targets for x in target.arrays)

    @property
    def key(self) -> Hashable:
        """The keys of all."""
        return tuple(target.key for target in self.targets)

    def evaluate(self, outputs: Outputs, arrays: Sequence[Any], own: bool, default: str | int | None) -> Any:
        """Score all, in order."""
        columns, left = [], list(arrays)
        for target in self.targets:
            mine, left = left[: len(target.arrays)], left[len(target.arrays) :]
            columns.append(target.evaluate(outputs, mine, own, default))
            if columns[-1].shape[1] not in (None, target.width):
                raise InputError(
                    f"each target of a list must give one score an image; one gives {columns[-1].shape[1]}"
                )
        return keras.ops.concatenate(columns, axis=1)

    def absent(self, batch: int) -> np.ndarray | None:
        """Where one of the targets has no such score."""
        parts = [target.absent(batch) for target in self.targets]
        if all(part is None for part in parts):
            return None
        present = [np.zeros((batch, target.width), bool) for target in self.targets]
        return np.concatenate([p if part is None else part for p, part in zip(present, parts)], axis=1)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """As each target does."""
        for target in self.targets:
            target.check(outputs, default)


def _one_column(scores: Any) -> Any:
    if len(scores.shape) not in (1, 2):
        raise InputError(
            f"a target must give one score an image, (B,), or several, (B, T); it gave {scores.shape}"
        )
    return scores if len(scores.shape) == 2 else scores[:, None]
