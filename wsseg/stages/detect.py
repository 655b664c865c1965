"""Stage 5 for instances: train a detector on the pseudo-instances, or, as the ceiling, on the true instances."""

from collections.abc import Callable, Mapping
from pathlib import Path

import keras

from wsseg import detectors
from wsseg.class_names import BACKGROUND
from wsseg.datasets import Dataset, Record
from wsseg.errors import InputError
from wsseg.file_names import DETECTOR, HISTORY, INSTANCES
from wsseg.loading.instance_batches import InstanceBatches
from wsseg.objects.instance_files import read_instances
from wsseg.objects.instances import Instances
from wsseg.recipe import Recipe
from wsseg.stages import Outcome
from wsseg.supervision.splits import Splits
from wsseg.training.checkpoints import Checkpoints
from wsseg.training.classifier_weights import initial_options, start_from_classifier
from wsseg.training.device import prepare
from wsseg.training.fitting import fit
from wsseg.training.history import read_history
from wsseg.training.model_files import save_model


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Train the recipe's detector on `4_label/instances`; write `detector.keras` and `history.csv`.

    The records have neither masks nor instances, so those of the training split cannot be read.
    """
    train, set_aside = splits.checked(recipe.dataset.train)
    folder = inputs["label"] / INSTANCES
    return train_detector(
        recipe, inputs, out, train, lambda record: read_instances(folder / f"{record.id}.json"), set_aside
    )


def run_ceiling(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Train the same detector for the same number of epochs on the true instances: the upper bound."""
    train, set_aside = splits.checked(recipe.dataset.train, masks=True)
    known = [record.id for record in train if record.instances is not None]
    if not known:
        raise InputError(f"no image of split `{recipe.dataset.train}` has instances to train on")
    train = train.subset(known)
    return train_detector(recipe, inputs, out, train, train.read_instances, set_aside)


def train_detector(
    recipe: Recipe,
    inputs: Mapping[str, Path],
    out: Path,
    train: Dataset,
    instances: Callable[[Record], Instances],
    set_aside: dict[str, str],
) -> Outcome:
    """Train the recipe's detector on the objects that `instances` returns for each record."""
    config = recipe.detect
    if not (out / DETECTOR).exists():
        prepare(recipe)
        keras.utils.set_random_seed(recipe.seed)
        model = build(recipe, inputs, len(train.classes) + 1)
        model.class_names = (BACKGROUND, *train.classes)
        batches = InstanceBatches(train, instances, config, recipe.seed, config.objects)
        fit(recipe, config, model, batches, model.head_variables, out, "training the detector")
        save_model(model, out / DETECTOR)
    Checkpoints(out).remove()
    last = read_history(out / HISTORY)["loss"][-1]
    counts = {"images": len(train), "epochs": config.epochs, "loss": last}
    line = f"{config.network}, {len(train)} images, {config.epochs} epochs, loss {last:.3f}"
    return Outcome(line, counts, set_aside)


def build(recipe: Recipe, inputs: Mapping[str, Path], num_classes: int) -> keras.Model:
    """Build the recipe's detector with its initial weights."""
    config = recipe.detect
    classifier, options = initial_options(config, inputs)
    model = detectors.create(
        config.network,
        num_classes=num_classes,
        input_size=(config.crop, config.crop),
        **options,
        **config.options,
    )
    if classifier is not None:
        own = [layer for layer in model.trunk.layers if layer.name in model.backbone_layers]
        start_from_classifier(own, classifier, "detect", model.network)
    return model
