"""How a segmenter learns the scenes from random weights, in minutes on one core."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from examples.segmenters import scenes, small
from wsseg.losses import BalancedCrossEntropy, WithAuxiliary
from wsseg.metrics import ConfusionMatrix
from wsseg.training import optimizers

SCORED = 16  # scenes: the first of those that were learnt, and as many others


@dataclass(frozen=True)
class Lesson:
    """How a network is trained.

    Attributes:
        rate: Adam's, of the backbone; it falls by the poly schedule.
        steps: Of 8 scenes each.
        scenes: Learnt ones. Few are sooner known by heart; more carry further.
        head_multiplier: Rate of the head over the backbone's.
        standardised: Begin with `standardise`.
        options: Of the network, over those of `examples.segmenters.SMALL`.
    """

    rate: float
    steps: int = 150
    scenes: int = 48
    head_multiplier: float = 1.0
    standardised: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def learn(name: str, lesson: Lesson) -> tuple[float, float]:
    """Train a small network; return its mIoU on scenes that it learnt and on others."""
    model, _ = small(name, **lesson.options)
    images, masks = surrounded(model, lesson.scenes)
    if lesson.standardised:
        standardise(model, images[:SCORED])
    train(model, images, masks, lesson)
    return miou(model, images[:SCORED], masks[:SCORED]), miou(model, *surrounded(model, SCORED, "val"))


def surrounded(model, count: int, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Render scenes as large as the logits; where a network has a margin, mirrored images, as U-Net's authors do."""
    images, masks = scenes(count, model.output_shape[1], split)
    border = (model.margin, model.margin)
    return np.pad(images, ((0, 0), border, border, (0, 0)), mode="reflect"), masks


def standardise(model, images: np.ndarray) -> None:
    """Give what each channel of VGG brings to its ReLU mean 0 and variance 1 over some images, layer by layer.

    VGG without batch norm is published with pretrained weights alone. From random ones, of whatever scale, its
    features hardly differ from place to place after 13 layers, and nothing is learnt for hundreds of steps.

    References:
        Krähenbühl et al., Data-dependent Initializations of Convolutional Neural Networks, ICLR 2016, section 3.1:
        the within-layer normalisation †.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.activation is keras.activations.relu:
            kernel, _ = layer.get_weights()
            before = keras.Model(model.inputs[0], layer.input)(images, training=False)
            response = keras.ops.conv(
                before, kernel, layer.strides, layer.padding, dilation_rate=layer.dilation_rate
            )
            mean, deviation = (np.array(f(response, axis=(0, 1, 2))) for f in (keras.ops.mean, keras.ops.std))
            layer.set_weights([kernel / (deviation + 1e-6), -mean / (deviation + 1e-6)])


def train(model, images: np.ndarray, masks: np.ndarray, lesson: Lesson, batch: int = 8) -> None:
    """Train on batches drawn at random, with the second head if there is one, by the package's own optimizer."""
    optimizer = optimizers.create(
        "adamw", lesson.rate, lesson.steps, model.head_variables, lesson.head_multiplier
    )
    optimizer.global_clipnorm = 1.0
    trained, loss = model.with_auxiliary(), BalancedCrossEntropy()
    if trained is not model:
        loss = WithAuxiliary(loss, model.num_classes)
    trained.compile(optimizer, loss)
    random = np.random.default_rng(0)
    for _ in range(lesson.steps):
        chosen = random.choice(len(images), batch, replace=False)
        trained.train_on_batch(images[chosen], masks[chosen])


def miou(model, images: np.ndarray, masks: np.ndarray) -> float:
    """Return the mIoU of a network's predictions."""
    matrix = ConfusionMatrix(model.num_classes)
    for logits, mask in zip(model.predict(images, batch_size=4, verbose=0), masks):
        matrix.update(logits.argmax(-1).astype("uint8"), mask.astype("uint8"))
    return float(matrix.miou())
