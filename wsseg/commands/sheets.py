"""The pictures of `wsseg explain`: compute each kind of sheet, and write it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wsseg.commands.classifiers import LoadedModel
from wsseg.commands.explanation_files import ExplanationFiles
from wsseg.commands.photographs import Sight, maps_of
from wsseg.errors import InputError, nearest
from wsseg.explainers.feature_maps import feature_maps, stage_ends
from wsseg.explainers.image_gradient import ImageGradient
from wsseg.report.explanation import write_class_sheet, write_scale_sheet, write_sheet
from wsseg.report.feature_sheet import write_feature_sheet

OVERLAYS_SHEET = "overlays"
SHEETS = (OVERLAYS_SHEET, "methods", "classes", "scales", "features")
SCALES = (0.5, 1.0, 1.5, 2.0)


def check_sheets(kinds: Sequence[str]) -> None:
    """Raise an error for a kind of sheet that does not exist."""
    for kind in kinds:
        if kind not in SHEETS:
            raise InputError(f"there is no sheet `{kind}`; {nearest(kind, SHEETS)}")


def caption(classifier: LoadedModel, one: tuple[int, str, float]) -> str:
    """Return a class and its probability; where it is no probability, the word score stands between."""
    _, label, score = one
    return f"{label} {score:.2f}" if classifier.kind.name == "probability" else f"{label} score {score:.2f}"


def painted(classifier: LoadedModel, method: str, maps: np.ndarray) -> np.ndarray:
    """Return the maps `(T, H, W)` as pictures show them: those of image gradients are capped."""
    return capped(maps) if isinstance(classifier.explainer(method), ImageGradient) else maps


def write_sheets(
    sight: Sight,
    classifier: LoadedModel,
    kinds: Sequence[str],
    maps: Mapping[str, np.ndarray],
    files: ExplanationFiles,
    name: str,
) -> list[Path]:
    """Write sheets of a photograph.

    Args:
        sight: Result of `wsseg.commands.photographs.look`.
        classifier: Classifier that was given to `look`.
        kinds: Names from `SHEETS`: methods (maps of each method and class), classes (comparison of the classes), scales
            (the first method at several scales), features (the strongest channels of the last layer at each stride).
        maps: Method -> its maps, `(T, H, W)`.
        files: The folder where the files are written.
        name: Start of the file names: `methods` is `NAME.png`, the others are `NAME_KIND.png` and
            `NAME_features_LAYER.png`.

    Returns:
        The files that were written.

    Raises:
        InputError: The model takes one size and there are to be several scales.
    """
    first = next(iter(maps))
    if "scales" in kinds and classifier.explainer(first).input_size != (None, None):
        size = classifier.explainer(first).input_size
        raise InputError(
            f"the sheet `scales` needs a model that takes any input size; this one takes only {size}"
        )
    labels = [caption(classifier, one) for one in sight.classes]
    written = []

    def path(suffix: str) -> Path:
        file = files.out / f"{name}{suffix}.png"
        files.protected.check(file)
        return file

    shown = {}
    for method, found in maps.items():
        is_capped = isinstance(classifier.explainer(method), ImageGradient)
        shown[f"{method}, capped" if is_capped else method] = painted(classifier, method, found)
    if "methods" in kinds:
        written.append(write_sheet(path(""), sight.image, labels, shown))
    if "classes" in kinds:
        written.append(write_class_sheet(path("_classes"), sight.image, labels, shown))
    if "scales" in kinds:
        scaled = {scale: maps_of(sight, classifier, first, scale) for scale in SCALES}
        written.append(write_scale_sheet(path("_scales"), sight.image, labels, scaled))
    if "features" in kinds:
        for layer in stage_ends(classifier.model):
            found = feature_maps(classifier.model, sight.batch, layer)
            file = path(f"_features_{layer.replace('/', '_')}")
            write_feature_sheet(file, [sight.resized], found.channels, found.responses, found.maps)
            written.append(file)
    return written


def capped(maps: np.ndarray, percentile: float = 99) -> np.ndarray:
    """Scale maps by a high percentile instead of the maximum, for pictures only.

    An image's largest gradients are at few pixels, and all other pixels would look black beside them.

    Args:
        maps: `(T, H, W)` float in [0, 1].
        percentile: Percentile of each map's values that is shown as 1.

    Returns:
        Maps of the same shape, in [0, 1]. A map whose percentile is 0 does not change.

    Example:
        >>> capped(np.array([[[0.0, 0.1, 0.2, 1.0]]]), percentile=50).round(2).tolist()
        [[[0.0, 0.67, 1.0, 1.0]]]

    References:
        Smilkov et al., SmoothGrad, 2017, section 3: values are capped at a high percentile.
    """
    top = np.percentile(maps, percentile, axis=(1, 2), keepdims=True)
    return np.minimum(np.divide(maps, top, out=maps.copy(), where=top > 0), 1)
