"""Score a folder of predicted masks from any source against a folder of true masks."""

import json
from collections.abc import Sequence
from pathlib import Path

from wsseg.artifacts import read_mask
from wsseg.errors import InputError
from wsseg.metrics import BoundaryScores, ConfusionMatrix
from wsseg.progress import bar


def score_folders(predictions: Path | None, truth: Path | None, classes: Sequence[str] | None) -> dict:
    """Score `predictions/ID.png` against every `truth/ID.png` and print the scores as JSON.

    Args:
        predictions: Folder of indexed or 8-bit grayscale PNGs of class ids.
        truth: Folder of true masks; 255 is not scored. Each needs a prediction.
        classes: Names of the foreground classes; mask id 1 is the first.

    Returns:
        `images`, and the scores of `ConfusionMatrix.scores` and `BoundaryScores.result`.

    Raises:
        InputError: A folder is missing or empty, a mask is missing or has another size, or ids do not fit the classes.
    """
    if predictions is None or truth is None or not classes:
        raise InputError("scoring a folder needs --predictions, --truth and --classes")
    for option, folder in (("--predictions", predictions), ("--truth", truth)):
        if not folder.is_dir():
            raise InputError(f"{option} {folder} is not a folder; give a folder of ID.png masks")
    files = sorted(path for path in truth.glob("*.png") if not path.name.startswith("."))
    if not files:
        raise InputError(f"--truth {truth} has no PNG; expected one mask ID.png for each image")
    missing = [file.name for file in files if not (predictions / file.name).exists()]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(files)} masks of {truth} have no prediction in {predictions}, such as "
            f"{missing[0]}"
        )
    names = ("background", *classes)
    total, outlines = ConfusionMatrix(len(names)), BoundaryScores(len(names))
    with bar("scoring", len(files)) as advance:
        for file in files:
            predicted, true = read_mask(predictions / file.name), read_mask(file)
            if predicted.shape != true.shape:
                raise InputError(
                    f"{predictions / file.name} is {predicted.shape}, its truth {true.shape} (H, W); "
                    "resize the prediction with nearest neighbour"
                )
            try:
                total.update(predicted, true)
                outlines.update(predicted, true)
            except InputError as error:
                raise InputError(f"{file.name}: {error}; check that --classes is complete") from error
            advance()
    scores = {"images": len(files)} | total.scores(names) | outlines.result(names)
    print(json.dumps(scores, indent=2))
    return scores
