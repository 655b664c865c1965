"""Parameter randomisation: a map that does not change when the model's weights become random ignores the model."""

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
"""An explainer: function from images `(1, H, W, 3)` and targets `(1, T)` to maps `(1, T, H, W)` in [0, 1]."""


class ParameterRandomisation:
    """Cascading randomisation of Adebayo et al., from the top layer down to the image.

    At each stage, the weights of more layers, counted from the output, are redrawn at random. The explainer is built
    again, and its maps are compared with the intact model's maps by Spearman's rank correlation and
    by SSIM (windows of 7 pixels, data range 1). A method that depends on what the model has learnt ends near 0; an edge
    detector stays at 1. The model itself is changed during a stage and restored after it, even after an error.
    Do not use it from another thread meanwhile.

    Args:
        model: The model to explain.
        make: Function that builds the explainer of a model; called once for the intact model and once per stage.
        stages: Number of stages, spread evenly from only the top layer to all layers. A model with fewer layers gets
            fewer stages.
        seed: Random seed of the weights.

    Attributes:
        counts: Number of random layers at each stage.
        layers: Name of the lowest random layer at each stage.

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
            raise InputError(f"model `{model.name}` has no weights to randomise; use a trained model")
        self.model, self.make, self.seed = model, make, seed
        # A single stage is the last one: all layers.
        counts = np.linspace(len(every), 1, int(stages)).round().astype(int)
        self.counts = sorted(set(counts.tolist()))
        self._every = every
        self.layers = [every[count - 1].name for count in self.counts]

    def __call__(self, samples: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]) -> dict[str, Any]:
        """Compare the maps of all samples at every stage.

        Args:
            samples: Function called once for the intact model and once per stage. Each time it must yield the same
                preprocessed images `(H, W, 3)` with their int targets `(T,)`.

        Returns:
            `rank_correlation` and `ssim`, one mean in [-1, 1] per stage (None without maps); the means of the last
            stage as `final_rank_correlation` and `final_ssim`; `layers`; `random_layers`, the number of random layers
            per stage; `all_layers`, the number of layers; `seed`; and `maps`, the number of maps.

        Raises:
            InputError: The explainer does not return one map of the image's size per target.
        """
        method = self.make(self.model)
        intact = [maps for image, targets in samples() for maps in _maps(method, image, targets)]
        rows = []
        with bar("randomising the model", len(self.counts) * max(len(intact), 1), "maps") as advance:
            for count in self.counts:
                del method  # its traces use memory and may hold copies of the old weights
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
        map_hw: `(H, W)` map in [0, 1].
        other_hw: `(H, W)` map in [0, 1].

    Raises:
        InputError: See `wsseg.metrics.rank_correlation`.
    """
    window = min(7, *np.shape(map_hw))
    correlation = rank_correlation(map_hw, other_hw)
    one, two = (np.asarray(values, np.float64) for values in (map_hw, other_hw))
    # SSIM needs a window with an odd number of pixels.
    return correlation, float(
        structural_similarity(one, two, win_size=window - 1 + window % 2, data_range=1.0)
    )


def _maps(method: Method, image: np.ndarray, targets: Sequence[int]) -> np.ndarray:
    """Return the maps of one image, `(T, H, W)`."""
    maps = np.asarray(method(image[None], np.asarray(targets)[None]))[0]
    if maps.shape != (len(targets), *image.shape[:2]):
        raise InputError(f"the explainer gives {maps.shape}; expected {(len(targets), *image.shape[:2])}")
    return maps
