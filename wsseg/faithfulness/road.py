"""ROAD, remove and debias: pixels are removed in the map's order and imputed, so that the hole reveals little."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wsseg.errors import InputError
from wsseg.faithfulness.noisy_linear_imputation import impute
from wsseg.faithfulness.pixel_order import image_and_map, pixel_order
from wsseg.faithfulness.scorer import Scorer

ORDERS = ("morf", "lerf")


class Road:
    """ROAD of Rong et al. over any number of maps: most (MoRF) and least (LeRF) relevant pixels removed first.

    At each share of removed pixels, two values are averaged over the maps: the class's probability, and whether the
    class is the model's first prediction (the paper's accuracy). A good map's MoRF curve falls early and its LeRF
    curve late. `gap` = (mean LeRF - mean MoRF) / 2 of the probabilities combines both; higher is better.

    Args:
        scorer: The model.
        shares: Shares of removed pixels, each in (0, 1).
        noise: Standard deviation of the noise, as a share of 255; see `noisy_linear_imputation.impute`.
        seed: Random seed of the noise and of the order of equally relevant pixels.

    Raises:
        InputError: A share is outside (0, 1), or the noise is negative.

    References:
        Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution Methods, ICML 2022.
        `gap` is defined as in the library pytorch-grad-cam†.
    """

    def __init__(
        self,
        scorer: Scorer,
        shares: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
        noise: float = 0.01,
        seed: int = 0,
    ):
        if not len(shares) or not all(0 < share < 1 for share in shares):
            raise InputError(f"`shares` must be in (0, 1); got {list(shares)}; try 0.1, 0.5, 0.9")
        if not 0 <= noise < np.inf:
            raise InputError(f"`noise` must be a share of 255 from 0; got {noise}; try 0.01")
        self.scorer, self.shares = scorer, tuple(float(share) for share in shares)
        self.noise, self.seed = float(noise), seed
        self._sums = np.zeros((2, 2, len(self.shares)))  # MoRF and LeRF; probability and first
        self.maps = 0

    def update(self, image: np.ndarray, map_hw: np.ndarray, target: int) -> np.ndarray:
        """Measure one map.

        Args:
            image: `(H, W, C)`, RGB in [0, 255], of a size that the model takes.
            map_hw: `(H, W)` real map; only the order of its values matters.
            target: Index of the class whose probability is measured.

        Returns:
            `(2, S)` float32: probabilities at each share, for MoRF and LeRF.

        Raises:
            InputError: The sizes do not match, or the model has no such class.
        """
        image, values = image_and_map(image, map_hw)
        order = pixel_order(values, self.seed)
        random = np.random.default_rng(self.seed)
        images = (
            impute(image, self._removed(ranked, share, values.shape), self.noise, random)
            for ranked in (order, order[::-1])
            for share in self.shares
        )
        found = self.scorer(images)
        if not 0 <= target < found.shape[1]:
            raise InputError(f"`target` must be from 0 to {found.shape[1] - 1}; got {target}")
        scores = found[:, target].reshape(2, -1)
        first = (found.argmax(axis=1) == target).reshape(2, -1)
        self._sums += np.stack([scores, first], axis=1)
        self.maps += 1
        return scores

    @staticmethod
    def _removed(order: np.ndarray, share: float, shape: tuple[int, ...]) -> np.ndarray:
        removed = np.zeros(order.size, bool)
        removed[order[: min(round(share * order.size), order.size - 1)]] = True
        return removed.reshape(shape)

    def result(self) -> dict[str, Any]:
        """Return the score.

        Returns:
            `gap`; `morf` and `lerf`, mean probabilities over shares and maps (all three None before any map is
            measured); their curves over `shares` (`morf_curve`, `lerf_curve`); the curves of the accuracy
            (`morf_accuracy`, `lerf_accuracy`); the settings; and `maps`, the number of maps.
        """
        settings = {"shares": list(self.shares), "noise": self.noise, "seed": self.seed, "maps": self.maps}
        if not self.maps:
            return {"gap": None, "morf": None, "lerf": None} | settings
        curves = self._sums / self.maps
        means = dict(zip(ORDERS, curves[:, 0].mean(axis=1)))
        result = {"gap": float(means["lerf"] - means["morf"]) / 2}
        result |= {name: float(means[name]) for name in ORDERS}
        for name, (scores, first) in zip(ORDERS, curves):
            result |= {f"{name}_curve": scores.round(6).tolist(), f"{name}_accuracy": first.tolist()}
        return result | settings
