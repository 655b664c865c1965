"""Options of what is known of the training images beside their image-level labels."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SupervisionConfig:
    """What the training images come with: labels alone, and right ones, unless this section says otherwise.

    Inexact: somebody has also marked points, scribbles or boxes. Incomplete: some images come with their masks.
    Inaccurate: some labels are wrong. The three can be combined. The validation split is not concerned.

    Attributes:
        annotations: labels for none; points or scribbles (pixels of known class), or boxes (outside of all boxes of a
            class the class cannot be). The label stage goes by them, once the background level is chosen; the
            classifier has the labels alone.
        annotations_root: Of points and scribbles a folder of `ID.png`, indexed or grayscale, as large as its image:
            0 = background stroke, 1..K = the classes in their order, 255 = unmarked. Of boxes a CSV with the header
            `image,label,left,top,right,bottom`, pixels from edge to edge: 0, 0, 1, 1 is the pixel in the corner. An
            image without a file or row has its labels alone. null for boxes: the dataset's own, where it knows them.
        simulated: Draw the annotations from the true masks, by the recipe's seed: for studies only, as it opens the
            training masks to play the annotator.
        width: Of simulated points and strokes, pixels.
        loosened: Of simulated boxes: each side lies outside the object by up to this share of the box's width or
            height.
        masks_share: Share in [0, 1] of the training images with a mask that come with it: the label stage takes these
            masks as they are. Drawn by the recipe's seed; a larger share holds the smaller one; 1 for all there are.
        rest: With `masks_share`, what becomes of the other images: pseudo_masks (of their labels), unlabelled (the
            segmenter gets them without a mask, for `segment.teacher` to label; their labels are of no use), or ignore
            (they are left out). Class maps are made for the first alone.
        masks_repeat: How often an epoch of the segmenter shows an image that comes with its mask, for each time that it
            shows another: few masks are easily lost among many pseudo-masks. Epochs grow longer by it.
        label_noise: Rate in [0, 1) at which image-level labels of the training images are made wrong, by the recipe's
            seed: see `wsseg.datasets.label_noise`. For studies only.
        clean_labels: none, or confidence: labels of the training images that classifiers trained on the others
            contradict with confidence are turned before the classifier itself is trained: see
            `wsseg.classifiers.confident_learning`.
        clean_folds: How many such classifiers, each trained without one fold of the images.
    """

    annotations: Literal["labels", "points", "scribbles", "boxes"] = "labels"
    annotations_root: str | None = None
    simulated: bool = False
    width: int = 3
    loosened: float = 0.0
    masks_share: float = 0.0
    rest: Literal["pseudo_masks", "unlabelled", "ignore"] = "pseudo_masks"
    masks_repeat: int = 1
    label_noise: float = 0.0
    clean_labels: Literal["none", "confidence"] = "none"
    clean_folds: int = 3
