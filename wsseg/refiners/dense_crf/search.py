"""Search for parameters of the CRF: first a coarse grid, then finer grids around the best parameters."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from wsseg.errors import InputError


class Trial(NamedTuple):
    """One choice of parameters."""

    parameters: dict[str, float]
    score: float
    round: int


def coarse_to_fine(
    score: Callable[[list[dict[str, float]]], Sequence[float]],
    values: Mapping[str, Sequence[float]],
    rounds: int = 2,
) -> list[Trial]:
    """Try every combination of given values, then finer grids around the best one. Each round halves the log spacing.

    Args:
        score: Function that scores several choices at once; higher is better. Each choice is scored only once.
        values: Values of the first round for each parameter, positive and rising.
        rounds: Number of grids.

    Returns:
        All trials, in the order of the search. If several have the best score, the first counts as the best.

    Raises:
        InputError: A parameter has no values, its values are not positive and rising, or `rounds` is below 1.

    Example:
        >>> trials = coarse_to_fine(lambda choices: [-abs(c["sxy"] - 50) for c in choices], {"sxy": [30, 80]})
        >>> [(trial.parameters["sxy"], trial.round) for trial in trials]
        [(30, 1), (80, 1), (18.4, 2), (49.0, 2)]

    References:
        Chen et al., DeepLab, 2016 (v2), section 4.1: the appearance kernel's weight and deviations by a coarse-to-fine
        search on 100 images, the smoothness kernel fixed. The ratios are our own.
    """
    if rounds < 1:
        raise InputError(f"`rounds` must be 1 or more; got {rounds}; try 2")
    for name, row in values.items():
        if not row or any(low >= high for low, high in itertools.pairwise([0, *row])):
            raise InputError(f"`{name}` must be a list of positive and rising values; got {list(row)}")
    grid, found = {name: list(row) for name, row in values.items()}, {}
    for number in range(1, rounds + 1):
        choices = [dict(zip(grid, choice)) for choice in itertools.product(*grid.values())]
        new = [choice for choice in choices if tuple(choice.values()) not in found]
        for choice, value in zip(new, score(new), strict=True):
            found[tuple(choice.values())] = Trial(choice, float(value), number)
        best = max(found.values(), key=lambda trial: trial.score)
        grid = {name: around(grid[name], best.parameters[name]) for name in grid}
    return list(found.values())


def around(row: Sequence[float], value: float) -> list[float]:
    """Return a value of a row between two new values, at half the log distance of its neighbours, to three digits.

    At an end of the row, the ratio to the only neighbour is used on both sides. A row of one value does not change.

    Example:
        >>> around([1, 4, 100], 4), around([10, 40], 40), around([7], 7)
        ([2.0, 4, 20.0], [20.0, 40, 80.0], [7])
    """
    nearest = min(range(len(row)), key=lambda index: abs(row[index] - value))
    below = value / row[nearest - 1] if nearest else None
    above = row[nearest + 1] / value if nearest + 1 < len(row) else None
    if below is None and above is None:
        return list(row)
    low, high = below or above, above or below
    return [float(f"{value / low**0.5:.3g}"), value, float(f"{value * high**0.5:.3g}")]
