"""Train an affinity network on confident labels."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from wsseg import affinity
from wsseg.affinity.cells import grid_of
from wsseg.affinity.losses import AffinityLoss, InterPixelLoss
from wsseg.artifacts import read_mask
from wsseg.datasets import Dataset
from wsseg.file_names import AFFINITY_NETWORK, CLASSIFIER, CONFIDENT_LABELS, HISTORY
from wsseg.loading.pipeline import readers_errors
from wsseg.loading.training_batches import TrainingBatches
from wsseg.recipe import Recipe
from wsseg.saved_models import load_model
from wsseg.training.checkpoints import Checkpoints
from wsseg.training.classifier_weights import start_from_classifier
from wsseg.training.device import prepare
from wsseg.training.fitting import fit
from wsseg.training.history import read_history
from wsseg.training.model_files import save_model

LOSSES = {"psa": AffinityLoss, "irn": InterPixelLoss}


def learn_affinity(
    recipe: Recipe, inputs: Mapping[str, Path], train: Dataset, out: Path
) -> tuple[keras.Model, float]:
    """Train the recipe's affinity network; write `affinity.keras` and `history.csv`.

    Args:
        recipe: Recipe, whose section `propagate` has the options.
        inputs: Folders of earlier stages.
        train: Images with confident labels in `out / CONFIDENT_LABELS`.
        out: Folder of the propagate stage.

    Returns:
        The trained network, and the loss of its last epoch.
    """
    config = recipe.propagate
    prepare(recipe)
    if not (out / AFFINITY_NETWORK).exists():
        keras.utils.set_random_seed(recipe.seed)
        model = build(recipe, inputs)
        batches = TrainingBatches(
            train,
            config,
            recipe.seed,
            "masks",
            lambda record: read_mask(out / CONFIDENT_LABELS / f"{record.id}.png"),
        )
        loss = LOSSES[config.method](grid_of(model, config.method), config.learn_radius)
        head = [variable for layer in new_layers(model) for variable in layer.trainable_variables]
        fit(recipe, config, model, batches, head, out, "training the affinity network", loss)
        if config.method == "irn":
            centre_displacements(model, batches)
        save_model(model, out / AFFINITY_NETWORK)
    Checkpoints(out).remove()
    return load_model(out / AFFINITY_NETWORK), read_history(out / HISTORY)["loss"][-1]


def build(recipe: Recipe, inputs: Mapping[str, Path]) -> keras.Model:
    """Build the recipe's affinity network with its initial weights."""
    config = recipe.propagate
    classifier = load_model(inputs["classify"] / CLASSIFIER)
    backbone = config.backbone or classifier.backbone
    model = affinity.create(
        config.method,
        backbone=backbone,
        output_stride=config.output_stride or classifier.output_stride,
        weights=None if config.weights == "classifier" else config.weights,
        frozen=config.freeze,
    )
    if config.weights == "classifier":
        new = new_layers(model)
        own = [layer for layer in model.layers if layer not in new]
        start_from_classifier(own, classifier, "propagate", f"{config.method} on {backbone}")
    return model


def new_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers that do not belong to the backbone."""
    return [layer for layer in model.layers if layer.name.startswith(("affinity_", "edge", "way"))]


def centre_displacements(model: keras.Model, batches: TrainingBatches) -> None:
    """Measure the mean displacement over the training images, and make the network subtract it."""
    total, count = np.zeros(2), 0
    with readers_errors():
        for images, _ in batches.epoch(0):
            found = model.predict_on_batch(images)[..., 1:]
            total += found.mean(axis=(1, 2)).sum(axis=0)
            count += len(found)
    model.get_layer("way").set_mean(total / count)
