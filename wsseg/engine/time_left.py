"""About how long a run will still take: a rough cost of each stage, calibrated by what is done."""

import contextlib
import math
import time
from collections.abc import Callable, Mapping

from wsseg.artifacts import Manifest
from wsseg.engine.states import States
from wsseg.errors import InputError
from wsseg.stages import STAGES, plan
from wsseg.stages.plan_costs import Cost, Sizes

CRF_SECONDS = 1e-6
"""Seconds per pixel of the dense CRF while no stage has measured it: its order of magnitude on one CPU core."""

LOOKED_AT = 32
"""Maximum number of images whose sizes are read."""


class TimeLeft:
    """Estimates the time left of a run.

    A stage takes `r network + c crf` seconds (see `wsseg.stages.plan_costs`). r and c are sums of seconds over sums of
    costs, each over the stages that have cost of its kind alone: those that are done, and the one that runs, whose
    seconds are the elapsed ones and those that its progress bar expects. c is 1e-6 until it is measured. r is not known
    before the first bar; until then there is no estimate.

    The stage that runs will still take as long as its bar expects. If the bar covers only a part of the stage, which is
    assumed of all bars but those of training steps, it takes at least what the model says for the stage without the
    time that has passed.

    Args:
        costs: Cost of each stage of the run, in order.
        seconds: Measured seconds of the stages that are done; None if they are done but not wholly measured.
        clock: Function that returns the time in seconds.
    """

    def __init__(
        self,
        costs: Mapping[str, Cost],
        seconds: Mapping[str, float | None],
        clock: Callable[[], float] = time.monotonic,
    ):
        self.costs, self.seconds, self.clock = dict(costs), dict(seconds), clock
        self.running: str | None = None
        self.began = 0.0

    def start(self, name: str) -> None:
        """Say that a stage begins."""
        self.running, self.began = name, self.clock()
        self.seconds.pop(name, None)

    def finish(self, whole: bool = True) -> None:
        """Say that the stage is done; `whole` is false if an earlier process has done a part of it."""
        if self.running is not None:
            self.seconds[self.running] = self.clock() - self.began if whole else None
            self.running = None

    def __call__(self, left: float, unit: str, share: float) -> float | None:
        """Return the seconds that the run will still take; None if that is not known.

        Args:
            left: Seconds that the bar expects to take still.
            unit: Unit of the bar, such as "steps".
            share: Share of the bar's work that this process does; less than 1 if the stage was resumed.
        """
        if self.running is None:
            return None
        elapsed, cost = self.clock() - self.began, self.costs[self.running]
        steps = unit == "steps" and self.running != "relabel"  # which trains once per round
        measured = [(self.costs[name], value) for name, value in self.seconds.items() if value is not None]
        if not steps:
            predicted = self._seconds(cost, measured)
            left = left if predicted is None else max(left, share * predicted - elapsed)
        measured.append((cost.times(share), elapsed + left))
        later = [self._seconds(self.costs[name], measured) for name in self._later()]
        return None if None in later else left + sum(later)

    def _later(self) -> list[str]:
        return [name for name in self.costs if name not in self.seconds and name != self.running]

    @staticmethod
    def _seconds(cost: Cost, measured: list[tuple[Cost, float]]) -> float | None:
        """Return the seconds that the model gives; None if a rate that it needs is not known."""
        network = [(one.network, value) for one, value in measured if one.network and not one.crf]
        crf = [(one.crf, value) for one, value in measured if one.crf and not one.network]
        if cost.network and not network:
            return None
        r = sum(value for _, value in network) / sum(amount for amount, _ in network) if network else 0.0
        c = sum(value for _, value in crf) / sum(amount for amount, _ in crf) if crf else CRF_SECONDS
        return r * cost.network + c * cost.crf


def time_left_of(states: States) -> TimeLeft:
    """Return the estimate for a run, with the times of the stages that are done already.

    Args:
        states: States of the run's stages.
    """
    splits = states.definitions.splits
    recipe, train = splits.recipe, splits.train()
    some = [train[index * len(train) // LOOKED_AT] for index in range(LOOKED_AT)]
    pixels = []
    for record in some:
        with contextlib.suppress(InputError):  # the stages set a broken image aside
            pixels.append(math.prod(train.size_hw(record)))
    mean = sum(pixels) / max(len(pixels), 1)
    sizes = Sizes(len(train), len(splits.open(recipe.dataset.val)), mean)
    seconds: dict[str, float | None] = {}
    for name in plan(recipe):
        if states.done(name):
            manifest = Manifest.load(states.folder(name))
            seconds[name] = None if manifest.resumed else manifest.wall_seconds
    return TimeLeft({name: STAGES[name].cost(recipe, sizes) for name in plan(recipe)}, seconds)
