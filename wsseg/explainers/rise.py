"""RISE: the mean of random masks, each weighted by the score of the masked image."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wsseg.errors import InputError, require_whole
from wsseg.explainers.masking import Masking
from wsseg.explainers.perturbation import pair
from wsseg.explainers.score import Score
from wsseg.interpolation import interpolation


class RISE(Masking):
    r"""Randomized input sampling for explanation (Petsiuk et al. 2018, equation 6 and section 3.2)†.

    $S(\lambda) = \frac{1}{N p} \sum_i f(X \circ M_i) M_i(\lambda)$ over N random masks: an unbiased estimate of the
    expected score given that pixel $\lambda$ is visible. $f$ is the model's own output: a probability if the model ends
    in a softmax or sigmoid, else a logit.

    A mask is a grid of `cells`, each 1 with probability p. It is enlarged bilinearly (half-pixel centres, border
    repeated) to one cell more than the image, and cropped to the image at a uniformly random shift of less than one
    cell. With cells of $C = \lceil H / h \rceil$ pixels, the enlarged mask has $(h + 1) C$ rows, and the shift is
    from 0 to $C - 1$; the same holds for the width. The masks depend only on the seed and the image's size, so all
    images of a batch get the same masks, for every `batch_size`.

    Every pixel of such a map contains part of the mean score. A call therefore stretches each map from its minimum
    (to 0) to its maximum (to 1), as the authors show it†. With `centred=True` the mean score is subtracted first,
    $\frac{1}{N p} \sum_i (f(X \circ M_i) - \bar f) M_i(\lambda)$. The map is then positive where a visible pixel raises
    the score. Its expectation is $S(\lambda) - \bar f$, without the noise of how often a pixel happened to be visible.
    Such a map is divided by its maximum, as in other methods.

    Args:
        model: Any Keras model with an image among its inputs; it needs no spatial layer.
        layer: Must be None: the image itself is explained.
        output: Name or position of the output, for a model with several outputs.
        samples: Number N of masks; the paper uses 4,000 for VGG16 and 8,000 for ResNet50†.
        cells: Cells of the grid, one number or (rows, columns).
        probability: Probability p that a cell is visible.
        centred: Whether to subtract the mean score.
        seed: Random seed of the masks.
        fill: Values where a mask is 0, in the model's input space: a number, one number per channel, or "mean".
        batch_size: Masked images per forward pass; None for as many pixels as 16 images of 224 x 224 have.
        progress: Show a progress bar for each image.
        image: Name or position of the explained image, for a model with several images.

    Raises:
        InputError: An option has an invalid value, or there are more cells than pixels.

    References:
        Petsiuk et al., RISE: Randomized Input Sampling for Explanation of Black-box Models, BMVC 2018.
        († quoted from memory.)

    Example:
        >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
        >>> RISE(model, samples=20, cells=4)(np.ones((1, 8, 8, 1)), [1]).shape
        (1, 8, 8)
    """

    at_layer = False

    def __init__(
        self,
        model: keras.Model,
        layer: None = None,
        output: str | int | None = None,
        *,
        samples: int = 4000,
        cells: int | tuple[int, int] = 7,
        probability: float = 0.5,
        centred: bool = False,
        seed: int = 0,
        fill: float | Sequence[float] | str = 0.0,
        batch_size: int | None = None,
        progress: bool = False,
        image: str | int | None = None,
    ):
        super().__init__(
            model, layer, output, fill=fill, batch_size=batch_size, progress=progress, image=image
        )
        self.samples = require_whole("samples", samples, hint="try 4000")
        self.cells = pair("cells", cells, "try 7")
        if (
            isinstance(probability, bool)
            or not isinstance(probability, (int, float))
            or not 0 < probability <= 1
        ):
            raise InputError(f"`probability` must be a number in (0, 1]; got {probability!r}; try 0.5")
        seed = require_whole("seed", seed, least=0)
        self.probability, self.centred, self.seed = float(probability), centred, seed

    def __call__(self, images: Any, targets: Any = None) -> np.ndarray:
        """Return the maps at the image's size, stretched to [0, 1]; if centred, each divided by its maximum.

        Args:
            images: See `Explainer.raw`.
            targets: See `Explainer.raw`.

        Returns:
            `(B, H, W)` or `(B, T, H, W)` float32 in [0, 1]; a constant map becomes 0.
        """
        if self.centred:
            return super().__call__(images, targets)
        maps = self.raw(images, targets)
        maps = maps - maps.min(axis=(-2, -1), keepdims=True)
        peak = maps.max(axis=(-2, -1), keepdims=True)
        return np.divide(maps, peak, out=np.zeros_like(maps), where=peak > 0)

    def masks(
        self, fixed: Sequence[tf.Tensor], rows: Sequence[tf.Tensor], height: Any, width: Any
    ) -> tf.Tensor:
        """Enlarge and shift the grids of n masks."""
        tables, (grids, shifts) = fixed, rows
        down, across = (tf.gather(table, shifts[:, axis]) for axis, table in enumerate(tables))
        return down @ tf.cast(grids, tf.float32) @ tf.transpose(across, (0, 2, 1))

    def map_of_image(self, inputs: Sequence[tf.Tensor], score: Score, text: str) -> np.ndarray:
        """Run the masked images and add up the masks."""
        size_hw = inputs[self.network.image].shape[1:3]
        if self.cells[0] > size_hw[0] or self.cells[1] > size_hw[1]:
            raise InputError(
                f"`cells` is {self.cells}, more than the image has pixels, {tuple(size_hw)}; try 7"
            )
        tables = [shifted(size, cells) for size, cells in zip(size_hw, self.cells)]
        random = np.random.default_rng(self.seed)
        grids = random.random((self.samples, *self.cells), np.float32) < self.probability
        shifts = random.integers([len(table) for table in tables], size=(self.samples, 2), dtype=np.int32)
        scores = self.scores(
            inputs,
            score,
            [grids, shifts],
            fixed=[table.astype(np.float32) for table in tables],
            fitting=self.fitting(inputs),
            own=True,
            text=text,
        )
        if self.centred:
            scores = scores - scores.mean(axis=0)
        # Masks of the same shift are enlarged by the same matrices, so their grids are summed first.
        sums = np.zeros((len(tables[0]), len(tables[1]), scores.shape[1], *self.cells))
        np.add.at(sums, (shifts[:, 0], shifts[:, 1]), scores[:, :, None, None] * grids[:, None])
        total = np.einsum(
            "yhi,ytiw->thw",
            tables[0],
            np.einsum("yxtij,xwj->ytiw", sums, tables[1], optimize=True),
            optimize=True,
        )
        return total / (self.samples * self.probability)


def shifted(size: int, cells: int) -> np.ndarray:
    """Return the matrices that enlarge a row of cells, one for each shift.

    Args:
        size: Length of the row in pixels.
        cells: Number of cells in the row; enlarged, they have `(cells + 1) * C` pixels, C = ceil(size / cells).

    Returns:
        `(C, size, cells)` float64; each row of a matrix sums to 1.

    Example:
        >>> shifted(4, 2)[1].round(2).tolist()  # pixels 1 to 4 of the 6 that two cells have
        [[1.0, 0.0], [0.67, 0.33], [0.33, 0.67], [0.0, 1.0]]
    """
    pixels = -(-size // cells)
    positions = np.arange(size) + np.arange(pixels)[:, None]
    return interpolation((positions + 0.5) * cells / ((cells + 1) * pixels) - 0.5, cells)
