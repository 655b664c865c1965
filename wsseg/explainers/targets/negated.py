"""The negative of a score, for maps of the evidence against it."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from wsseg.errors import InputError
from wsseg.explainers.network import Outputs
from wsseg.explainers.targets.target import Function, Target


class Negated(Target):
    """The negative of another target: any explainer's map then shows the evidence against that score.

    With Grad-CAM this is the counterfactual explanation of Selvaraju et al. 2017 (section 3.3 †), which the explainer
    `counterfactual` computes directly.

    Args:
        target: A target, or a function of the model's output.

    Raises:
        InputError: `target` is neither.

    References:
        Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks, ICCV 2017. († quoted from memory.)
    """

    def __init__(self, target: Target | Callable[[Any], Any]):
        if not isinstance(target, Target) and not callable(target):
            raise InputError(f"`target` must be a target or a function of the model's output; got {target!r}")
        self.target = target if isinstance(target, Target) else Function(target)
        self.logits, self.output, self.arrays = self.target.logits, self.target.output, self.target.arrays
        self.width, self.saturates = self.target.width, self.target.saturates

    @property
    def key(self) -> Hashable:
        """The target's key, together with this class."""
        return (type(self), self.target.key)

    def check(self, outputs: Outputs, default: str | int | None = None) -> None:
        """Check the target."""
        self.target.check(outputs, default)

    def evaluate(self, outputs: Outputs, arrays: Sequence[Any], own: bool, default: str | int | None) -> Any:
        """Return the target's score times -1."""
        return -self.target.evaluate(outputs, arrays, own, default)

    def absent(self, batch: int) -> np.ndarray | None:
        """Return where the target is absent."""
        return self.target.absent(batch)
