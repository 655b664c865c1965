"""Options of what is known of the training images beside their image-level labels."""

from dataclasses import dataclass
from typing import Annotated, Literal

from wsseg.recipe.ranges import Range, at_least, interval


@dataclass(frozen=True)
class SupervisionConfig:
    """Say what the training images come with; by default image-level labels alone, all of them correct.

    Inexact: somebody has also marked points, scribbles or boxes. Incomplete: some images come with their masks.
    Inaccurate: some labels are wrong. The three can be combined. The validation split is not concerned.

    Attributes:
        annotations: Annotations beside the labels: labels (none), points or scribbles (pixels of known class), or boxes
            (a class cannot be outside all of its boxes). The label stage uses them after the background level is
            chosen; the classifier sees only the labels.
        annotations_root: Source of the annotations. For points and scribbles, a folder of `ID.png`, indexed or
            grayscale, of the image's size: 0 = background stroke, 1..K = the classes in order, 255 = unmarked. For
            boxes, a CSV with the header `image,label,left,top,right,bottom`, in pixels from edge to edge: 0, 0, 1, 1 is
            the pixel in the top left corner. Images without a file or row have only their labels. null with boxes: the
            dataset's own, if it has them.
        simulated: Simulation of the annotations from the true masks, with the recipe's seed. For studies only: it reads
            the training masks.
        width: Width of simulated points and strokes, in pixels.
        loosened: Maximum distance of a simulated box's side from the object, as a share of the box's width or height;
            each side lies outside by a random distance up to it.
        masks_share: Share in [0, 1] of the training images with a mask whose masks are given; the label stage takes
            them as they are. Drawn with the recipe's seed; a larger share contains the smaller one; 1 for all.
        rest: Use of the other images where `masks_share` is set: pseudo_masks (from their labels), unlabelled (the
            segmenter gets them without a mask, for `segment.teacher` to label; their labels are not used), or ignore
            (they are left out). Only pseudo_masks makes class maps.
        masks_repeat: Number of times that the segmenter sees each image with a given mask, or one corrected by hand
            (`wsseg correct`), per epoch, while it sees others once. It keeps few masks from being lost among many
            pseudo-masks; epochs become longer.
        label_noise: Rate in [0, 1) of wrong image-level labels in the training split, drawn with the recipe's seed (see
            `wsseg.datasets.label_noise`). For studies only.
        clean_labels: Correction of labels before the classifier is trained: none, or confidence (labels are flipped if
            classifiers trained on the other images contradict them with confidence; see
            `wsseg.classifiers.confident_learning`).
        clean_folds: Number of classifiers for `clean_labels: confidence`, each trained without one fold of the images.
    """

    annotations: Literal["labels", "points", "scribbles", "boxes"] = "labels"
    annotations_root: str | None = None
    simulated: bool = False
    width: Annotated[int, Range("at least 1 pixel", lambda n: n >= 1, "try 3")] = 3
    loosened: Annotated[float, Range("0 or more", lambda x: 0 <= x <= 10, "try 0.1")] = 0.0
    masks_share: Annotated[float, interval("[0, 1]", "try 0.1")] = 0.0
    rest: Literal["pseudo_masks", "unlabelled", "ignore"] = "pseudo_masks"
    masks_repeat: Annotated[int, Range("1 for as often as others, or more", lambda n: n >= 1)] = 1
    label_noise: Annotated[float, interval("[0, 1)", "0 for none; try 0.2")] = 0.0
    clean_labels: Literal["none", "confidence"] = "none"
    clean_folds: Annotated[int, at_least(2, "try 3")] = 3
