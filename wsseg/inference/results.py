"""What a loaded model finds in a photograph."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Segmentation:
    """What a segmenter finds in a photograph.

    Attributes:
        mask: `(H, W) uint8`: the class of highest probability per pixel, an index of `classes`.
        probabilities: `(H, W, K) float32` in [0, 1], summing to 1 over the classes.
        classes: Names of the K classes, background first.
    """

    mask: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Classification:
    """What a classifier finds in a photograph.

    Attributes:
        scores: `(K,) float32`: outputs of the model: logits, unless it has an activation.
        probabilities: `(K,) float32` in [0, 1]: the sigmoid of logits; outputs of an activation as they are.
        classes: Names of the K classes.
    """

    scores: np.ndarray
    probabilities: np.ndarray
    classes: tuple[str, ...]
