"""What a classifier's outputs are: probabilities, or logits, and of what kind."""

from dataclasses import dataclass

import keras

from wsseg.errors import InputError
from wsseg.explainers.flattening import flatten, is_graph
from wsseg.explainers.logits import Logits, logits_of


@dataclass(frozen=True)
class OutputKind:
    """What a classifier's outputs are.

    Attributes:
        kind: "softmax" (one class per image) or "sigmoid" (several, or one output).
        logits: Whether the outputs are logits, from which a softmax or sigmoid gives probabilities.
        assumed: What had to be assumed, for a warning; None if nothing was.
    """

    kind: str
    logits: bool
    assumed: str | None = None


def output_kind(model: keras.Model) -> OutputKind:
    """Find what the outputs of a classifier are, by the finder that the explainers use (`logits_of`).

    Logits alone do not tell whether an image has one class or several. Then the loss decides, if the model was compiled
    with one that takes logits. A single logit is a sigmoid's, and so are those of this package's classifiers, which are
    trained on several labels per image. For other models one class per image is assumed.

    Args:
        model: A functional or sequential classifier, from images to `(B, K)`.

    Raises:
        InputError: The model is subclassed, or what it computes at its end is unknown or neither of the two.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
        >>> output_kind(model)
        OutputKind(kind='softmax', logits=False, assumed=None)
    """
    ask = "set `outputs` (--outputs) to probabilities, or to softmax or sigmoid for logits"
    if not is_graph(model):
        raise InputError(f"model `{model.name}` is subclassed, so its kind of output is unknown; {ask}")
    output = flatten(model).outputs[0]
    found: Logits = logits_of(output)
    if found.probabilities:
        return OutputKind("softmax" if found.kind == "softmax" else "sigmoid", False)
    if found.kind == "log_softmax":
        return OutputKind("softmax", True)  # the softmax of log-probabilities is the probabilities
    if found.kind != "none":
        raise InputError(
            f"model `{model.name}` ends in an activation whose values are neither probabilities nor logits; explain a "
            f"model without it, or {ask}"
        )
    if not found.known:
        raise InputError(
            f"what the end of model `{model.name}` computes is unknown: its outputs may be probabilities or logits; "
            f"{ask}"
        )
    loss = getattr(model, "loss", None)
    if getattr(loss, "from_logits", False):
        return OutputKind("sigmoid" if type(loss).__name__.startswith("Binary") else "softmax", True)
    if output.shape[-1] == 1 or type(model).__module__.startswith("wsseg."):
        return OutputKind("sigmoid", True)
    return OutputKind(
        "softmax",
        True,
        f"model `{model.name}` gives logits of {output.shape[-1]} classes; one class per image is assumed, with a "
        "softmax; for several classes per image set `outputs` (--outputs) to sigmoid",
    )
