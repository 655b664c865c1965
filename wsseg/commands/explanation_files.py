"""The files that `wsseg explain` writes: overlays, maps, sheets, scores."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.artifacts import write_atomically
from wsseg.commands.classifiers import LoadedModel
from wsseg.commands.photographs import Maps, Sight
from wsseg.commands.protected_files import ProtectedFiles
from wsseg.file_names import CLASS_SCORES, CONTACT_SHEET, EXPLAINED_WITH, MAPS, OVERLAYS
from wsseg.report.contact_sheet import page_name
from wsseg.report.overlay import in_gray, overlay

QUALITY = 90
"""JPEG quality of the overlays."""


class ExplanationFiles:
    """The folder `--out` of `wsseg explain`.

    With one method, an overlay is `overlays/ID/CLASS.jpg` and an image's maps are `maps/ID.npz`; with several, a folder
    of the method's name stands before ID.

    Args:
        out: The folder.
        methods: Names of the methods.
        protected: Files that must not be written over.
    """

    def __init__(self, out: Path, methods: Sequence[str], protected: ProtectedFiles):
        self.out, self.protected = out, protected
        self._parts = {method: (plain_name(method),) if len(methods) > 1 else () for method in methods}

    def overlays(self, id: str, method: str, classes: Sequence[tuple[int, str, float]]) -> list[Path]:
        """Return the overlay of each class, whose names differ also where their letters do not."""
        folder = self.out.joinpath(OVERLAYS, *self._parts[method], id)
        found: dict[str, Path] = {}
        for index, name, _ in classes:
            stem = plain_name(name) or str(index)
            if stem.lower() in found:
                stem = f"{stem}_{index}"
            found[stem.lower()] = folder / f"{stem}.jpg"
        return list(found.values())

    def maps(self, id: str, method: str) -> Path:
        """Return the file of an image's maps."""
        return self.out.joinpath(MAPS, *self._parts[method], f"{id}.npz")

    def check(self, ids: Sequence[str], kinds: Sequence[str]) -> None:
        """Fail where a file that is known before the images are read would be written over an input."""
        sheets = [self.out / f"{id}{suffix}.png" for id in ids for suffix in ("", "_classes", "_scales")]
        maps = [self.maps(id, method) for id in ids for method in self._parts]
        pages = [self.out / page_name(CONTACT_SHEET, number) for number in range(1, 4)]
        own = [self.out / CLASS_SCORES, self.out / EXPLAINED_WITH, *pages]
        self.protected.check(*own, *maps, *(sheets if set(kinds) - {"overlays"} else ()))

    @staticmethod
    def overlay(image: np.ndarray, map_hw: np.ndarray) -> np.ndarray:
        """Paint a map over an image in gray, as the sheets do."""
        return overlay(in_gray(image), np.clip(map_hw, 0, 1))

    def write_overlay(self, path: Path, picture: np.ndarray) -> None:
        """Write a picture as JPEG."""
        self.protected.check(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(picture)
        write_atomically(path, lambda file: image.save(file, format="JPEG", quality=QUALITY))

    def write_maps(
        self, id: str, method: str, photograph: Path, sight: Sight, maps: Maps, classifier: LoadedModel
    ) -> Path:
        """Write the maps of an image by one method as `.npz`, with all that tells what they are.

        Keys: `maps`, `(T, H, W)` float32 in [0, 1] at the image's own size, each divided by its maximum; `raw`,
        `(T, h, w)` float32 unscaled at the layer's size, where the method has it; `classes`, `class_indices` and
        `scores` (of each of the T classes; `score_kind` says what these are); `method`, `layer`, `image`,
        `image_size_hw` and `model_size_hw` (to which the image was resized).
        """
        explainer = classifier.explainer(method)
        values = {
            "maps": maps.maps.astype(np.float32),
            "classes": np.array([name for _, name, _ in sight.classes]),
            "class_indices": np.array([index for index, _, _ in sight.classes], np.int32),
            "scores": np.array([score for _, _, score in sight.classes], np.float32),
            "score_kind": np.array(classifier.kind.described),
            "method": np.array(method),
            "layer": np.array(explainer.layer),
            "image": np.array(str(photograph)),
            "image_size_hw": np.array(sight.image.shape[:2], np.int32),
            "model_size_hw": np.array(sight.batch.shape[1:3], np.int32),
        }
        if maps.raw is not None:
            values["raw"] = maps.raw.astype(np.float32)
        path = self.maps(id, method)
        self.protected.check(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: np.savez_compressed(file, **values))
        return path

    def write_scores(
        self, scores: Mapping[str, tuple[Path, np.ndarray]], names: Sequence[str], classifier: LoadedModel
    ) -> Path:
        """Write the scores of all images and classes as CSV: id, image, kind of the scores, and a column per class."""
        text = io.StringIO(newline="")
        table = csv.writer(text)
        table.writerow(["id", "image", "scores", *names])
        for id, (photograph, row) in scores.items():
            table.writerow([id, photograph, classifier.kind.described, *(f"{value:.6g}" for value in row)])
        path = self.out / CLASS_SCORES
        self.protected.check(path)
        write_atomically(path, lambda file: file.write(text.getvalue().encode()))
        return path


def plain_name(name: str) -> str:
    """Return a name as a file name: all that is no letter, digit, dot, plus or minus becomes _.

    Example:
        >>> plain_name("Pleural thickening / scar"), plain_name("rise:samples=100")
        ('Pleural_thickening_scar', 'rise_samples_100')
    """
    return re.sub(r"[^\w.+-]+", "_", name).strip("_.")[:100]
