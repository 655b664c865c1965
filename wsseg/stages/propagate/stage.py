"""Stage 3: spread the class maps over the image, by affinities that a network learns from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsseg.file_names import CALIBRATION, CONFIDENT_LABELS, INSTANCES, MAPS
from wsseg.recipe import Recipe
from wsseg.recipe.decisions import calibrates
from wsseg.stages import Outcome
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import training_data


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Write `maps/ID.npz`, in the form of the localize stage's maps.

    With method `none`, `maps/` is a link to the localize stage's maps. With the other methods, confident labels are
    made from these maps (`labels/ID.png`, 255 at unsure pixels). A network learns from the labels which neighbours have
    the same class (`affinity.keras`). A random walk over the network's affinities then spreads the maps. No mask is
    read.
    """
    if recipe.propagate.method == "none":
        return pass_through(inputs, out)
    # Imported only when needed, because TensorFlow takes seconds to import.
    from wsseg.stages.propagate.confident_labels import write_confident_labels
    from wsseg.stages.propagate.learn_affinity import learn_affinity
    from wsseg.stages.propagate.walk import walk_dataset

    train, set_aside = training_data(splits, inputs)
    labelled = [record for record in train if record.labels]
    config, maps = recipe.propagate, inputs["localize"] / MAPS
    write_confident_labels(config, labelled, maps, out / CONFIDENT_LABELS, recipe.label)
    model, loss = learn_affinity(recipe, inputs, train.subset([record.id for record in labelled]), out)
    instances = out / INSTANCES if config.instances else None
    walk_dataset(config, model, train, labelled, maps, out / MAPS, instances)
    if calibrates(recipe):
        split = splits.calibration()
        records = [record for record in split if record.labels]
        walk_dataset(config, model, split, records, inputs["localize"] / CALIBRATION, out / CALIBRATION)
    counts: dict[str, Any] = {"images": len(labelled), "method": config.method, "loss": loss}
    line = f"{config.method}: {len(labelled)} images, loss {loss:.3f}; {config.steps} steps at radius {config.radius}"
    return Outcome(line, counts, set_aside)


def pass_through(inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Link the localize stage's maps."""
    count = 0
    for name in (MAPS, CALIBRATION):
        if (inputs["localize"] / name).is_dir():
            link = out / name
            if not link.is_symlink():
                link.symlink_to(Path("..") / inputs["localize"].name / name)
            count += len(list(link.glob("*.npz"))) if name == MAPS else 0
    return Outcome("method none: the class maps pass through", {"images": count, "method": "none"})
