"""Score a folder of predicted masks from any source against a folder of true masks."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.class_names import BACKGROUND, foreground_names
from wsseg.datasets.gray_masks import gray_levels
from wsseg.datasets.mask_ids import ILLEGAL
from wsseg.datasets.mask_values import check_level, some_values, stored_values, value_table
from wsseg.errors import InputError
from wsseg.image_files import IMAGE_EXTENSIONS
from wsseg.metrics import BoundaryScores, ConfusionMatrix
from wsseg.progress import bar


def _ways_out(option: str, value: int, classes: Sequence[str]) -> str:
    text = f"say what the values mean, as in `{option} {value}={classes[0]}`"
    if len(classes) > 1:
        return text
    return f"{text}, or, of gray levels, the level above which a pixel is {classes[0]}: `--mask-level 127`"


@dataclass(frozen=True)
class Reading:
    """How the files of one folder are read as ids.

    Attributes:
        table: `(V,) int16`: id of each value, -1 for an illegal one; None if pixels above `level` have id 1.
        level: Gray level.
        text: The same in words, for the scores.
        option: Option that declares values, for messages.
        declared: Whether the user has said what the values mean.
    """

    table: np.ndarray | None
    level: int | None
    text: str
    option: str
    declared: bool = False

    def ids(self, path: Path, classes: Sequence[str]) -> np.ndarray:
        """Read a mask as `(H, W)` ids."""
        if self.table is None:
            return (gray_levels(path) > self.level).astype(np.uint8)
        stored = stored_values(path, as_ids=not self.declared)
        found = np.unique(stored)
        legal = (found < len(self.table)) & (self.table[np.minimum(found, len(self.table) - 1)] != ILLEGAL)
        if not legal.all():
            raise InputError(
                f"{path} holds the values {some_values(found)}; {found[~legal][0]} is no class id, so check that "
                f"--classes is complete; else {_ways_out(self.option, found[~legal][-1], classes)}"
            )
        return self.table[stored].astype(np.uint8)


def score_folders(
    predictions: Path | None,
    truth: Path | None,
    classes: Sequence[str] | None,
    mask_values: Mapping | None = None,
    mask_level: int | None = None,
    prediction_values: Mapping | None = None,
) -> dict:
    """Score `predictions/ID.png` against every `truth/ID.png` and print the scores as JSON.

    With one class, masks of 0 and 255 alone hold the class at 255. Where another value occurs beside them in the
    folder, 255 marks unsure pixels, as always with several classes.

    Args:
        predictions: Folder of indexed or grayscale masks of class ids.
        truth: Folder of true masks; 255 is not scored. Each needs a prediction.
        classes: Names of the foreground classes; mask id 1 is the first. The background may be named before them.
        mask_values: Meaning of the values of the true masks; see `wsseg.datasets.mask_values.value_table`.
        mask_level: Gray level in 0..254 of masks of one class; pixels above it belong to the class. Predictions are
            read by it too, unless they hold ids alone.
        prediction_values: Meaning of the values of the predictions.

    Returns:
        `images`, the scores of `ConfusionMatrix.scores` and `BoundaryScores.result`, and `read_as`: how the values of
        the two folders were read.

    Raises:
        InputError: A folder is missing or empty, a mask is missing or has another size, ids do not fit the classes, or
            no true mask has a pixel of any class.
    """
    if predictions is None or truth is None or not classes:
        raise InputError("scoring a folder needs --predictions, --truth and --classes")
    classes = foreground_names(classes, "--classes", first_may_be_background=True)
    check_level(mask_level, "--mask-level")
    if mask_level is not None and (len(classes) > 1 or mask_values is not None):
        raise InputError("--mask-level is for one class, without --mask-values; remove one of the two")
    for option, folder in (("--predictions", predictions), ("--truth", truth)):
        if not folder.is_dir():
            raise InputError(f"{option} {folder} is not a folder; give a folder of ID.png masks")
    pairs = _pairs(predictions, truth)
    true_read = _reading([true for _, true in pairs], classes, mask_values, mask_level, "--mask-values")
    read = _reading(
        [path for path, _ in pairs], classes, prediction_values, mask_level, "--prediction-values"
    )
    names = (BACKGROUND, *classes)
    total, outlines = ConfusionMatrix(len(names)), BoundaryScores(len(names))
    with bar("scoring", len(pairs)) as advance:
        for path, true_path in pairs:
            predicted, true = read.ids(path, classes), true_read.ids(true_path, classes)
            if predicted.shape != true.shape:
                raise InputError(
                    f"{path} is {predicted.shape}, its truth {true.shape} (H, W); "
                    "resize the prediction with nearest neighbour"
                )
            total.update(predicted, true)
            outlines.update(predicted, true)
            advance()
    scores = {"images": len(pairs)} | total.scores(names) | outlines.result(names)
    scores["read_as"] = {"truth": true_read.text, "predictions": read.text}
    _tell(scores, truth, classes, [true for _, true in pairs])
    print(json.dumps(scores, indent=2))
    return scores


def _pairs(predictions: Path, truth: Path) -> list[tuple[Path, Path]]:
    """Return each true mask with its prediction, which may have another extension."""
    files, others = _masks(truth), _masks(predictions)
    if not files:
        raise InputError(f"--truth {truth} has no PNG; expected one mask ID.png for each image")
    for folder, masks in ((truth, files), (predictions, others)):
        stems = {}
        for path in masks:
            if path.stem in stems:
                raise InputError(
                    f"{path} and {stems[path.stem].name} are both the mask of `{path.stem}`; move one out of {folder}"
                )
            stems[path.stem] = path
    found = {path.stem: path for path in others}
    missing = [file.name for file in files if file.stem not in found]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(files)} masks of {truth} have no prediction in {predictions}, such as "
            f"{missing[0]}"
        )
    if spare := set(found) - {file.stem for file in files}:
        _note(
            f"{len(spare)} of {len(others)} predictions have no truth and are not scored, such as {min(spare)}"
        )
    for folder in (truth, predictions):
        if inner := [path for path in sorted(folder.iterdir()) if path.is_dir() and _masks(path)]:
            _note(f"masks in folders below {folder} are not scored, such as those of {inner[0].name}")
    return [(found[file.stem], file) for file in files]


def _masks(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_EXTENSIONS and not path.name.startswith(".") and path.is_file()
    )


def _reading(
    files: Sequence[Path], classes: Sequence[str], values: Mapping | None, level: int | None, option: str
) -> Reading:
    """Return how the files of a folder are read."""
    if values is not None:
        words = ", ".join(f"{value} is {meaning}" for value, meaning in values.items())
        return Reading(value_table(classes, values, option), None, words, option, declared=True)
    of_truth = option == "--mask-values"
    by_level = Reading(
        None, level, f"pixels above the gray level {level} are {classes[0]}, the others background", option
    )
    if level is not None and of_truth:
        return by_level
    plain = Reading(
        value_table(classes, None, option),
        None,
        f"ids: 0 is {BACKGROUND}, 1..{len(classes)} the classes, 255 "
        + ("is not scored" if of_truth else "is unsure, a miss"),
        option,
    )
    if len(classes) > 1:
        return plain
    held: set[int] = set()
    for path in files:
        try:
            held |= set(np.unique(stored_values(path)).tolist())
        except InputError:
            if level is None:
                raise
            return by_level
    if held <= {0, IGNORE} and IGNORE in held:
        _note(
            f"the {'true masks' if of_truth else 'predictions'} hold 0 and 255 alone, so 255 is read as "
            f"`{classes[0]}`; if it marks unsure pixels, say {option} 255=ignore"
        )
        return Reading(
            value_table(classes, {IGNORE: 1}, option), None, f"255 is {classes[0]}, 0 is background", option
        )
    return plain if level is None or held <= {0, 1, IGNORE} else by_level


def _tell(scores: dict, truth: Path, classes: Sequence[str], files: Sequence[Path]) -> None:
    """Name the classes that no true pixel was scored of."""
    absent = [name for name in scores["classes_without_truth"] if name != BACKGROUND]
    if len(absent) == len(classes):
        try:
            held = f"the first, {files[0].name}, holds the values {some_values(np.unique(stored_values(files[0])))}; "
        except InputError:  # gray levels in a lossy file
            held = ""
        raise InputError(
            f"no mask of --truth {truth} has a scored pixel of {', '.join(absent[:5])}, so there is nothing to score; "
            + held
            + _ways_out("--mask-values", IGNORE, classes)
        )
    if scores["classes_without_truth"]:
        _note(
            f"no true mask has a scored pixel of {', '.join(scores['classes_without_truth'])}: a mean that leaves a "
            "class out says nothing about it; check the masks' values"
        )


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)
