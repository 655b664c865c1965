"""The base class of targets, and the combination of several targets into one."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs


class Target:
    """A score to explain: a differentiable function of a model's output.

    A plain function of the model's output also works, but a target can do two more things. Its `arrays` are passed to
    the compiled function as tensors, so that other values (another word, another mask) need no new trace. And it can
    ask for the scores before a final softmax or sigmoid.

    Attributes:
        logits: Whether `scores` needs the outputs before a final softmax or sigmoid.
        output: Name or position of the output to read; None for the explainer's `output=`, or the only output.
        arrays: Further arguments of `scores`, each `(B, ...)` with one row per image, or `(1, ...)` for all images.
            If an explainer runs many versions of an image, rows are repeated.
        width: Number of scores per image.
        saturates: Whether the scores are probabilities if they are computed from probabilities.
    """

    logits: bool = True
    saturates: bool = False
    output: str | int | None = None
    arrays: tuple[np.ndarray, ...] = ()
    width: int = 1

    @property
    def key(self) -> Hashable:
        """Everything that the trace of a compiled function depends on, except the arrays' shapes."""
        return (type(self), self.logits, self.output)

    def scores(self, outputs: Any, *arrays: Any) -> Any:
        """Score each image.

        Args:
            outputs: The output that the target reads, a tensor `(B, ...)`.
            arrays: `self.arrays` as tensors, with B rows each.

        Returns:
            `(B,)` for one score per image, or `(B, T)` for several; each score gets a map.
        """
        raise TypeError(f"{type(self).__name__} must define `scores`")

    def absent(self, batch: int) -> np.ndarray | None:
        """Return `(B, T)` bool, True where an image has no such score and its map is 0; None if all are present."""
        return None

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Raise an error if the model's outputs, given as symbolic tensors, have no such score.

        Raises:
            InputError: The outputs have no such score; the message says what they have.
        """

    def evaluate(self, outputs: Outputs, arrays: Sequence[Any], own: bool, default: str | int | None) -> Any:
        """Return the scores `(B, T)` float32; with `own`, from the model's own outputs even if `logits` is True."""
        ops = keras.ops
        output = default if self.output is None else self.output
        read = outputs.one(output, self.logits and not own)
        batch = ops.shape(read)[0]
        rows = [ops.repeat(x, batch // ops.shape(x)[0], axis=0) for x in arrays]
        return _columns(self.scores(ops.cast(read, "float32"), *rows), read.shape[0])


class Function(Target):
    """A plain function from the model's outputs, in the model's own structure, to `(B,)` or `(B, T)` scores.

    The function is traced once per batch shape. Reuse the same function, since a new one is traced again.
    """

    logits = False
    saturates = True

    def __init__(self, function: Callable[[Any], Any]):
        self.function = function

    @property
    def key(self) -> Hashable:
        """The function itself."""
        return self.function

    def evaluate(self, outputs: Outputs, arrays: Sequence[Any], own: bool, default: str | int | None) -> Any:
        """Call the function on the model's own outputs."""
        try:
            scores = self.function(outputs.values)
        except InputError:
            raise
        except Exception as error:
            shapes = keras.tree.map_structure(
                lambda x: f"(batch, {', '.join(map(str, x.shape[1:]))})", outputs.values
            )
            raise InputError(
                f"the function given as `targets` failed on the model's outputs, {shapes}, with "
                f"{type(error).__name__}: {error}"
            ) from error
        return _columns(scores, keras.tree.flatten(outputs.values)[0].shape[0])


class Several(Target):
    """Several targets, with one map per score."""

    def __init__(self, targets: Sequence[Target]):
        self.targets = tuple(targets)
        self.width = sum(target.width for target in targets)
        self.arrays = tuple(x for target in targets for x in target.arrays)
        self.logits = all(target.logits for target in targets)
        self.saturates = any(target.saturates for target in targets)

    @property
    def key(self) -> Hashable:
        """The keys of all targets."""
        return tuple(target.key for target in self.targets)

    def evaluate(self, outputs: Outputs, arrays: Sequence[Any], own: bool, default: str | int | None) -> Any:
        """Return the scores of all targets, in order."""
        columns, left = [], list(arrays)
        for target in self.targets:
            mine, left = left[: len(target.arrays)], left[len(target.arrays) :]
            columns.append(target.evaluate(outputs, mine, own, default))
            if columns[-1].shape[1] not in (None, target.width):
                raise InputError(
                    f"each target of a list must give one score per image; one gives {columns[-1].shape[1]}"
                )
        return keras.ops.concatenate(columns, axis=1)

    def absent(self, batch: int) -> np.ndarray | None:
        """Return where one of the targets is absent."""
        parts = [target.absent(batch) for target in self.targets]
        if all(part is None for part in parts):
            return None
        present = [np.zeros((batch, target.width), bool) for target in self.targets]
        return np.concatenate([p if part is None else part for p, part in zip(present, parts)], axis=1)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Check each target."""
        for target in self.targets:
            target.check(outputs, default)


def _columns(scores: Any, batch: int | None) -> Any:
    """Return the scores of a target as `(B, T)` float32.

    Args:
        scores: `(B,)` or `(B, T)`; a list of B single scores, or of T tensors `(B,)`.
        batch: Number B of rows of the output; None if unknown.

    Raises:
        InputError: `scores` have another form, or another number of rows.
    """
    wanted = "a target must give one score per image, (B,), or several, (B, T); it gave"
    try:
        if isinstance(scores, (list, tuple)):
            parts = [keras.ops.cast(x, "float32") for x in scores]
            scores = keras.ops.stack(parts, axis=min(len(parts[0].shape), 1))
        scores = keras.ops.cast(scores, "float32")
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        shown = (
            [getattr(x, "shape", x) for x in scores] if isinstance(scores, (list, tuple)) else repr(scores)
        )
        raise InputError(f"{wanted} {shown}; see the function or class given as `targets`") from error
    if len(scores.shape) not in (1, 2):
        raise InputError(
            f"{wanted} {scores.shape}; for several outputs or pixels take a mean or a sum per image"
        )
    rows = scores.shape[0]
    if rows is not None and rows != batch:
        raise InputError(
            f"{wanted} {rows} rows for {'any number of' if batch is None else batch} rows of the output, "
            f"{scores.shape}; see the function or class given as `targets`"
        )
    return scores if len(scores.shape) == 2 else scores[:, None]
