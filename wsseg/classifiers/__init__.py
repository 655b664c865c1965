"""Classifiers trained from image-level labels; class maps are computed from their features."""

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
        name: A key of `CLASSIFIERS`. (The model is named after its class, unless `options` contains a `name`.)
        options: Arguments of its class: `backbone`, `num_classes`, `output_stride`, `weights`, `input_size` ...; and
            `class_names`, with which the model is saved.

    Returns:
        A functional `keras.Model`: `(B, H, W, 3)` RGB in [0, 255] -> `(B, num_classes)` logits.

    Raises:
        InputError: The classifier or an option is unknown (the message names the nearest), or a value is not valid.

    Example:
        >>> model = create("gap", backbone="mobilenet_0.25", num_classes=3, input_size=(64, 64))
        >>> model.output_shape
        (None, 3)
    """
    class_names = options.pop("class_names", None)
    catalogue.check_options(f"classifier `{name}`", options, options_of(name))
    return catalogue.load(CLASSIFIERS, name, "classifier")(**options, class_names=class_names)


def options_of(name: str) -> dict[str, Any]:
    """Return the options of a classifier with their defaults; None for an option without a default.

    Raises:
        InputError: The classifier is unknown; the message names the nearest.
    """
    return catalogue.options_of(catalogue.load(CLASSIFIERS, name, "classifier"))
