"""The energy-based pointing game: how much of the map lies on the object?"""

from typing import Any

import numpy as np

from wsseg.metrics.map_checks import checked, region


class EnergyPointingGame:
    r"""Mean share of a map's energy inside the object, of Wang et al., over any number of maps.

    $Proportion = \sum_{(i, j) \in object} L_{ij} / \sum_{(i, j)} L_{ij}$ (section 4.3). The paper uses the
    object's box; any region can be given. A map of zeros counts as 0.

    Example:
        >>> score = EnergyPointingGame()
        >>> score.update(np.array([[3.0, 1.0]]), np.array([[True, False]]))
        >>> score.result()["energy_pointing_game"]
        0.75

    References:
        Wang et al., Score-CAM: Score-Weighted Visual Explanations for CNNs, CVPR Workshops 2020.
    """

    def __init__(self):
        self.maps = self.empty = 0
        self._sum = 0.0

    def update(self, map_hw: np.ndarray, object_hw: np.ndarray, ignored_hw: np.ndarray | None = None) -> None:
        """Count one map.

        Args:
            map_hw: `(H, W)` float, 0 or more.
            object_hw: `(H, W)` bool: pixels of the object, or of its box.
            ignored_hw: `(H, W)` bool: pixels that count neither as inside nor as outside; None if all count.

        Raises:
            InputError: The map is not finite or has a value below 0, or the shapes differ.
        """
        values = checked(map_hw, least=0)
        inside = region("object_hw", object_hw, values.shape)
        if ignored_hw is not None:
            values = np.where(region("ignored_hw", ignored_hw, values.shape), 0, values)
        values = values / max(
            values.max(), np.finfo(float).tiny
        )  # scaled, because the sum of huge values may be infinite
        total = values.sum()
        self.maps += 1
        if total > 0:
            self._sum += float(values[inside].sum() / total)
        else:
            self.empty += 1

    def result(self) -> dict[str, Any]:
        """Return `energy_pointing_game` in [0, 1] (None before anything is counted), `maps`, `empty` (maps of 0)."""
        return {
            "energy_pointing_game": self._sum / self.maps if self.maps else None,
            "maps": self.maps,
            "empty": self.empty,
        }
