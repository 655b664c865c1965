"""Insertion and deletion: how soon the score comes and goes with the pixels that the map ranks first."""

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
    """The score of one class as pixels come and go.

    Attributes:
        shares: `(S + 1,)` float64: the share of the pixels that is inserted or deleted, 0 to 1.
        insertion: `(S + 1,)` float32: probability with this share of the image's pixels in the blurred image.
        deletion: `(S + 1,)` float32: probability with this share filled.
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

    The map's pixels are taken from the most relevant one down, in equal steps: put into the blurred image
    (insertion) or replaced by the fill (deletion). The area under the curve of the class's probability
    over the share of pixels is taken by the trapezoid rule, and averaged over the maps.

    Args:
        scorer: The model.
        steps: How many (the paper: as many as the image has rows, so 224).
        fill: Of deletion; see `fills.filled`. The paper's code fills with 0 after the network's own
            normalisation, which is ImageNet's mean colour.
        start: Of insertion: the image into which pixels are put.
        sigma: Of a blur.
        seed: Of the order of equally relevant pixels.

    Raises:
        InputError: `steps` is not a positive whole number, or there is no such fill.

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
            check_fill(kind, sigma)
        self.scorer, self.steps, self.fill, self.start = scorer, int(steps), fill, start
        self.sigma, self.seed = float(sigma), seed
        self._sums = np.zeros((2, self.steps + 1))
        self._areas = np.zeros(2)
        self.maps = 0

    def update(self, image: np.ndarray, map_hw: np.ndarray, target: int) -> Curves:
        """Measure one map.

        Args:
            image: `(H, W, 3)` RGB in [0, 255], of the model's size.
            map_hw: `(H, W)` real: only its order counts.
            target: The class whose probability is followed.

        Returns:
            Its curves.

        Raises:
            InputError: Sizes do not fit, or the model has no such class.
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
            `insertion` and `deletion` (mean areas in [0, 1], None before anything is measured), the mean
            curves `insertion_curve` and `deletion_curve`, the settings, and `maps`.
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
    """Yield `base` with more and more of its pixels replaced by those of `source`."""
    current = base.reshape(-1, 3).copy()
    for start, end in zip([0, *ends], ends):
        current[order[start:end]] = source.reshape(-1, 3)[order[start:end]]
        yield current.reshape(base.shape).copy()


def _plain(fill: str | Sequence[float]) -> str | list[float]:
    return fill if isinstance(fill, str) else [float(value) for value in fill]
