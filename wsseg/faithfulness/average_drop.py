"""Average drop and increase in confidence: the model sees the image multiplied by the map."""

from typing import Any

import numpy as np

from wsseg.errors import InputError
from wsseg.faithfulness.pixel_order import image_and_map
from wsseg.faithfulness.scorer import Scorer


class AverageDrop:
    r"""Average drop % and increase in confidence % of Chattopadhyay et al., over any number of maps.

    $Y_i^c$ is the class's probability for image $i$, and $O_i^c$ its probability for the image multiplied by its map
    (RGB values in [0, 255], so pixels become black where the map is 0). The average drop is
    $\frac{100}{N} \sum_i \max(0, Y_i^c - O_i^c) / Y_i^c$; lower is better. The increase in confidence is
    $\frac{100}{N} \sum_i 1[Y_i^c < O_i^c]$; higher is better. A map of ones has no drop at all, since neither
    measure depends on how much of the image a map keeps.

    Args:
        scorer: The model. Maps are collected until they fill a batch or `result` is called.

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
        """Add one map.

        Args:
            image: `(H, W, C)`, RGB in [0, 255], of a size that the model takes.
            map_hw: `(H, W)` in [0, 1].
            target: Index of the class whose probability is measured.

        Raises:
            InputError: The sizes do not match, or a value of the map is outside [0, 1].
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
        # Each image, followed by its masked image: neighbours of the same size share a batch.
        found = self.scorer([image for pair in waiting for image in pair[:2]])
        for row, (_, _, target) in enumerate(waiting):
            if not 0 <= target < found.shape[1]:
                raise InputError(f"`target` must be from 0 to {found.shape[1] - 1}; got {target}")
            before, after = float(found[2 * row, target]), float(found[2 * row + 1, target])
            self._drops.append(max(0.0, before - after) / before if before > 0 else 0.0)
            self._increases += before < after

    def result(self) -> dict[str, Any]:
        """Return the score.

        Returns:
            `average_drop` and `increase_in_confidence`, both in % (None before any map is added), `fill` (a
            description), and `maps`, the number of maps.
        """
        if self._waiting:
            self._measure()
        count = len(self._drops)
        return {
            "average_drop": 100 * float(np.mean(self._drops)) if count else None,
            "increase_in_confidence": 100 * self._increases / count if count else None,
            "fill": "the RGB image times the map",
            "maps": count,
        }
