"""The scores before a model's final softmax or sigmoid, found by what the last operations do, not by their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from wsseg.explainers.final_operations import DIRECT, FREE, VALUES, Source, runner, without_weights
from wsseg.explainers.graph_part import Part, node_of
from wsseg.explainers.measured_activation import Activation, measure, measure_average, measure_axis
from wsseg.explainers.pre_activation import ArrangedLogits, AveragedLogits

STEPS = 100
"""Maximum number of operations between an output and its logits."""


@dataclass(frozen=True)
class Logits:
    """The scores before an output's final activation.

    Attributes:
        tensor: The scores, a symbolic tensor of the output's shape; the output itself if it has no such activation.
        kind: "softmax", "log_softmax", "sigmoid", "bounded" (another activation that levels off, such as a hard
            sigmoid or tanh), "mixed", or "none": the output is the score.
        probabilities: Whether each value of the output is a probability.
        known: False if the end of the model could not be followed, so that the output may be a probability whose
            gradient vanishes.
        note: What was assumed, for a warning; None if nothing was.
        exact: Whether the activation takes these logits as they are, without a factor that was measured.
    """

    tensor: Any
    kind: str = "none"
    probabilities: bool = False
    known: bool = True
    note: str | None = None
    exact: bool = True


def logits_of(output: Any) -> Logits:
    """Follow a model's output back to the scores before its final softmax or sigmoid.

    Gradients of probabilities vanish if the model is confident; Selvaraju et al. (Grad-CAM, section 3)
    therefore use the score before the softmax. The operations without weights at the model's end are cut off one after
    the other, and what they do together is measured by calling them, until it is a softmax or sigmoid: so it does not
    matter how the activation is written, nor what is reshaped, joined, cast or clipped after it. A layer that contains
    its activation is called without it; it keeps its weights. If several softmaxes or sigmoids are averaged, the
    average has no logit; the mean of the members' logits takes its place.

    Args:
        output: An output tensor of a functional model without nested models.

    Returns:
        The logits; values of them are those at which the activation gives the output.
    """
    order = without_weights(output)
    cut, best, sources = [output], None, []
    for _ in range(STEPS):
        sources = [Source(x) for x in cut]
        best = _better(best, _matched(sources, output) or _resized(sources, output))
        inner = [x for x in cut if id(x) in order]
        if not inner:
            break
        last = max(inner, key=lambda x: order[id(x)])
        before = node_of(last).input_tensors
        cut = list({id(x): x for x in [y for y in cut if y is not last] + list(before)}.values())
    return best or Logits(output, known=_exceeds_one(sources, output))


def _better(one: Logits | None, other: Logits | None) -> Logits | None:
    """Return the logits of two cuts that are to be explained, `other` of the cut nearer to the image.

    A bounded activation may clip probabilities. A softmax is the same if a number is subtracted from all its logits,
    such as their maximum, so the logits before the subtraction are wanted. Otherwise the nearer cut to the output
    counts, whose logits need no factor.
    """
    if one is None or other is None:
        return one or other
    if one.kind == "bounded" and other.kind != "bounded":
        return other
    return other if other.kind == one.kind and other.exact and other.note == one.note else one


def _matched(sources: Sequence[Source], output: Any) -> Logits | None:
    """Return the logits if the operations behind a cut are an activation."""
    floating = all(keras.backend.is_float_dtype(x.dtype) for x in [output, *(s.tensor for s in sources)])
    if not floating or (sources[0].tensor is output and sources[0].part is None):
        return None
    if any(len(x.shape) < 2 for x in (output, *(s.tensor for s in sources))):
        return None
    types = {keras.backend.standardize_dtype(x.dtype) for x in (output, *(s.tensor for s in sources))}
    tolerance = 1e-3 if types <= {"float32", "float64"} else 2e-2
    try:
        if len(output.shape) > 2 and len(sources) == 1 and _fits(sources[0].tensor, output):
            return _matched_axes(sources[0], output, tolerance)
        return _matched_row(sources, output, tolerance)
    except Exception:  # an operation may refuse values of its own making; then it can't be measured
        return None


def _fits(tensor: Any, output: Any) -> bool:
    return tuple(tensor.shape[1:]) == tuple(output.shape[1:])


def _matched_axes(source: Source, output: Any, tolerance: float) -> Logits | None:
    shape = tuple(side or FREE for side in output.shape[1:])
    if source.tensor is output:  # the activation alone, which takes any size
        shape = (*(min(side, FREE) for side in shape[:-1]), shape[-1])
    if np.prod(shape) > VALUES:
        return None
    run = runner([source], output, [shape])
    found = measure_axis(lambda z: run([z]), shape, tolerance)
    return None if found is None else Logits(source.logits, *found)


def _matched_row(sources: Sequence[Source], output: Any, tolerance: float) -> Logits | None:
    shapes = [tuple(s.tensor.shape[1:]) for s in sources]
    shape = tuple(output.shape[1:])
    if None in shape or any(None in one for one in shapes):
        return None
    counts, size = [int(np.prod(one)) for one in shapes], int(np.prod(shape))
    if max(sum(counts), size) * len(shapes) > VALUES // 64 or sum(counts) > 8 * size + 64:
        return None
    run = runner(sources, output, shapes)

    def function(values: np.ndarray) -> np.ndarray:
        parts = np.split(values, np.cumsum(counts)[:-1], axis=1)
        given = [part.reshape(-1, *one) for part, one in zip(parts, shapes)]
        return run(given).reshape(len(values), size)

    found: Activation | None = measure(function, sum(counts), size, tolerance)
    if found is not None:
        if len(sources) == 1 and found.plain and shapes[0] == shape:
            tensor = sources[0].logits
        else:
            tensor = ArrangedLogits(found.index, found.scale, found.offset, shape)(
                [s.logits for s in sources]
            )
        return Logits(tensor, found.kind, found.probabilities, exact=bool((found.scale == 1).all()))
    if len(sources) > 1 and set(counts) == {size}:
        average = measure_average(function, len(sources), size, tolerance)
        if average is not None:
            kind, weights = average
            tensor = AveragedLogits(weights, shape)([s.logits for s in sources])
            note = (
                f"an output of the model is the mean of {len(sources)} {kind} outputs, which has no logit of its own; "
                "the mean of their logits is explained"
            )
            return Logits(tensor, kind, True, note=note)
    return None


def _resized(sources: Sequence[Source], output: Any) -> Logits | None:
    """Return the logits of a map of classes that is resized, cropped or turned after its activation.

    Where cells are averaged, as in enlarging, the same is done with their logits.
    """
    if len(sources) > 1 or sources[0].tensor is output or len(sources[0].tensor.shape) < 3:
        return None
    (source,) = sources
    before = _matched([source], source.tensor)
    if before is None:  # the activation may be an operation of its own
        inner = node_of(source.tensor)
        if getattr(inner.operation, "weights", None) or len(inner.input_tensors) != 1:
            return None
        before = _matched([Source(inner.input_tensors[0])], source.tensor)
    if before is None or not keras.backend.is_float_dtype(output.dtype):
        return None
    shape = tuple(side or FREE for side in source.tensor.shape[1:])
    rows = source.tensor.shape[0] or 2
    if rows * np.prod(shape) > VALUES:
        return None
    tail = Part([source.tensor], [output])
    one, other = np.random.default_rng(0).normal(size=(2, rows, *shape)).astype(np.float32)

    def run(values: np.ndarray) -> np.ndarray:
        given = keras.ops.convert_to_tensor(values, source.tensor.dtype)
        return np.asarray(keras.ops.cast(tail([given])[0], "float32"))

    try:
        linear = np.allclose(run(one - 2 * other), run(one) - 2 * run(other), atol=1e-2)
        if not linear or not np.allclose(run(np.ones_like(one)), 1, atol=1e-2):
            return None
        mixes = not np.allclose(run(one**2), run(one) ** 2, atol=1e-2)
        (tensor,) = tail([before.tensor])
    except Exception:  # an operation refuses values of our making
        return None
    note = None
    if mixes and len(output.shape) < len(source.tensor.shape):
        note = f"an output of the model is a mean of {before.kind} outputs; the mean of their logits is explained"
    return Logits(tensor, before.kind, before.probabilities, note=note)


def _exceeds_one(sources: Sequence[Source], output: Any) -> bool:
    """Return whether an output is surely no probability, as its last operations give numbers outside [0, 1]."""
    if sources[0].tensor is output:
        given = node_of(output).input_tensors
        linear = (keras.activations.linear, keras.activations.relu)
        if type(sources[0].operation) in DIRECT and sources[0].operation.activation in linear:
            return True
    else:
        given = [s.tensor for s in sources]
    shapes = [tuple(side or FREE for side in x.shape[1:]) for x in given]
    if not given or sum(np.prod(shape) for shape in shapes) > VALUES:
        return False
    random = np.random.default_rng(0)
    try:
        values = [
            keras.ops.convert_to_tensor(30 * random.normal(size=(x.shape[0] or 2, *shape)), x.dtype)
            for x, shape in zip(given, shapes)
        ]
        if sources[0].tensor is not output:
            values = [x if s.activate is None else s.activate(x) for x, s in zip(values, sources)]
        found = np.asarray(keras.ops.cast(Part(given, [output])(values)[0], "float32"))
    except Exception:  # the operations refuse values of our making: what they give is unknown
        return False
    return bool((found < -0.01).any() or (found > 1.01).any())
