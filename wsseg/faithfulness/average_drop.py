"""Average drop and increase in confidence: the model sees only what the map leaves of the image."""

from typing import Any

import numpy as np

from wsseg.errors import InputError
from wsseg.faithfulness.pixel_order import image_and_map
from wsseg.faithfulness.scorer import Scorer


class AverageDrop:
    r"""Average drop % and increase in confidence % of Chattopadhyay et al., over any number of maps.

    With $Y_i^c$ the probability of the class on image $i$ and $O_i^c$ that on the image times its map (the RGB
    values in [0, 255], so that it is black where the map is 0), the average drop is $\frac{100}{N} \sum_i
    \max(0, Y_i^c - O_i^c) / Y_i^c$, lower is better, and the increase in confidence is $\frac{100}{N} \sum_i
    1[Y_i^c < O_i^c]$, higher is better. A map of ones has no drop at all: these two say nothing of how
    little of the image a map needs.

    Args:
        scorer: The model. Maps wait until they fill a batch, or `result` is asked for.

    References:
        Chattopadhyay et al., Grad-CAM++: Generalized Gradient-based Visual Explanations for Deep Convolutional
        Networks, WACV 2018, section 4.1.
    """

    def __init__(self, scorer: Scorer):
        self.scorer = scorer
        self._waiting: list[tuple[np.ndarray, np.ndarray, int]] = []
        self._drops: list[float] = []
        self._increases = 0

    def update(self, image: np.ndarray, map_hw: np.ndarray, target: int) -> None:
        """Take one map.

        Args:
            image: `(H, W, 3)` RGB in [0, 255], of the model's size.
            map_hw: `(H, W)` in [0, 1].
            target: The class whose probability is followed.

        Raises:
            InputError: Sizes do not fit, or the map leaves [0, 1].
        """
        image, values = image_and_map(image, map_hw)
        if values.min() < 0 or values.max() > 1:
            raise InputError(
                f"`map_hw` must lie in [0, 1]; got {values.min():.4g}..{values.max():.4g}; divide by its maximum"
            )
        self._waiting.append((image, (image * values[..., None]).astype(np.float32), int(target)))
        if 2 * len(self._waiting) >= self.scorer.batch_size:
            self._measure()

    def _measure(self) -> None:
        waiting, self._waiting = self._waiting, []
        # Images, then maps' images: neighbours of one size go through together.
        found = self.scorer([image for pair in waiting for image in pair[:2]])
        for row, (_, _, target) in enumerate(waiting):
            if not 0 <= target < found.shape[1]:
                raise InputError(f"`target` must be from 0 to {found.shape[1] - 1}; got {target}")
            before, after = float(found[2 * row, target]), float(found[2 * row + 1, target])
            self._drops.append(max(0.0, before - after) / before if before > 0 else 0.0)
            self._increases += before < after

    def result(self) -> dict[str, Any]:
        """Return `average_drop` and `increase_in_confidence`, both in % (None before anything is measured), `maps`."""
        if self._waiting:
            self._measure()
        count = len(self._drops)
        return {
            "average_drop": 100 * float(np.mean(self._drops)) if count else None,
            "increase_in_confidence": 100 * self._increases / count if count else None,
            "fill": "the RGB image times the map",
            "maps": count,
        }
