"""Stage 2: class maps of the training images, only for the classes in each image's labels."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wsseg import explainers
from wsseg.artifacts import ClassMaps, unfinished
from wsseg.datasets import Dataset
from wsseg.explainers.core import EPSILON
from wsseg.explainers.multi_scale import MultiScale
from wsseg.file_names import CALIBRATION, CLASSIFIER, MAPS
from wsseg.interpolation import without_padding
from wsseg.loading.padded_batches import padded_batches
from wsseg.progress import bar
from wsseg.recipe import LocalizeConfig, Recipe
from wsseg.recipe.decisions import calibrates
from wsseg.refiners.absent_evidence import add_absent_class_evidence
from wsseg.saved_models import load_model
from wsseg.stages import Outcome
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import training_data
from wsseg.training.device import prepare


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Explain every training image's labels; write `maps/ID.npz`.

    If the background level is chosen on a calibration split, the images of that split are also explained, into
    `calibration_maps/`. Existing files are kept, so an interrupted stage resumes.
    """
    config = recipe.localize
    prepare(recipe)
    train, set_aside = training_data(splits, inputs)
    model = load_model(inputs["classify"] / CLASSIFIER)
    if config.output_stride not in (None, model.output_stride):
        model = model.at_output_stride(config.output_stride)
    explainer = explainers.create(config.explainer, model=model)
    wrapped = MultiScale(explainer, config.scales, config.flip, config.map_stride)
    made = write_maps(wrapped, train, out / MAPS, config)
    if calibrates(recipe):
        write_maps(wrapped, splits.calibration(), out / CALIBRATION, config)
    counts = {"images": made, "layer": explainer.layer, "explainer": config.explainer}
    return Outcome(f"class maps of {made} images from layer `{explainer.layer}`", counts, set_aside)


def write_maps(explain: MultiScale, dataset: Dataset, folder: Path, config: LocalizeConfig) -> int:
    """Write the class maps of a dataset's images that are not in `folder` yet.

    A map is the multi-scale sum, divided by its maximum inside the image plus 1e-5 (IRN), so that each class present
    reaches 1 at some pixel. With `scaling: range`, its minimum inside the image is subtracted first (PSA, SEAM). An
    image whose long side exceeds `wsseg.loading.reduction.MAX_SIDE` is reduced to it, and its maps have 1/map_stride of
    the reduced size. The file of maps still states the image's own size, to which the label stage resizes the maps.

    Args:
        explain: Explainer that computes the multi-scale sums.
        dataset: Images with their labels.
        folder: Folder where the maps are written.
        config: Options: batch size, `absent` and `scaling`.

    Returns:
        Number of images with at least one label.
    """
    folder.mkdir(exist_ok=True)
    labelled = [record for record in dataset if record.labels]
    left = unfinished(labelled, folder, ".npz")
    absent, every = config.absent, np.arange(len(dataset.classes))
    width = len(every) if absent else max((len(record.labels) for record in labelled), default=1)
    done = len(labelled) - len(left)
    with bar("class maps", len(labelled), done=done) as advance:
        for batch in padded_batches(dataset, left, config.batch_size):
            ids = [np.flatnonzero(dataset.label_vector(record)) for record in batch.records]
            targets = np.full((len(batch.images), width), -1, np.int32)
            for index, classes in enumerate(ids):
                wanted = every if absent else classes
                targets[index, : len(wanted)] = wanted
            sums = explain.raw(batch.images, targets)
            sizes_hw = zip(batch.sizes_hw, batch.own_sizes_hw)
            for record, classes, (size_hw, own_hw), maps in zip(batch.records, ids, sizes_hw, sums):
                maps = without_padding(maps, size_hw, explain.map_stride)
                if absent:
                    maps = add_absent_class_evidence(maps[classes], np.delete(maps, classes, axis=0), absent)
                inside = maps[: len(classes)]
                if config.scaling == "range":
                    inside = inside - inside.min(axis=(1, 2), keepdims=True)
                inside = inside / (inside.max(axis=(1, 2), keepdims=True) + EPSILON)
                ClassMaps(classes + 1, inside, own_hw).save(folder / f"{record.id}.npz")
                advance()
    return len(labelled)
