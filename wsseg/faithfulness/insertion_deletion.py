"""Insertion and deletion: how fast the score rises or falls as the pixels ranked first by the map come or go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wsseg.errors import require_whole
from wsseg.faithfulness.fills import check_fill, filled
from wsseg.faithfulness.pixel_order import image_and_map, pixel_order
from wsseg.faithfulness.scorer import Scorer


@dataclass(frozen=True)
class Curves:
    """The probability of one class as pixels are inserted and deleted.

    Attributes:
        shares: `(S + 1,)` float64: share of the pixels that is inserted or deleted, 0 to 1.
        insertion: `(S + 1,)` float32: probability with this share of the pixels inserted into the start image.
        deletion: `(S + 1,)` float32: probability with this share of the pixels replaced by the fill.
    """

    shares: np.ndarray
    insertion: np.ndarray
    deletion: np.ndarray

    @property
    def insertion_auc(self) -> float:
        """Area under the insertion curve, in [0, 1]; higher is better."""
        return float(np.trapezoid(self.insertion, self.shares))

    @property
    def deletion_auc(self) -> float:
        """Area under the deletion curve, in [0, 1]; lower is better."""
        return float(np.trapezoid(self.deletion, self.shares))


class InsertionDeletion:
    """Insertion and deletion of Petsiuk et al. over any number of maps.

    Starting with the most relevant pixel, the image's pixels are inserted into the start image (insertion) or
    replaced by the fill (deletion), in equal steps. The area under the curve of the class's probability
    over the share of pixels is computed by the trapezoid rule, and averaged over the maps.

    Args:
        scorer: The model.
        steps: Number of steps (the paper uses the image's number of rows, 224).
        fill: Fill of deletion; see `fills.filled`. The paper's code fills with 0 after the network's own
            normalisation, which is ImageNet's mean colour.
        start: Fill that makes the start image of insertion; see `fills.filled`.
        sigma: Standard deviation in pixels of the fill "blur".
        seed: Random seed of the order of equally relevant pixels.

    Raises:
        InputError: `steps` is not a positive whole number, or a fill is unknown.

    References:
        Petsiuk et al., RISE: Randomized Input Sampling for Explanation of Black-box Models, BMVC 2018,
        section 4.2 and algorithm 1.
    """

    def __init__(
        self,
        scorer: Scorer,
        steps: int = 50,
        fill: str | Sequence[float] = "mean",
        start: str | Sequence[float] = "blur",
        sigma: float = 5.0,
        seed: int = 0,
    ):
        steps = require_whole("steps", steps, hint="try 50")
        for kind in (fill, start):
            check_fill(kind, sigma, scorer.channels)
        self.scorer, self.steps, self.fill, self.start = scorer, int(steps), fill, start
        self.sigma, self.seed = float(sigma), seed
        self._sums = np.zeros((2, self.steps + 1))
        self._areas = np.zeros(2)
        self.maps = 0

    def update(self, image: np.ndarray, map_hw: np.ndarray, target: int) -> Curves:
        """Measure one map.

        Args:
            image: `(H, W, C)`, RGB in [0, 255], of a size that the model takes.
            map_hw: `(H, W)` real map; only the order of its values matters.
            target: Index of the class whose probability is measured.

        Returns:
            The curves of this map.

        Raises:
            InputError: The sizes do not match, or the model has no such class.
        """
        image, values = image_and_map(image, map_hw)
        order = pixel_order(values, self.seed)
        ends = np.round(np.linspace(0, order.size, self.steps + 1)).astype(int)
        images = (
            perturbed
            for base, source in (
                (filled(image, self.start, self.sigma), image),
                (image, filled(image, self.fill, self.sigma)),
            )
            for perturbed in _replaced(base, source, order, ends)
        )
        found = self.scorer.of_class(images, target)
        curves = Curves(ends / order.size, *np.split(found, 2))
        self._sums += np.stack([curves.insertion, curves.deletion])
        self._areas += curves.insertion_auc, curves.deletion_auc
        self.maps += 1
        return curves

    def result(self) -> dict[str, Any]:
        """Return the score.

        Returns:
            `insertion` and `deletion` (mean areas in [0, 1], None before any map is measured), the mean
            curves `insertion_curve` and `deletion_curve`, the settings, and `maps`, the number of maps.
        """
        settings = {"steps": self.steps, "fill": _plain(self.fill), "start": _plain(self.start)}
        settings |= {"sigma": self.sigma, "seed": self.seed, "maps": self.maps}
        if not self.maps:
            return {"insertion": None, "deletion": None} | settings
        areas, curves = self._areas / self.maps, self._sums / self.maps
        return {
            "insertion": float(areas[0]),
            "deletion": float(areas[1]),
            "insertion_curve": curves[0].round(6).tolist(),
            "deletion_curve": curves[1].round(6).tolist(),
        } | settings


def _replaced(
    base: np.ndarray, source: np.ndarray, order: np.ndarray, ends: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield one image per step: `base` with a growing share of its pixels replaced by those of `source`."""
    current, pixels = base.reshape(-1, base.shape[-1]).copy(), source.reshape(-1, base.shape[-1])
    for start, end in zip([0, *ends], ends):
        current[order[start:end]] = pixels[order[start:end]]
        yield current.reshape(base.shape).copy()


def _plain(fill: str | Sequence[float]) -> str | list[float]:
    return fill if isinstance(fill, str) else [float(value) for value in fill]
