"""What a function from logits to outputs does, found by calling it: softmax, sigmoid, or another bounded activation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LARGEST = 1024
"""Maximum number of logits whose order and groups are looked for, one call with a row for each."""

GRID = np.linspace(-30, 30, 61)


@dataclass(frozen=True)
class Activation:
    """A function from M logits to K outputs.

    Output i belongs to the logit `scale[i] * z[index[i]] + offset[i]`.

    Attributes:
        kind: "softmax", "log_softmax" or "sigmoid"; "bounded" for another function of each logit alone that levels off
            where the output is high; "mixed" for outputs of several kinds.
        index: `(K,)` position of each output's logit among the M logits.
        scale: `(K,)` float64; 1 unless the function itself divides the logits by a temperature; negative where an
            output falls as its logit rises.
        offset: `(K,)` float64.
        probabilities: Whether each output is a probability.
    """

    kind: str
    index: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    probabilities: bool

    @property
    def plain(self) -> bool:
        """Whether the logits are the outputs' own, in their order."""
        in_order = np.array_equal(self.index, np.arange(len(self.index)))
        return in_order and bool((self.scale == 1).all() and (self.offset == 0).all())


def measure(
    function: Callable[[np.ndarray], np.ndarray], count: int, size: int, tolerance: float = 1e-3
) -> Activation | None:
    """Find what a function does with logits, from its values at chosen logits.

    Args:
        function: Function from `(R, count)` logits to `(R, size)` outputs; each row by itself.
        count: Number M of logits.
        size: Number K of outputs.
        tolerance: Largest error of a logarithm; larger for outputs of half precision.

    Returns:
        The function, or None if it is none of these.

    Example:
        >>> found = measure(lambda z: 1 / (1 + np.exp(-z[:, ::-1] / 2)), 2, 2)
        >>> found.kind, found.index.tolist(), found.scale.tolist()
        ('sigmoid', [1, 0], [0.5, 0.5])
    """
    logits = _moderate((4, count)) * [[0.5], [1], [1], [0.7]]
    outputs = function(logits)
    if not np.isfinite(outputs).all():
        return None
    if count == size:  # the usual case, and the only one for very many classes
        every = np.arange(size)
        if (softmax := _softmax(logits, outputs, every, tolerance)) is not None:
            return _of_softmax(*softmax, index=every, size=size)
        if (kept := _log_odds(outputs)) is not None and np.allclose(kept, logits, atol=3 * tolerance):
            return Activation("sigmoid", every, np.ones(size), np.zeros(size), True)
    if max(count, size) > LARGEST:
        return None
    if count == size and (found := _smoothed(function, logits, outputs, tolerance)) is not None:
        return found
    base = logits[:1]
    change = function(base + np.eye(count)) - function(base)  # (count, size)
    if not np.isfinite(change).all():
        return None
    reads = np.abs(change) > np.maximum(1e-5 * np.abs(change).max(axis=0), 1e-12)
    if not reads.any(axis=0).all():
        return None
    return _in_groups(function, logits, outputs, change, reads, tolerance)


def _in_groups(
    function: Callable[[np.ndarray], np.ndarray],
    logits: np.ndarray,
    outputs: np.ndarray,
    change: np.ndarray,
    reads: np.ndarray,
    tolerance: float,
) -> Activation | None:
    """Put together what each output does with the logits that it reads."""
    size = outputs.shape[1]
    index, scale, offset = np.argmax(np.where(reads, change, -np.inf), axis=0), np.ones(size), np.zeros(size)
    kinds, probabilities = set(), True
    alone = reads.sum(axis=0) == 1
    if alone.any():
        index[alone] = np.argmax(reads[:, alone], axis=0)
        curves = function(np.broadcast_to(GRID[:, None], (len(GRID), logits.shape[1])))[:, alone]
        for output, curve in zip(np.flatnonzero(alone), curves.T):
            found = _curve(curve, tolerance)
            if found is None:
                return None
            kind, scale[output], offset[output], is_probability = found
            kinds.add(kind)
            probabilities &= is_probability
    groups: dict[bytes, list[int]] = {}
    for output in np.flatnonzero(~alone):
        groups.setdefault(reads[:, output].tobytes(), []).append(output)
    for members in groups.values():
        group = np.flatnonzero(reads[:, members[0]])
        # Each output of a softmax rises with its own logit alone.
        rising = change[np.ix_(group, members)] > 1e-9
        if (rising.sum(axis=0) != 1).any():
            return None
        own = np.argmax(rising, axis=0)
        if len(set(own)) < len(own):
            return None
        found = _softmax(logits[:, group], outputs[:, members], own, tolerance)
        if found is None:
            return None
        kind, temperature, total = found
        index[members], scale[members] = group[own], temperature
        kinds.add(kind)
        probabilities &= kind == "softmax" and total
    return Activation(kinds.pop() if len(kinds) == 1 else "mixed", index, scale, offset, probabilities)


def _smoothed(
    function: Callable[[np.ndarray], np.ndarray], logits: np.ndarray, outputs: np.ndarray, tolerance: float
) -> Activation | None:
    """Return the activation if it is a softmax with its floor raised for each class, as label smoothing does."""
    size = outputs.shape[1]
    ends = function(60.0 * np.eye(size))  # each class sure, one after the other
    low, high = ends.min(axis=0), np.diag(ends)
    if not (np.isfinite(ends).all() and (low > 0).all() and (high > low).all()):
        return None
    found = _softmax(logits, (outputs - low) / (high - low), np.arange(size), 10 * tolerance)
    if found is None or found[0] != "softmax" or not found[2]:
        return None
    is_probability = bool(np.allclose(outputs.sum(axis=1), 1, atol=1e-3))
    return Activation("softmax", np.arange(size), np.full(size, found[1]), np.zeros(size), is_probability)


def _of_softmax(kind: str, scale: float, total: bool, index: np.ndarray, size: int) -> Activation:
    probabilities = kind == "softmax" and total
    return Activation(kind, index, np.full(size, scale), np.zeros(size), probabilities)


def _softmax(
    logits: np.ndarray, outputs: np.ndarray, own: np.ndarray, tolerance: float
) -> tuple[str, float, bool] | None:
    """Return the kind, the factor of the logits, and whether the outputs are the softmax itself, not a multiple."""
    if logits.shape[1] < 2:
        return None
    if (outputs > 0).all():
        kind, logs = "softmax", np.log(outputs)
    elif (outputs <= 0).all():
        kind, logs = "log_softmax", outputs
    else:
        return None
    scale = 1.0
    if len(own) > 1:
        centred, expected = (x - x.mean(axis=1, keepdims=True) for x in (logs, logits[:, own]))
        scale = _rounded(float((centred * expected).sum() / (expected**2).sum()))
        if not scale > 1e-3:
            return None
    scaled = scale * logits
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    rest = logs - (scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True)))[:, own]
    if np.ptp(rest) > 3 * tolerance * max(1, scale):
        return None
    return kind, scale, bool(abs(rest.mean()) < 3 * tolerance)


def _curve(values: np.ndarray, tolerance: float) -> tuple[str, float, float, bool] | None:
    """Return the kind, the factor and the offset of a function of one logit, and whether it is a probability."""
    probability = values.min() > -1e-6 and values.max() < 1 + 1e-6
    least = 0.02 if tolerance < 5e-3 else 0.05  # beyond, a half-precision probability is too coarse
    clear = (values > least) & (values < 1 - least)
    if probability and clear.sum() > 2:
        logit = _log_odds(values[clear])
        slope, offset = np.polyfit(GRID[clear], logit, 1)
        error = np.abs(logit - slope * GRID[clear] - offset)
        if error.max() < 10 * tolerance and abs(slope) > 1e-2:
            return "sigmoid", _rounded(slope), 0.0 if abs(offset) < 5 * tolerance else float(offset), True
    steps = np.diff(values)
    reach = np.ptp(values)
    sign = np.sign(values[-1] - values[0])
    if not reach > 0 or (sign * steps < -1e-6 * reach).any():
        return None
    high = values[::-1] if sign < 0 else values  # towards the larger output
    if abs(high[-1] - high[-6]) > 5e-3 * reach:  # of softsign and arctan, 3e-3; of a logarithm, 2e-2
        return None
    return "bounded", float(sign), 0.0, bool(probability)


def measure_average(
    function: Callable[[np.ndarray], np.ndarray], members: int, size: int, tolerance: float = 1e-3
) -> tuple[str, np.ndarray] | None:
    """Find whether a function averages the softmaxes, or the sigmoids, of several members' logits.

    Args:
        function: Function from `(R, members * size)` logits, one member after the other, to `(R, size)` outputs.
        members: Number of members.
        size: Number of classes.
        tolerance: Largest error of an output.

    Returns:
        "softmax" or "sigmoid", and the `(members,)` weights; None if it is no such average.

    Example:
        >>> measure_average(lambda z: (0.25 / (1 + np.exp(-z[:, :1])) + 0.75 / (1 + np.exp(-z[:, 1:]))), 2, 1)
        ('sigmoid', array([0.25, 0.75]))
    """
    logits = _moderate((6, members, size))
    outputs = function(logits.reshape(6, -1))
    exponential = np.exp(logits)
    choices = {"sigmoid": exponential / (1 + exponential)}
    if size > 1:
        choices["softmax"] = exponential / exponential.sum(axis=-1, keepdims=True)
    for kind, values in choices.items():
        columns = values.transpose(0, 2, 1).reshape(-1, members)
        weights, *_ = np.linalg.lstsq(columns, outputs.reshape(-1), rcond=None)
        fits = np.abs(columns @ weights - outputs.reshape(-1)).max() < tolerance * np.abs(outputs).max()
        if fits and (weights > 1e-3).all() and abs(weights.sum() - 1) < 1e-2:
            return kind, np.array([_rounded(float(x)) for x in weights])
    return None


def measure_axis(
    function: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...], tolerance: float = 1e-3
) -> tuple[str, bool] | None:
    """Find whether a function of logits of many axes, such as a map of classes, is a softmax over an axis or a sigmoid.

    Args:
        function: Function from `(1, *shape)` logits to outputs of the same shape.
        shape: Shape without the batch axis.
        tolerance: Largest error of a logarithm.

    Returns:
        "softmax", "log_softmax", "sigmoid" or "bounded", and whether the outputs are probabilities; None if it is none.
    """
    logits = _moderate((1, *shape))
    outputs = function(logits)
    if outputs.shape != logits.shape or not np.isfinite(outputs).all():
        return None
    positive = (outputs > 0).all()
    if positive or (outputs <= 0).all():
        logs = np.log(outputs) if positive else outputs
        for axis in range(1, logits.ndim):
            scaled = logits - np.log(np.exp(logits).sum(axis=axis, keepdims=True))
            if shape[axis - 1] > 1 and np.abs(logs - scaled).max() < 3 * tolerance:
                return ("softmax", True) if positive else ("log_softmax", False)
    if (kept := _log_odds(outputs)) is not None and np.abs(kept - logits).max() < 10 * tolerance:
        return "sigmoid", True
    other = logits.copy().reshape(-1)
    other[1::2] += 1
    moved = function(other.reshape(logits.shape)).reshape(-1)
    if not np.allclose(moved[::2], outputs.reshape(-1)[::2], atol=1e-6):
        return None
    # One function for all values: its curve is read off values spread over the grid.
    spread = np.resize(GRID, logits.size)
    if logits.size < len(GRID):
        return None
    found = _curve(function(spread.reshape(logits.shape)).reshape(-1)[: len(GRID)], tolerance)
    return None if found is None or found[1] != 1 else (found[0], found[3])


def _log_odds(values: np.ndarray) -> np.ndarray | None:
    """Return log(p / (1 - p)); None where a value is no probability inside (0, 1)."""
    if not ((values > 0) & (values < 1)).all():
        return None
    return np.log(values) - np.log1p(-values)


def _moderate(shape: tuple[int, ...]) -> np.ndarray:
    """Return random logits in [-2, 2], where probabilities of half precision still tell them."""
    return np.random.default_rng(0).normal(size=shape).clip(-2, 2)


def _rounded(value: float) -> float:
    """Return a measured factor, which is known to four digits, as the simple number that it commonly is."""
    near = round(value, 2)
    return near if abs(value - near) < 5e-4 * max(abs(value), 0.1) else float(value)
