"""Roughly what each stage of a recipe costs, before anything runs; see `wsseg.engine.time_left`.

The unit of `network` is one pixel that passes once through a network. A training step costs 3 times its pixels, as the
backward pass costs about twice the forward pass. An inference costs its pixels times the sum of the squared scales,
twice with flip. Differences between networks, start-up and reading are not counted. The unit of `crf` is one pixel in
10 iterations of the dense CRF; scoring and the other work on pixels are not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wsseg.recipe import CRFConfig, Recipe, TrainingConfig
from wsseg.recipe.decisions import fully_supervised, walks

BACKWARD = 3
"""Cost of a training step over that of an inference on the same pixels."""


@dataclass(frozen=True)
class Cost:
    """Cost of a stage.

    Attributes:
        network: Pixels that pass through a network.
        crf: Pixels that pass through the dense CRF.
    """

    network: float = 0.0
    crf: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.network + other.network, self.crf + other.crf)

    def times(self, factor: float) -> "Cost":
        """Return the cost of doing it `factor` times."""
        return Cost(factor * self.network, factor * self.crf)


@dataclass(frozen=True)
class Sizes:
    """Size of the dataset.

    Attributes:
        train: Number of training images.
        val: Number of validation images.
        pixels: Mean number of pixels of an image.
    """

    train: int
    val: int
    pixels: float


def training(config: TrainingConfig, images: int, epochs: int | None = None) -> Cost:
    """Return the cost of a training.

    Example:
        >>> training(TrainingConfig(crop=100, epochs=2, batch_size=8), 20).network  # 2 steps of 8 images per epoch
        960000.0
    """
    batch = min(config.batch_size, images)
    shown = (epochs or config.epochs) * (images // batch) * batch
    return Cost(network=float(BACKWARD * shown * config.crop**2))


def inference(pixels: float, scales: Sequence[float] = (1.0,), flip: bool = True) -> Cost:
    """Return the cost of inference on this many pixels.

    Example:
        >>> inference(1000, (1, 0.5)).network
        2500.0
    """
    return Cost(network=pixels * sum(scale**2 for scale in scales) * (2 if flip else 1))


def crf(config: CRFConfig, pixels: float) -> Cost:
    """Return the cost of a dense CRF on this many pixels; nothing for `preset: none`."""
    return Cost() if config.preset == "none" else Cost(crf=pixels * config.iterations / 10)


def classify(recipe: Recipe, sizes: Sizes) -> Cost:
    """Return the cost of the stage classify."""
    return training(recipe.classify, sizes.train) + inference(sizes.val * sizes.pixels, flip=False)


def localize(recipe: Recipe, sizes: Sizes) -> Cost:
    """Return the cost of the stage localize, if its maps come from one forward pass, as CAM's do."""
    return inference(sizes.train * sizes.pixels, recipe.localize.scales, recipe.localize.flip)


def propagate(recipe: Recipe, sizes: Sizes) -> Cost:
    """Return the cost of the stage propagate, without the random walk itself."""
    if not walks(recipe):
        return Cost()
    pixels, config = sizes.train * sizes.pixels, recipe.propagate
    labels = crf(config.crf, 2 * pixels)  # one at either level
    return training(config, sizes.train) + inference(pixels) + labels


def label(recipe: Recipe, sizes: Sizes) -> Cost:
    """Return the cost of the stage label, without a search of the CRF's parameters."""
    return crf(recipe.label.crf, sizes.train * sizes.pixels)


def relabel(recipe: Recipe, sizes: Sizes) -> Cost:
    """Return the cost of the stage relabel."""
    pixels, config = sizes.train * sizes.pixels, recipe.relabel
    once = training(recipe.segment, sizes.train, config.epochs) + inference(pixels, config.scales)
    return (once + crf(config.crf, pixels)).times(config.rounds)


def segment(recipe: Recipe, sizes: Sizes) -> Cost:
    """Return the cost of the stages segment and ceiling."""
    return training(recipe.segment, sizes.train)


def detect(recipe: Recipe, sizes: Sizes) -> Cost:
    """Return the cost of the stages detect and detect_ceiling."""
    return training(recipe.detect, sizes.train)


def evaluate(recipe: Recipe, sizes: Sizes) -> Cost:
    """Return the cost of the stage evaluate: predictions of the segmenter and its ceiling, the pseudo-masks' oracle."""
    weak, trained = not fully_supervised(recipe), recipe.segment.network != "none"
    config, pixels = recipe.segment, sizes.val * sizes.pixels
    once = inference(pixels, config.scales, config.flip) + crf(config.crf, pixels)
    predictions = once.times((1 + (weak and recipe.ceiling)) * trained)
    levels = len(recipe.evaluate.oracle_levels) if weak else 0
    return predictions + crf(recipe.label.crf, levels * sizes.train * sizes.pixels)


def evaluate_detectors(recipe: Recipe, sizes: Sizes) -> Cost:
    """Return the cost of the stage evaluate_detectors."""
    side = recipe.detect.size or recipe.detect.crop
    return inference(sizes.val * side**2, flip=False).times(1 + recipe.ceiling)


def nothing(recipe: Recipe, sizes: Sizes) -> Cost:
    """Return no cost, for a stage that takes seconds."""
    return Cost()
