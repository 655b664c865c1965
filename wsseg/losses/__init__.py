"""Losses for masks that are noisy, unbalanced and partly unknown."""

from typing import TYPE_CHECKING, Any

from wsseg import catalogue
from wsseg.errors import InputError

if TYPE_CHECKING:
    import keras

    from wsseg.losses.balanced_cross_entropy import BalancedCrossEntropy
    from wsseg.losses.with_auxiliary import WithAuxiliary

__all__ = ["LOSSES", "NEED_MORE", "BalancedCrossEntropy", "WithAuxiliary", "check_classes", "create"]

LOSSES = {
    "cross_entropy": "wsseg.losses.cross_entropy:cross_entropy",
    "balanced": "wsseg.losses.balanced_cross_entropy:BalancedCrossEntropy",
    "weight_map": "wsseg.losses.weight_map_cross_entropy:WeightMapCrossEntropy",
    "dice": "wsseg.losses.dice:DiceLoss",
    "focal": "wsseg.losses.focal:FocalLoss",
    "lovasz_softmax": "wsseg.losses.lovasz_softmax:LovaszSoftmax",
    "boundary": "wsseg.losses.boundary:BoundaryLoss",
    "generalised_cross_entropy": "wsseg.losses.generalised_cross_entropy:GeneralisedCrossEntropy",
    "symmetric_cross_entropy": "wsseg.losses.symmetric_cross_entropy:SymmetricCrossEntropy",
    "bootstrapping": "wsseg.losses.bootstrapping:Bootstrapping",
    "seed": "wsseg.losses.seed:SeedLoss",
    "expansion": "wsseg.losses.expansion:ExpansionLoss",
    "constrain_to_boundary": "wsseg.losses.constrain_to_boundary:ConstrainToBoundaryLoss",
}

NEED_MORE = {
    "expansion": "says which classes there are, not where, so it only works together with another loss",
    "constrain_to_boundary": "needs the network's own predictions, refined by a CRF",
}
"""Losses that cannot train a segmenter from masks alone, and why; they are for your own training loops."""

_CLASSES = {
    "BalancedCrossEntropy": LOSSES["balanced"],
    "WithAuxiliary": "wsseg.losses.with_auxiliary:WithAuxiliary",
}
"""Classes that are imported from here: each is loaded when first asked for, so that the tables alone stay light."""


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return catalogue.load(_CLASSES, name, "loss")
    raise AttributeError(f"module `wsseg.losses` has no attribute `{name}`")


def create(name: str, /, **options: Any) -> "keras.losses.Loss":
    """Create a loss by name.

    Most losses take class ids `(B, H, W)` (255 = ignore) and logits `(B, H, W, K)`; for others see their `call`. A loss
    with a method `maps(mask, num_classes)`, `(H, W)` uint8 -> `(H, W, M)` float32, takes ids and these maps as the
    channels of one array `(B, H, W, 1 + M)`; `wsseg.loading.training_batches.TrainingBatches(maps=)` gives them.

    Args:
        name: A key of `LOSSES`.
        options: Arguments of its constructor.

    Raises:
        InputError: The loss or an option is unknown (the message names the nearest), or a value is out of range.

    Example:
        >>> create("focal", gamma=1).gamma
        1.0
    """
    make = catalogue.load(LOSSES, name, "loss")
    catalogue.check_options(f"loss `{name}`", options, catalogue.options_of(make))
    try:
        return make(**options)
    except TypeError as error:  # a text where a number is wanted
        raise InputError(f"loss `{name}`: {error}; got {options}") from error


def check_classes(loss: "keras.losses.Loss", num_classes: int) -> None:
    """Fail if a loss has class weights, but not one for each class.

    Args:
        loss: A loss from `create`. A loss with class weights has their attribute's name in `per_class`.
        num_classes: Number of classes, background included.

    Raises:
        InputError: The numbers differ; the message names the option and both numbers.

    Example:
        >>> check_classes(create("focal", alpha=[1, 2]), num_classes=3)
        Traceback (most recent call last):
        wsseg.errors.InputError: `alpha` must have a weight for each of the 3 classes, background first; it has 2...
    """
    option = getattr(loss, "per_class", None)
    weights = getattr(loss, option) if option else None
    if isinstance(weights, list) and len(weights) != num_classes:
        raise InputError(
            f"`{option}` must have a weight for each of the {num_classes} classes, background first; it has "
            f"{len(weights)}: {weights}"
        )
