"""Options of every training: classifier, affinity network, segmenter and detector."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from wsseg.recipe.auto import Auto
from wsseg.recipe.marks import IGNORED_IN_HASH, OMIT_IF_DEFAULT
from wsseg.recipe.ranges import Range, at_least, from_zero, increasing, interval, positive

SCALE = Range(
    "a rising range of positive factors, or null", lambda ends: 0 < ends[0] <= ends[1] <= 16, "try [0.8, 1.4]"
)


@dataclass(frozen=True)
class TrainingConfig:
    """Train a network.

    Attributes:
        crop: Side of the square training crop, in pixels.
        long_side: Range [from, to] of the image's long side, in pixels; each image is scaled to a random size in it.
            Equal ends fix the size.
        scale: Range [from, to] of the factor by which each image is scaled, in place of `long_side`: for images of one
            resolution and many sizes, such as cuttings of a larger photograph. null for `long_side`.
        mirror: Random flips: horizontal, or both (also upside down, for scenes without an up and down).
        jitter: Strength of the photometric jitter in [0, 1]; 0 turns it off.
        epochs: Number of passes over the training images.
        batch_size: Number of images per step.
        optimizer: Optimizer: sgd (momentum 0.9) or adamw.
        learning_rate: Learning rate of the first step; it decays to 0 by the poly rule with power 0.9.
        head_multiplier: Learning rate of the head, as a multiple of the backbone's.
        weight_decay: Decoupled weight decay; each step multiplies it by the learning rate.
        statistics_batches: Maximum number of batches, from one more pass over the training images, on which the means
            and variances of batch normalisation are measured after training; 0 keeps the moving averages.
        callbacks: Keras callbacks that see the training: dotted name of the class -> its options, such as
            `keras.callbacks.CSVLogger: {filename: log.csv, append: true}`. They do not decide whether a stage is done,
            so delete the stage's folder after adding one that changes the training. A resumed training goes on with the
            real epoch number, but what a callback has remembered is lost.
        tensorboard: Event files of TensorBoard, in `tensorboard/` of the stage's folder: loss, learning rate and
            validation values per epoch.
    """

    crop: Annotated[int, at_least(32, "the smallest crop for backbones of stride 32; try 320")] = 320
    long_side: Annotated[tuple[int, int], increasing(16)] = (256, 448)
    scale: Annotated[tuple[float, float] | None, SCALE, OMIT_IF_DEFAULT] = None
    mirror: Literal["horizontal", "both"] = "horizontal"
    jitter: Annotated[float, interval("[0, 1]", "try 0.3")] = 0.0
    epochs: Annotated[int, at_least(1)] = 12
    batch_size: Annotated[int, at_least(1)] = 16
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: Annotated[float, positive("try 0.01")] = 0.01
    head_multiplier: Annotated[float, positive("try 10", below=1e6)] = 1.0
    weight_decay: Annotated[float, from_zero("try 1e-4", below=1e3)] = 1e-4
    # The default changes the result of every training. It is OMIT_IF_DEFAULT all the same, so that finished runs
    # of earlier versions stay done: they are valid results of the code that made them.
    statistics_batches: Annotated[int, from_zero("0 for none; try 50"), OMIT_IF_DEFAULT] = 50
    callbacks: Annotated[dict[str, dict[str, Any]], IGNORED_IN_HASH] = field(default_factory=dict)
    tensorboard: Annotated[bool, IGNORED_IN_HASH] = False


@dataclass(frozen=True)
class ValidatedTrainingConfig(TrainingConfig):
    """Train a network that is measured on validation images between the epochs.

    Attributes:
        validation_images: Maximum number of validation images, evenly spaced by id, on which the network is measured
            between epochs for the curve in `history.csv`; 0 for no curve. A classifier and a weakly supervised
            segmenter are measured by image-level labels alone, a segmenter on true masks also by masks. Training is the
            same with and without the curve.
        keep: Kept epoch: last, or best by the curve's value (mAP of the image-level labels; mIoU of a segmenter on true
            masks). The learning rate ends at 0, so the last is usually as good; and the best is chosen on images that
            are scored, which makes their scores optimistic. The report then says so.
            The classifiers of `supervision.clean_labels` keep their last.
        patience: Number of epochs without a better value after which the training stops, with the best epoch kept; 0
            for no early stopping. The learning rate decays as for all `epochs`, so a training that stops early has not
            seen its small rates.
    """

    validation_images: Annotated[int, from_zero("0 for no curve; try 64"), OMIT_IF_DEFAULT] = 64
    keep: Annotated[Literal["last", "best"], OMIT_IF_DEFAULT] = "last"
    patience: Annotated[int, from_zero("0 for no early stopping; try 5"), OMIT_IF_DEFAULT] = 0


@dataclass(frozen=True)
class PlannedTrainingConfig(ValidatedTrainingConfig):
    """Train a network with options that can be `auto`, which follow from the number and the sizes of the images.

    Attributes:
        crop: Side of the square training crop, in pixels; auto for 0.9 of the images' median long side (classifier) or
            0.8 of it (segmenter), after scaling, to the nearest multiple of 32.
        long_side: Range [from, to] of the image's long side, in pixels; each image is scaled to a random size in it.
            Equal ends fix the size. auto for 0.8 to 1.5 (segmenter: 1.4) times 320 pixels.
        scale: Range [from, to] of the factor by which each image is scaled, in place of `long_side`: for images of one
            resolution and many sizes, such as cuttings of a larger photograph. null for `long_side`; auto for a factor
            if the images' sizes differ much, else null.
        epochs: Number of passes over the training images; auto for as many as a few hundred steps need.
        repeat_rare: Share of the training images below which a class is rare: its images are shown more often, by the
            square root of `repeat_rare` over the class's share, as in LVIS. 0 for no repetition.
    """

    crop: int | Auto = 320
    long_side: tuple[int, int] | Auto = (256, 448)
    scale: Annotated[tuple[float, float] | Auto | None, SCALE, OMIT_IF_DEFAULT] = None
    epochs: int | Auto = 12
    repeat_rare: Annotated[float, interval("[0, 1]", "0 for none; try 0.2"), OMIT_IF_DEFAULT] = 0.0
