"""Stage 5: train a segmenter on the pseudo-masks, or, as the ceiling, on the true masks."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from wsseg import losses, segmenters
from wsseg.artifacts import read_mask
from wsseg.class_names import BACKGROUND
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.file_names import HISTORY, MASKS, SEGMENTER
from wsseg.loading.rare_classes import with_rare_repeated
from wsseg.loading.training_batches import TrainingBatches
from wsseg.recipe import Recipe
from wsseg.recipe.decisions import fully_supervised
from wsseg.stages import Outcome
from wsseg.stages.label.given_masks import given_ids
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import training_data
from wsseg.training.best_epoch import describe_course
from wsseg.training.checkpoints import Checkpoints
from wsseg.training.classifier_weights import initial_options, start_from_classifier
from wsseg.training.device import prepare
from wsseg.training.enlarging import factor_in, with_enlarging
from wsseg.training.fitting import fit
from wsseg.training.history import read_history
from wsseg.training.mean_teacher import MeanTeacher
from wsseg.training.model_files import save_model
from wsseg.training.validation import validate_segmenter


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Train the recipe's segmenter; write `segmenter.keras` and `history.csv`.

    With pseudo-masks, the records have no masks, so those of the training split cannot be read. True masks that the
    section `supervision` gives, and masks corrected by hand, are among the pseudo-masks' files.
    """
    if fully_supervised(recipe):
        return run_ceiling(recipe, splits, inputs, out)
    train, set_aside = training_data(splits, inputs)
    given = given_ids(inputs["label"])
    if recipe.supervision.rest == "ignore":
        train = train.subset(given)
    masks = masks_in(
        inputs.get("relabel", inputs["label"]) / MASKS,
        given if recipe.supervision.rest == "unlabelled" else None,
    )
    shown, val = with_repeats(recipe, train, given), validation_data(recipe, splits)
    return train_segmenter(recipe, inputs, out, train, masks, set_aside, shown=shown, val=val)


def with_repeats(recipe: Recipe, train: Dataset, given: set[str]) -> list[Record]:
    """Return the records that one epoch shows: those with a given mask `supervision.masks_repeat` times."""
    repeat = recipe.supervision.masks_repeat
    return [record for record in train for _ in range(repeat if record.id in given else 1)]


def validation_data(recipe: Recipe, splits: Splits, masks: bool = False) -> Dataset | None:
    """Open the validation split for the curve of a training; None if the recipe has no curve."""
    return splits.checked(recipe.dataset.val, masks)[0] if recipe.segment.validation_images else None


def masks_in(folder: Path, only: set[str] | None = None) -> Callable[[Record], np.ndarray | None]:
    """Return a function that reads a record's mask from a folder of `ID.png`, or returns None if not in `only`."""
    return lambda record: (
        read_mask(folder / f"{record.id}.png") if only is None or record.id in only else None
    )


def run_ceiling(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Train the same segmenter for the same number of epochs on the true masks: the upper bound in the table."""
    train, set_aside = splits.checked(recipe.dataset.train, masks=True)
    with_masks = [record.id for record in train if record.mask is not None]
    if not with_masks:
        raise InputError(f"no image of split `{recipe.dataset.train}` has a mask to train on")
    train = train.subset(with_masks)
    val = validation_data(recipe, splits, masks=True)
    return train_segmenter(recipe, inputs, out, train, train.read_mask, set_aside, ceiling=True, val=val)


def train_segmenter(
    recipe: Recipe,
    inputs: Mapping[str, Path],
    out: Path,
    train: Dataset,
    masks: Callable[[Record], np.ndarray | None],
    set_aside: dict[str, str],
    ceiling: bool = False,
    shown: Sequence[Record] | None = None,
    val: Dataset | None = None,
) -> Outcome:
    """Train the recipe's segmenter on the masks that `masks` returns for each record.

    Args:
        recipe: Recipe, whose section `segment` has the options of the training.
        inputs: Folders of earlier stages; the classify stage's is needed if the weights come from the classifier.
        out: Folder where the segmenter and its history are written.
        train: Training images.
        masks: Function that returns a record's mask, `(H, W) uint8`, 255 ignored; or None, for 255 everywhere.
        set_aside: Images that cannot be used, for the outcome.
        ceiling: Whether the masks are true masks, which leave a mean teacher nothing to label.
        shown: Records that one epoch shows, with repetitions; None for each image once.
        val: Validation images of the curve in `history.csv`; None for no curve. Their masks are read only for a
            `ceiling`.
    """
    config = with_enlarging(recipe.segment, train, masks, out)
    if not (out / SEGMENTER).exists():
        prepare(recipe)
        keras.utils.set_random_seed(recipe.seed)
        model = build(recipe, inputs, len(train.classes) + 1)
        model.class_names = (BACKGROUND, *train.classes)
        loss = losses.create(config.loss, **config.loss_options)
        maps = getattr(loss, "maps", None)
        trained = model.with_auxiliary()
        if trained is not model:
            loss = losses.WithAuxiliary(loss, model.num_classes, config.auxiliary_weight)
        taught = bool(config.teacher.weight) and not ceiling
        batches = TrainingBatches(
            train,
            config,
            recipe.seed,
            "masks",
            masks,
            margin=model.margin,
            maps=maps and functools.partial(maps, num_classes=model.num_classes),
            image_labels=taught,
            shown=with_rare_repeated(train if shown is None else shown, config.repeat_rare, recipe.seed),
            object_crops=config.object_crops,
        )
        if taught:
            hold = recipe.supervision.rest == "pseudo_masks"
            trained = MeanTeacher(model, trained, config.teacher, config.epochs * batches.steps, hold)
        validation = (
            None if val is None else validate_segmenter(model, val, config, ceiling, factor_in(out, config))
        )
        head, text = model.head_variables, "training the segmenter"
        fit(recipe, config, trained, batches, head, out, text, loss, validation)
        save_model(model, out / SEGMENTER)
    Checkpoints(out).remove()
    last = read_history(out / HISTORY)["loss"][-1]
    words, course = ("", {}) if val is None else describe_course(out, config, val.split)
    counts = {"images": len(train), "epochs": config.epochs, "loss": last} | course
    enlarged = factor_in(out, config)
    counts |= {"enlarged": enlarged} if enlarged != 1 else {}
    network = config.network if config.backbone is None else f"{config.network} on {config.backbone}"
    images = f"{len(train)} images" + (f" enlarged {enlarged:g} times" if enlarged != 1 else "")
    line = f"{network}, {images}, {config.epochs} epochs, loss {last:.3f}{words}"
    return Outcome(line, counts, set_aside)


def build(recipe: Recipe, inputs: Mapping[str, Path], num_classes: int) -> keras.Model:
    """Build the recipe's segmenter with its initial weights."""
    config = recipe.segment
    classifier, options = initial_options(config, inputs)
    model = segmenters.create(
        config.network,
        num_classes=num_classes,
        output_stride=config.output_stride,
        channels=config.channels,
        **options,
        **config.options,
    )
    if classifier is not None:
        own = [layer for layer in model.layers if layer.name in model.backbone_layers]
        start_from_classifier(own, classifier, "segment", model.network)
    return model
