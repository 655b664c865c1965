"""Optional stage between label and segment: self-training with the image-level labels."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from wsseg.artifacts import read_mask, unfinished, write_mask
from wsseg.datasets import Dataset
from wsseg.file_names import MASKS, SEGMENTER
from wsseg.progress import bar
from wsseg.recipe import Recipe
from wsseg.refiners import DenseCRF
from wsseg.saved_models import load_model
from wsseg.segmenters.inference import Predictor
from wsseg.segmenters.restrict_to_labels import restrict_to_labels
from wsseg.stages import Outcome
from wsseg.stages.crf import dense_crf
from wsseg.stages.label.given_masks import given_ids
from wsseg.stages.segment import masks_in, train_segmenter, validation_data, with_repeats
from wsseg.supervision.corrected_masks import counted
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import training_data
from wsseg.training.best_epoch import describe_course


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Train a segmenter, label the training images with it, and repeat; write `masks/ID.png`.

    The first segmenter learns from the pseudo-masks, each further one from the masks of the round before. The
    segmenter's predictions are restricted to the classes in the image's labels. The segmenter does not know these
    labels, so the new masks can be better than the masks that it learnt from. Pixels that it assigns to an absent class
    still count as foreground (`wsseg.segmenters.restrict_to_labels`). Masks corrected by hand stay as they are in every
    round. No mask of the training split is read.

    References:
        Lee, Pseudo-label, ICML workshop 2013; Wei et al., STC, TPAMI 2017, section 3.3 (the next network is trained on
        predictions that are restricted to the image's labels).
    """
    config = recipe.relabel
    if config.epochs is not None:
        recipe = replace(recipe, segment=replace(recipe.segment, epochs=config.epochs))
    train, set_aside = training_data(splits, inputs)
    val = validation_data(recipe, splits)
    counts: dict[str, Any] = {"images": len(train), "rounds": config.rounds}
    given = inputs["label"] / MASKS
    kept = given_ids(inputs["label"])
    shown = with_repeats(recipe, train, kept)
    for number in range(1, config.rounds + 1):
        last = number == config.rounds
        folder = out / f"round_{number}"
        folder.mkdir(exist_ok=True)
        masks = (out if last else folder) / MASKS
        masks.mkdir(exist_ok=True)
        for record in train:
            if record.id in kept:
                write_mask(
                    masks / f"{record.id}.png", read_mask(inputs["label"] / MASKS / f"{record.id}.png")
                )
        done = train_segmenter(recipe, inputs, folder, train, masks_in(given), {}, shown=shown, val=val)
        relabel_images(recipe, train, folder / SEGMENTER, masks, number)
        given = masks
    line = f"{config.rounds} rounds, {len(train)} masks; the last segmenter's loss {done.counts['loss']:.3f}"
    if val is not None:
        words, course = describe_course(folder, recipe.segment, val.split)
        line, counts = line + words, counts | course
    if kept:
        line, counts = f"{line}; {counted(len(kept))} kept", counts | {"corrected_masks": len(kept)}
    return Outcome(line, counts, set_aside)


def relabel_images(recipe: Recipe, train: Dataset, model: Path, masks: Path, number: int) -> None:
    """Label the training images that have no mask in the folder yet."""
    config = recipe.relabel
    left = unfinished(train, masks, ".png")
    if not left:
        return
    predictor = Predictor(load_model(model), config.scales, max_side=recipe.segment.max_side)
    crf = dense_crf(config.crf)
    with bar(f"relabelling, round {number}", len(train), done=len(train) - len(left)) as advance:
        for record, probabilities in predictor(train, left):
            present = train.label_vector(record)
            mask = relabelled(train.read_image(record), probabilities, present, crf, config.confidence)
            write_mask(masks / f"{record.id}.png", mask)
            advance()


def relabelled(
    image: np.ndarray, probabilities: np.ndarray, present: np.ndarray, crf: DenseCRF | None, confidence: float
) -> np.ndarray:
    """Make one mask from a segmenter's probabilities and an image's labels.

    Args:
        image: `(H, W, 3) uint8` RGB.
        probabilities: `(H, W, K + 1)` float, background first.
        present: `(K,)`: 1 for the classes of the image, 0 for the others.
        crf: Dense CRF over the background and the classes present; None for none.
        confidence: Minimum probability of a label; pixels below it become 255. See `RelabelConfig`.

    Returns:
        `(H, W) uint8`: 0 = background, 1..K, 255 = unsure.
    """
    ids = np.flatnonzero(np.append(1, present))
    if len(ids) == 1:
        return np.zeros(image.shape[:2], np.uint8)
    kept = ops.convert_to_numpy(restrict_to_labels(probabilities, present))[..., ids]
    if crf is not None:
        kept = crf(image, kept)
    mask = ids[kept.argmax(axis=-1)].astype(np.uint8)
    return np.where(kept.max(axis=-1) < confidence, np.uint8(255), mask)
