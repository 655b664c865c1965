"""The pictures of `wsseg explain`: compute each kind of sheet, and write it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsseg.commands.photographs import LoadedModel, Sight, maps_of
from wsseg.errors import InputError, nearest
from wsseg.explainers.feature_maps import feature_maps, stage_ends
from wsseg.explainers.image_gradient import ImageGradient
from wsseg.report.explanation import write_class_sheet, write_scale_sheet, write_sheet
from wsseg.report.feature_sheet import write_feature_sheet

SHEETS = ("methods", "classes", "scales", "features")
SCALES = (0.5, 1.0, 1.5, 2.0)


def write_sheets(
    sight: Sight,
    classifier: LoadedModel,
    kinds: Sequence[str],
    methods: Sequence[str],
    folder: Path,
    name: str,
) -> list[Path]:
    """Write sheets of a photograph.

    Args:
        sight: Result of `wsseg.commands.photographs.look`.
        classifier: Classifier that was given to `look`.
        kinds: Names from `SHEETS`: methods (maps of each method and class), classes (comparison of the classes), scales
            (the first method at several scales), features (the strongest channels of the last layer at each stride).
        methods: Names of explainers.
        folder: Folder where the files are written.
        name: Start of the file names: `methods` is `NAME.png`, the others are `NAME_KIND.png` and
            `NAME_features_LAYER.png`.

    Returns:
        The files that were written.

    Raises:
        InputError: The kind of sheet does not exist, or a method does not fit the model.
    """
    for kind in kinds:
        if kind not in SHEETS:
            raise InputError(f"there is no sheet `{kind}`; {nearest(kind, SHEETS)}")
    if "scales" in kinds and classifier.explainer(methods[0]).input_size != (None, None):
        size = classifier.explainer(methods[0]).input_size
        raise InputError(
            f"the sheet `scales` needs a model that takes any input size; this one takes only {size}"
        )
    labels = [f"{label} {score:.2f}" for _, label, score in sight.classes]
    written = []
    if {"methods", "classes"} & set(kinds):
        maps = {}
        for method in methods:
            found = maps_of(sight, classifier, method)
            if isinstance(classifier.explainer(method), ImageGradient):
                maps[f"{method}, capped"] = capped(found)
            else:
                maps[method] = found
        if "methods" in kinds:
            written.append(write_sheet(folder / f"{name}.png", sight.image, labels, maps))
        if "classes" in kinds:
            written.append(write_class_sheet(folder / f"{name}_classes.png", sight.image, labels, maps))
    if "scales" in kinds:
        scaled = {scale: maps_of(sight, classifier, methods[0], scale) for scale in SCALES}
        written.append(write_scale_sheet(folder / f"{name}_scales.png", sight.image, labels, scaled))
    if "features" in kinds:
        shown = np.clip(np.rint(sight.resized), 0, 255).astype(np.uint8)
        for layer in stage_ends(classifier.model):
            found = feature_maps(classifier.model, sight.batch, layer)
            path = folder / f"{name}_features_{layer.replace('/', '_')}.png"
            write_feature_sheet(path, [shown], found.channels, found.responses, found.maps)
            written.append(path)
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
