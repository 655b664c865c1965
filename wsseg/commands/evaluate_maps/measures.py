"""All measures of one method, computed image by image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from wsseg.commands.evaluate_maps.options import Options
from wsseg.commands.evaluate_maps.samples import Place, Sample
from wsseg.faithfulness import AverageDrop, InsertionDeletion, Road, Scorer
from wsseg.metrics import EnergyPointingGame, MaxBoxAcc, PixelAveragePrecision, PointingGame, Sparseness

COLUMNS = (
    ("max_box_acc", "max_box_acc_v2", "MaxBox+", 3),
    ("pxap", "pxap", "PxAP+", 3),
    ("pointing_game", "pointing_game", "point+", 3),
    ("energy_pointing_game", "box", "energy box+", 3),
    ("energy_pointing_game", "mask", "mask+", 3),
    ("sparseness", "sparseness", "sparse", 3),
    ("insertion_deletion", "insertion", "insert+", 3),
    ("insertion_deletion", "deletion", "delete-", 3),
    ("average_drop", "average_drop", "drop %-", 1),
    ("average_drop", "increase_in_confidence", "rise %+", 1),
    ("road", "gap", "ROAD+", 3),
    ("parameter_randomisation", "final_rank_correlation", "random rank-", 3),
    ("parameter_randomisation", "final_ssim", "SSIM-", 3),
)
"""Columns of the table: measure, key of its result, heading (+ higher is better, - lower is better), digits."""


class Measures:
    """Measures of one method, without parameter randomisation, which needs the method itself.

    Args:
        names: Names of measures, from `options.MEASURES`.
        options: Options with the measures' settings.
        scorer: Scorer of the model.
    """

    def __init__(self, names: Sequence[str], options: Options, scorer: Scorer):
        self.boxes = MaxBoxAcc() if "max_box_acc" in names else None
        self.pixels = PixelAveragePrecision() if "pxap" in names else None
        self.point = PointingGame(options.tolerance) if "pointing_game" in names else None
        self.energy: dict[str, EnergyPointingGame] = {}
        if "energy_pointing_game" in names:
            self.energy = {"box": EnergyPointingGame(), "mask": EnergyPointingGame()}
        self.sparse = Sparseness() if "sparseness" in names else None
        self.model: dict[str, Any] = {}
        if "insertion_deletion" in names:
            self.model["insertion_deletion"] = InsertionDeletion(
                scorer, options.steps, options.fill, options.start, seed=options.seed
            )
        if "average_drop" in names:
            self.model["average_drop"] = AverageDrop(scorer)
        if "road" in names:
            self.model["road"] = Road(scorer, options.shares, seed=options.seed)
        self.without_object = 0

    def update(
        self, sample: Sample, image: np.ndarray, maps: np.ndarray, places: Sequence[Place | None]
    ) -> None:
        """Measure the maps of one image.

        Args:
            sample: Sample of the image, with its targets.
            image: `(h, w, 3)` RGB in [0, 255], at the model's input size.
            maps: `(T, h, w)` in [0, 1], one map per target.
            places: Location of each target in the image, or None if the mask does not show it; empty if no measure
                needs locations.
        """
        for target, map_hw in zip(sample.targets, maps):
            if self.sparse is not None:
                self.sparse.update(map_hw)
            for measure in self.model.values():
                measure.update(image, map_hw, target)
        for label, map_hw, place in zip(sample.labels, maps, places):
            if place is None:
                self.without_object += 1
            else:
                self._localise(label, resized(map_hw, place.object_hw.shape), place)

    def _localise(self, label: str, map_hw: np.ndarray, place: Place) -> None:
        if self.boxes is not None:
            self.boxes.update(map_hw, place.boxes_xyxy)
        if self.pixels is not None:
            self.pixels.update(map_hw, place.object_hw, place.ignored_hw)
        if self.point is not None:
            self.point.update(map_hw, place.object_hw, label)
        if self.energy:
            boxes = np.zeros(map_hw.shape, bool)
            for left, top, right, bottom in place.boxes_xyxy:
                boxes[top:bottom, left:right] = True
            self.energy["box"].update(map_hw, boxes)
            self.energy["mask"].update(map_hw, place.object_hw, place.ignored_hw)

    def result(self) -> dict[str, Any]:
        """Return `measure -> its results and settings`."""
        found: dict[str, Any] = {}
        for name, measure in (
            ("max_box_acc", self.boxes),
            ("pxap", self.pixels),
            ("pointing_game", self.point),
        ):
            if measure is not None:
                found[name] = measure.result()
        if self.energy:
            parts = {name: game.result() for name, game in self.energy.items()}
            found["energy_pointing_game"] = {k: v["energy_pointing_game"] for k, v in parts.items()} | {
                k: parts["mask"][k] for k in ("maps", "empty")
            }
        for name in found:
            found[name]["without_object"] = self.without_object
        if self.sparse is not None:
            found["sparseness"] = self.sparse.result()
        return found | {name: measure.result() for name, measure in self.model.items()}


def resized(map_hw: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Resize a map bilinearly to `(H, W)` float32, as `wsseg explain` does."""
    image = Image.fromarray(np.ascontiguousarray(map_hw, np.float32))
    return np.clip(np.asarray(image.resize(size_hw[::-1], Image.Resampling.BILINEAR)), 0, 1)
