"""Kinds of a classifier's outputs: probabilities of one class or several, logits that become such, or plain scores."""

import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from wsseg.errors import InputError
from wsseg.places.class_odds import outputs_of

OUTPUTS = ("auto", "probabilities", "softmax", "sigmoid")
"""Choices of `--outputs`, as in `wsseg.faithfulness.Scorer`."""

SUM_TOLERANCE = 1e-3
"""Largest difference from 1 of the sum of a softmax; float16 rounds 1,000 of its values by less."""


@dataclass(frozen=True)
class ScoreKind:
    """What a classifier's outputs are.

    Attributes:
        several: Whether an image may have several classes (sigmoid), each with a probability of its own.
        name: "probability", or "score" if it is not known how the outputs become probabilities.
        logits: Whether a softmax or sigmoid makes the outputs probabilities.
    """

    several: bool
    name: str = "probability"
    logits: bool = False

    def __call__(self, outputs: np.ndarray) -> np.ndarray:
        """Return the probabilities `(..., K)` float32 of outputs, or the outputs if they are plain scores."""
        values = np.asarray(outputs, np.float32)
        if not self.logits:
            return values
        if self.several:
            return (0.5 * (1 + np.tanh(0.5 * values))).astype(np.float32)  # the sigmoid, without overflow
        values = np.exp(values - values.max(axis=-1, keepdims=True))
        return values / values.sum(axis=-1, keepdims=True)

    @property
    def described(self) -> str:
        """The kind in a few words, for a table."""
        if self.name == "score":
            return "score"
        return (
            "probability, several classes per image" if self.several else "probability, one class per image"
        )


SOFTMAX, SIGMOID, SCORE = ScoreKind(False), ScoreKind(True), ScoreKind(False, "score")
SOFTMAX_LOGITS, SIGMOID_LOGITS = ScoreKind(False, logits=True), ScoreKind(True, logits=True)

KINDS = {
    "softmax": SOFTMAX,
    "sigmoid": SIGMOID,
    "softmax_logits": SOFTMAX_LOGITS,
    "sigmoid_logits": SIGMOID_LOGITS,
}
"""The kinds by their names in `wsseg.places.class_odds`."""


def score_kind(
    model: keras.Model, path: Path | None, stated: str, measure: Callable[[], np.ndarray]
) -> ScoreKind:
    """Find the kind of a classifier's outputs.

    In this order: what the user states; a final softmax or sigmoid of the model; that this package's classifiers give
    logits for a sigmoid; the loss in the model's file, if it was compiled with `from_logits=True`; and the outputs
    themselves: of each image they add up to 1 (softmax), or they stay in [0, 1], also for values far out of range. One
    number of a linear layer stays a score: it may be a logit, or what a regression gives.

    Args:
        model: A classifier with outputs `(B, K)`.
        path: Its file, or None.
        stated: One of `OUTPUTS`.
        measure: Function that returns outputs `(n, K)` of a few different images.

    Raises:
        InputError: `stated` is none of `OUTPUTS`.
    """
    if stated not in OUTPUTS:
        raise InputError(f"--outputs must be one of {', '.join(OUTPUTS)}; got {stated!r}")
    if stated == "probabilities":
        return SOFTMAX if _sum_to_one(measure()) else SIGMOID
    if stated != "auto":
        return SIGMOID_LOGITS if stated == "sigmoid" else SOFTMAX_LOGITS
    try:
        found = KINDS[outputs_of(model)]
    except InputError:  # it ends in neither
        found = SCORE
    if not found.logits and found is not SCORE:
        return found
    if type(model).__module__.startswith("wsseg."):
        return SIGMOID_LOGITS
    loss = _loss_of(path)
    if loss.get("config", {}).get("from_logits") is True:
        return SIGMOID_LOGITS if loss["class_name"].startswith("Binary") else SOFTMAX_LOGITS
    if found.logits and model.outputs[0].shape[-1] > 1:
        return found
    measured = measure()
    if _sum_to_one(measured):
        return SOFTMAX
    if measured.min() >= 0 and measured.max() <= 1 and not _ends_in_weights(model):
        return SIGMOID
    return SCORE


def _sum_to_one(outputs: np.ndarray) -> bool:
    sums = outputs.sum(axis=-1)
    return outputs.shape[-1] > 1 and outputs.min() >= 0 and bool((np.abs(sums - 1) < SUM_TOLERANCE).all())


def _ends_in_weights(model: keras.Model) -> bool:
    """Tell whether the last operation is a layer with weights; without an activation it may give any value."""
    last: Any = model
    while isinstance(last, keras.Model) and getattr(last, "outputs", None):
        last = last.outputs[0]._keras_history.operation
    activation = getattr(getattr(last, "activation", None), "__name__", "linear")
    return bool(getattr(last, "weights", [])) and activation == "linear"


def _loss_of(path: Path | None) -> dict[str, Any]:
    """Return the configuration of the loss that a model's file was compiled with; an empty one if there is none."""
    config: Any = None
    try:
        if path is not None and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:
                config = json.loads(file.read("config.json")).get("compile_config")
        elif path is not None and path.is_file() and h5py.is_hdf5(path):
            with h5py.File(path) as file:
                config = json.loads(file.attrs.get("training_config", "{}"))
    except (OSError, KeyError, ValueError, AttributeError, RecursionError, zipfile.BadZipFile, zlib.error):
        return {}  # the file was loaded; how it was compiled is not known
    loss = config.get("loss") if isinstance(config, dict) else None
    return loss if isinstance(loss, dict) and isinstance(loss.get("class_name"), str) else {}
