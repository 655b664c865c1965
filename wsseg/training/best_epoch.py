"""The best epoch of a training by its validation values: which it is, when to stop, and what to say about it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsseg.file_names import HISTORY
from wsseg.recipe import ValidatedTrainingConfig
from wsseg.recipe.decisions import keeps_best
from wsseg.training.history import read_history

SCORES = {"val_miou": "val mIoU", "val_label_map": "val label mAP", "val_map": "val mAP"}
"""Column by which epochs are compared -> its name in words; the first that a history has."""


@dataclass(frozen=True)
class Choice:
    """How the kept epoch is chosen.

    Attributes:
        score: Column by which epochs are compared; higher is better.
        patience: Number of epochs without a better value after which the training stops; 0 for never.
    """

    score: str
    patience: int = 0

    def best(self, history: Sequence[Mapping[str, float]]) -> int | None:
        """Return the number of the best epoch, from 1: the first with the highest value. None without a value.

        Example:
            >>> Choice("val_map").best([{"val_map": 0.5}, {"val_map": 0.7}, {}, {"val_map": 0.7}])
            2
        """
        values = [row.get(self.score, -math.inf) for row in history]
        highest = max(values, default=-math.inf)
        return values.index(highest) + 1 if highest > -math.inf else None

    def stops(self, history: Sequence[Mapping[str, float]]) -> bool:
        """Whether the training stops after the last epoch of a history.

        It stops after an epoch that has a value, if the best epoch lies `patience` epochs back or more.

        Example:
            >>> history = [{"val_map": 0.5}, {"val_map": 0.4}, {}, {"val_map": 0.5}]
            >>> [Choice("val_map", 2).stops(history[:count]) for count in (1, 2, 3, 4)]
            [False, False, False, True]
        """
        if not self.patience or not history or self.score not in history[-1]:
            return False
        best = self.best(history)
        return best is not None and len(history) - best >= self.patience


def describe_course(out: Path, config: ValidatedTrainingConfig, split: str) -> tuple[str, dict[str, Any]]:
    """Describe the validation curve of a finished training in words, and as numbers for the manifest.

    Args:
        out: Folder with `history.csv`.
        config: Options of the training.
        split: Name of the validation split.

    Returns:
        The words, for the end of the stage's line, and the numbers by name; both empty without a curve.
    """
    columns = read_history(out / HISTORY)
    score = next((name for name in SCORES if name in columns), None)
    if score is None:
        return "", {}
    rows = [{score: value} if math.isfinite(value) else {} for value in columns[score]]
    best, epochs = Choice(score).best(rows), len(rows)
    highest, last = rows[best - 1][score], [row[score] for row in rows if row][-1]
    numbers = {"best_epoch": best, f"best_{score}": highest, f"last_{score}": last}
    if not keeps_best(config):
        return f"; curve of {SCORES[score]}: last {last:.3f}, best {highest:.3f} at epoch {best}", numbers
    what = f"{'masks' if score == 'val_miou' else 'labels'} of split `{split}`"
    numbers |= {
        "epochs_trained": epochs,
        "kept_epoch": best,
        "epoch_chosen_on": f"{what}, which is scored; so scores on it are optimistic",
    }
    stopped = f" (stopped early, {config.epochs} planned)" if epochs < config.epochs else ""
    words = f"; kept epoch {best} of {epochs}{stopped}, chosen on the {what}: {SCORES[score]} {highest:.3f}"
    return f"{words}, last {last:.3f}", numbers
