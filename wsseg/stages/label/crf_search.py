"""Search for the parameters of the CRF's appearance kernel on the calibration split, as in DeepLab."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsseg.artifacts import write_json
from wsseg.datasets import Dataset
from wsseg.errors import InputError
from wsseg.file_names import CRF_SEARCH
from wsseg.recipe import LabelConfig
from wsseg.refiners.dense_crf.search import coarse_to_fine
from wsseg.remembered import remembered
from wsseg.stages.crf import with_crf, worker_count
from wsseg.stages.label.pseudo_masks import score_choices

AT_ONCE = 8
"""Number of choices that are scored between two writes of the file."""


def search_crf(config: LabelConfig, level: float, split: Dataset, maps: Path, out: Path) -> dict[str, float]:
    """Search for parameters, and write every trial to `crf_search.json`. Trials in that file are not run again.

    Args:
        config: Options of the pseudo-masks, and values to try.
        level: Background level.
        split: Calibration images, with masks.
        maps: Folder of the calibration images' class maps.
        out: Folder of the label stage.

    Returns:
        The parameters with the highest mIoU.

    Raises:
        InputError: The masks have no scored pixel.
    """
    wanted = config.crf_search
    values = {name: getattr(wanted, name) for name in ("bilateral_weight", "bilateral_sxy", "bilateral_srgb")}
    path = out / CRF_SEARCH
    workers = worker_count(config, (record.image for record in split))
    done = remembered(path, list, lambda rows: all(_is_trial(row, values) for row in rows)) or []

    def score(choices: list[dict[str, float]]) -> list[float]:
        known = {tuple(row["parameters"].values()): row["miou"] for row in done}
        left = [choice for choice in choices if tuple(choice.values()) not in known]
        for start in range(0, len(left), AT_ONCE):
            part = left[start : start + AT_ONCE]
            text = f"CRF search, {len(done) + 1} to {len(done) + len(part)}"
            tried = [(with_crf(config, choice), level) for choice in part]
            for choice, miou in zip(part, score_choices(tried, split, maps, text, workers)):
                if miou is None:
                    raise InputError(
                        f"`label.threshold.split`: the masks of `{split.split}` have no scored pixel; use another split"
                    )
                done.append({"parameters": choice, "miou": miou})
            write_json(path, done)
        known |= {tuple(row["parameters"].values()): row["miou"] for row in done}
        return [known[tuple(choice.values())] for choice in choices]

    trials = coarse_to_fine(score, values, wanted.rounds)
    return max(trials, key=lambda trial: trial.score).parameters


def _is_trial(row: Any, values: Mapping[str, Any]) -> bool:
    numbers = [*row["parameters"].values(), row["miou"]]
    return {*row["parameters"]} == {*values} and all(isinstance(number, int | float) for number in numbers)
