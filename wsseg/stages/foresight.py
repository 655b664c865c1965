"""What a late stage would fail on, found before the first one runs."""

from wsseg.catalogue import nearest
from wsseg.errors import InputError
from wsseg.recipe import Recipe
from wsseg.stages import data, plan


def check_parts(recipe: Recipe) -> None:
    """Fail on a network or explainer that does not exist, and on masks that are needed but not there.

    Raises:
        InputError: The message names the option.
    """
    from wsseg import backbones, classifiers, explainers, segmenters

    named = {"segment.network": (recipe.segment.network, segmenters.SEGMENTERS)}
    networks = {} if recipe.segment.backbone is None else {"segment.backbone": recipe.segment.backbone}
    if "classify" in plan(recipe):
        named["classify.head"] = (recipe.classify.head, classifiers.CLASSIFIERS)
        named["localize.explainer"] = (recipe.localize.explainer, explainers.EXPLAINERS)
        networks["classify.backbone"] = recipe.classify.backbone
    for option, (name, table) in named.items():
        if name not in table:
            raise InputError(f"`{option}`: there is no `{name}`; {nearest(name, table)}")
    for option, name in networks.items():
        try:
            backbones.level_strides(name)
        except InputError as error:
            raise InputError(f"`{option}`: {error}") from error
    if recipe.segment.weights == "classifier" and recipe.segment.backbone not in (
        None,
        recipe.classify.backbone,
    ):
        raise InputError(
            f"`segment.weights: classifier` needs `segment.backbone` ({recipe.segment.backbone}) to be "
            f"`classify.backbone` ({recipe.classify.backbone})"
        )
    supervised = recipe.segment.supervision == "masks"
    if supervised or recipe.ceiling:
        train = data.open_split(recipe, recipe.dataset.train, masks=True)
        if all(record.mask is None for record in train):
            option = "`segment.supervision: masks`" if supervised else "`ceiling: true`"
            raise InputError(f"{option} needs masks, and no image of split `{train.split}` has one")
    if recipe.label.threshold.rule == "calibration" and not supervised:
        data.check_calibration(recipe)
