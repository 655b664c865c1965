"""The masks of a run's training images: those that its stages made, and those that the user has corrected."""

import shlex
from pathlib import Path

import numpy as np

from wsseg.annotations.coloured_masks import palette_code, read_coloured_mask
from wsseg.datasets import Dataset, Record
from wsseg.engine.made_files import MadeFiles
from wsseg.errors import InputError
from wsseg.file_names import DATA, MANIFEST, MASKS
from wsseg.recipe.decisions import fully_supervised
from wsseg.recipe.of_run import recipe_of_run
from wsseg.stages import STAGES, plan
from wsseg.supervision.corrected_masks import corrected_files, read_corrected_mask
from wsseg.supervision.splits import Splits


class ImageNames:
    """The names under which other programs know images: their files', without suffix; or their ids if these repeat.

    Args:
        dataset: The images.
    """

    def __init__(self, dataset: Dataset):
        self._records = {record.id: record for record in dataset}
        files: dict[str, list[Record]] = {}
        for record in dataset:
            files.setdefault(record.image.stem, []).append(record)
        self._by_file = {name: found[0] for name, found in files.items() if len(found) == 1}

    def find(self, name: str) -> Record | None:
        """Return the image of this id or, if there is none, the only one of this file name."""
        return self._records.get(name) or self._by_file.get(name)

    def of(self, record: Record) -> str:
        """Return a name by which `find` returns the image."""
        return record.image.stem if self.find(record.image.stem) is record else record.id


class RunMasks:
    """Masks of a run folder.

    Args:
        run: Run folder.

    Attributes:
        splits: Splits of the run's dataset.
        train: Training images, without masks.
        stages: Names of the run's stages that make masks and are made, the last first.
        corrected: Image id -> file of the corrected mask.

    Raises:
        InputError: It is no run folder, or its recipe makes no masks.
    """

    def __init__(self, run: Path):
        recipe = recipe_of_run(run)
        if fully_supervised(recipe):
            raise InputError(
                f"{run} trains on the dataset's own masks (`segment.train_on: true_masks`) and makes none; correct the "
                "dataset's masks"
            )
        self.run = run
        self.recipe = recipe
        self.splits = Splits(recipe, run / DATA)
        self.train: Dataset = self.splits.train()
        planned = [name for name in ("relabel", "label") if name in plan(recipe)]
        self.stages = [name for name in planned if (self.folder(name) / MANIFEST).exists()]
        self.corrected = corrected_files(self.splits.corrected)
        self._edited = {name: self._edited_in(name) for name in self.stages}

    def folder(self, stage: str) -> Path:
        """Return the folder of a stage."""
        return self.run / STAGES[stage].folder

    def _edited_in(self, stage: str) -> frozenset[str]:
        return frozenset(Path(path).stem for path in MadeFiles(self.folder(stage)).damage().edited_masks)

    def edited(self) -> dict[str, Path]:
        """Return the masks with another content than their stage wrote: image id -> file.

        Raises:
            InputError: A mask of one image was edited in two stages.
        """
        found: dict[str, Path] = {}
        for stage in self.stages:
            for id in sorted(self._edited[stage]):
                path = self.folder(stage) / MASKS / f"{id}.png"
                if id in found:
                    raise InputError(
                        f"{found[id]} and {path} were both edited; give the one to use: "
                        f"`wsseg correct {shlex.quote(str(self.run))} {shlex.quote(str(path))}`"
                    )
                found[id] = path
        return found

    def made(self, record: Record) -> list[np.ndarray]:
        """Return the masks of an image as the stages made them; a mask that was edited since is left out."""
        return [
            mask
            for stage in self.stages
            if record.id not in self._edited[stage] and (mask := self._read(stage, record)) is not None
        ]

    def has(self, record: Record) -> bool:
        """Return whether an image has a corrected mask or one that a stage made."""
        return record.id in self.corrected or any(
            (self.folder(stage) / MASKS / f"{record.id}.png").exists() for stage in self.stages
        )

    def current(self, record: Record) -> np.ndarray | None:
        """Return the mask that counts for an image: the corrected one, or that of the last stage; None for none."""
        if record.id in self.corrected:
            return read_corrected_mask(self.corrected[record.id], self.train, record)
        return next((mask for stage in self.stages if (mask := self._read(stage, record)) is not None), None)

    def _read(self, stage: str, record: Record) -> np.ndarray | None:
        path = self.folder(stage) / MASKS / f"{record.id}.png"
        if not path.exists():
            return None
        code = palette_code(len(self.train.classes))
        return read_coloured_mask(path, code, self.train.size_hw(record))[0]
