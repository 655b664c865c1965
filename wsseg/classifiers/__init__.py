"""Classifiers trained from image-level labels, whose features class maps are made of."""

from typing import TYPE_CHECKING, Any

from wsseg import catalogue

if TYPE_CHECKING:
    from wsseg.classifiers.classifier import Classifier

CLASSIFIERS = {
    "gap": "wsseg.classifiers.gap:GAPClassifier",
    "nin": "wsseg.classifiers.nin:NINClassifier",
    "acol": "wsseg.classifiers.acol:ACoLClassifier",
    "seam": "wsseg.classifiers.seam:SEAMClassifier",
}


def create(name: str, /, **options: Any) -> "Classifier":
    """Build a classifier by name.

    Args:
        name: A key of `CLASSIFIERS` (the model has the class's own name, unless `options` has another `name`).
        options: What its class takes: `backbone`, `num_classes`, `output_stride`, `weights`, `input_size` ...

    Returns:
        A functional `keras.Model`: `(B, H, W, 3)` RGB in [0, 255] -> `(B, num_classes)` logits.

    Raises:
        InputError: No classifier or option of that name (the message names the nearest), or a value that can't
            work.

    Example:
        >>> model = create("gap", backbone="mobilenet_0.25", num_classes=3, input_size=(64, 64))
        >>> model.output_shape
        (None, 3)
    """
    catalogue.check_options(f"classifier `{name}`", options, options_of(name))
    return catalogue.load(CLASSIFIERS, name, "classifier")(**options)


def options_of(name: str) -> dict[str, Any]:
    """Return the options of a classifier with their defaults; those that have none, as None.

    Raises:
        InputError: No classifier of that name; the message names the nearest.
    """
    return catalogue.options_of(catalogue.load(CLASSIFIERS, name, "classifier"))
