"""What each stage of a recipe will do, in a few words, before anything runs."""

from wsseg.recipe import Recipe, TrainingConfig
from wsseg.recipe.decisions import fully_supervised


def _epochs(number: int, images: int) -> str:
    return f"{number} epoch{'s' if number > 1 else ''} of {images:,} images"


def _scales(scales: tuple[float, ...]) -> str:
    return ", ".join(f"{scale:g}" for scale in scales)


def _network(recipe: Recipe, config: TrainingConfig) -> str:
    backbone = recipe.classify.backbone if config.weights == "classifier" else config.backbone
    return f"{config.network} on {backbone}" if backbone else config.network


def classify(recipe: Recipe, images: int) -> str:
    """Return what the stage classify will do; `images` is the number of training images, here and below.

    Example:
        >>> classify(Recipe(), 900)
        'train gap on mobilenet_0.75, 8 epochs of 900 images'
    """
    config = recipe.classify
    return f"train {config.head} on {config.backbone}, {_epochs(config.epochs, images)}"


def localize(recipe: Recipe, images: int) -> str:
    """Return what the stage localize will do."""
    return f"class maps of {images:,} images by {recipe.localize.explainer}, scales {_scales(recipe.localize.scales)}"


def propagate(recipe: Recipe, images: int) -> str:
    """Return what the stage propagate will do."""
    config = recipe.propagate
    if config.method == "none":
        return "nothing: the class maps stay as they are"
    return f"train {config.method}, {_epochs(config.epochs, images)}; random walk of {config.steps} steps"


def label(recipe: Recipe, images: int) -> str:
    """Return what the stage label will do."""
    threshold, crf = recipe.label.threshold, recipe.label.crf.preset
    level = f"level {threshold.level:g}" if threshold.rule == "fixed" else f"level by {threshold.rule}"
    return f"pseudo-masks of {images:,} images, background {level}, " + (
        "no CRF" if crf == "none" else f"dense CRF {crf}"
    )


def relabel(recipe: Recipe, images: int) -> str:
    """Return what the stage relabel will do."""
    rounds, epochs = recipe.relabel.rounds, recipe.relabel.epochs or recipe.segment.epochs
    times = "once" if rounds == 1 else f"{rounds} times"
    return f"{times}: train {recipe.segment.network}, {_epochs(epochs, images)}, and label the images again"


def segment(recipe: Recipe, images: int) -> str:
    """Return what the stage segment will do."""
    masks = "on true masks" if fully_supervised(recipe) else "on pseudo-masks"
    return f"train {_network(recipe, recipe.segment)} {masks}, {_epochs(recipe.segment.epochs, images)}"


def ceiling(recipe: Recipe, images: int) -> str:
    """Return what the stage ceiling will do."""
    return f"train {_network(recipe, recipe.segment)} on true masks, {_epochs(recipe.segment.epochs, images)}"


def detect(recipe: Recipe, images: int) -> str:
    """Return what the stage detect will do."""
    return f"train {_network(recipe, recipe.detect)} on pseudo-instances, {_epochs(recipe.detect.epochs, images)}"


def detect_ceiling(recipe: Recipe, images: int) -> str:
    """Return what the stage detect_ceiling will do."""
    return (
        f"train {_network(recipe, recipe.detect)} on true instances, {_epochs(recipe.detect.epochs, images)}"
    )


def evaluate(recipe: Recipe, images: int) -> str:
    """Return what the stage evaluate will do."""
    return f"predict split `{recipe.dataset.val}`; mIoU where images have true masks"


def evaluate_detectors(recipe: Recipe, images: int) -> str:
    """Return what the stage evaluate_detectors will do."""
    return f"detect in split `{recipe.dataset.val}`; average precision where images have true instances"


def report(recipe: Recipe, images: int) -> str:
    """Return what the stage report will do."""
    return "write one page with scores and images"
