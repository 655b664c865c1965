"""Parameter randomisation: a map that stays as it was when the model forgets all it knows is not about the model."""

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from skimage.metrics import structural_similarity

from wsseg.errors import InputError, require_whole
from wsseg.faithfulness.random_weights import layers_from_the_top, randomised
from wsseg.metrics.rank_correlation import rank_correlation
from wsseg.progress import bar

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""An explainer: images `(1, H, W, 3)`, targets `(1, T)` -> maps `(1, T, H, W)` in [0, 1]."""


class ParameterRandomisation:
    """Cascading randomisation of Adebayo et al., from the top layer down to the image.

    At each stage some more layers, counted from the output, have their weights drawn anew; the explainer is built
    again, and its maps are compared with those of the intact model by Spearman's rank correlation and
    by SSIM (windows of 7 pixels, data range 1). A method that depends on what the model has learnt ends near 0; an edge
    detector stays at 1. The model itself is changed while a stage runs and is put back after it, also
    when something fails: never use it from another thread meanwhile.

    Args:
        model: The model to explain.
        make: Builds the explainer of a model; called once for the intact model and once a stage.
        stages: How many; they are spread evenly, from the top layer alone to all layers. Fewer layers, fewer stages.
        seed: Of the random weights.

    Attributes:
        counts: `(S,)`: how many layers are random at each stage.
        layers: The lowest random layer's name at each stage.

    Raises:
        InputError: The model has no weights, or `stages` is not a positive whole number.

    References:
        Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, section 4 (cascading randomization).
    """

    def __init__(
        self, model: keras.Model, make: Callable[[keras.Model], Method], stages: int = 5, seed: int = 0
    ):
        stages = require_whole("stages", stages, hint="try 5")
        every = layers_from_the_top(model)
        if not every:
            raise InputError(f"model `{model.name}` has no weights to draw anew")
        self.model, self.make, self.seed = model, make, seed
        # A single stage is the last one: all layers.
        counts = np.linspace(len(every), 1, int(stages)).round().astype(int)
        self.counts = sorted(set(counts.tolist()))
        self._every = every
        self.layers = [every[count - 1].name for count in self.counts]

    def __call__(self, samples: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]) -> dict[str, Any]:
        """Compare the maps of all samples at every stage.

        Args:
            samples: Called once a stage and once before; yields the same `(H, W, 3)` preprocessed images and
                their `(T,)` int targets each time.

        Returns:
            `rank_correlation` and `ssim`, a mean in [-1, 1] for each stage (None of no map), those of the last
            stage as `final_rank_correlation` and `final_ssim`, `layers`, `random_layers` (their
            numbers), `all_layers`, `seed` and `maps`.

        Raises:
            InputError: The explainer gives something else than maps of the images.
        """
        method = self.make(self.model)
        intact = [maps for image, targets in samples() for maps in _maps(method, image, targets)]
        rows = []
        with bar("randomising the model", len(self.counts) * max(len(intact), 1), "maps") as advance:
            for count in self.counts:
                del method  # its traces hold memory, and perhaps copies of the old weights
                gc.collect()
                with randomised(self._every[:count], self.seed):
                    method = self.make(self.model)
                    found = []
                    for image, targets in samples():
                        for maps in _maps(method, image, targets):
                            found.append(similarities(intact[len(found)], maps))
                            advance()
                rows.append(np.mean(found, axis=0) if found else np.full(2, np.nan))
        table = [[None if np.isnan(value) else float(value) for value in row] for row in rows]
        return {
            "final_rank_correlation": table[-1][0],
            "final_ssim": table[-1][1],
            "rank_correlation": [row[0] for row in table],
            "ssim": [row[1] for row in table],
            "layers": self.layers,
            "random_layers": self.counts,
            "all_layers": len(self._every),
            "seed": self.seed,
            "maps": len(intact),
        }


def similarities(map_hw: np.ndarray, other_hw: np.ndarray) -> tuple[float, float]:
    """Return the rank correlation and the SSIM of two maps in [0, 1].

    Args:
        map_hw: `(H, W)` in [0, 1].
        other_hw: The same shape.

    Raises:
        InputError: As in `wsseg.metrics.rank_correlation`.
    """
    window = min(7, *np.shape(map_hw))
    correlation = rank_correlation(map_hw, other_hw)
    one, two = (np.asarray(values, np.float64) for values in (map_hw, other_hw))
    # A window has an odd number of pixels.
    return correlation, float(
        structural_similarity(one, two, win_size=window - 1 + window % 2, data_range=1.0)
    )


def _maps(method: Method, image: np.ndarray, targets: Sequence[int]) -> np.ndarray:
    """Return the maps of one image, `(T, H, W)`."""
    maps = np.asarray(method(image[None], np.asarray(targets)[None]))[0]
    if maps.shape != (len(targets), *image.shape[:2]):
        raise InputError(f"the explainer gives {maps.shape}; expected {(len(targets), *image.shape[:2])}")
    return maps
