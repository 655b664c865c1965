"""The fully connected CRF with Gaussian edge potentials, which sharpens probabilities along colour edges."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from wsseg.catalogue import load
from wsseg.errors import InputError, nearest, require_whole
from wsseg.refiners.dense_crf.checks import check_image, check_shape, check_values
from wsseg.refiners.dense_crf.presets import PRESETS

BACKENDS = {
    "numba": "wsseg.refiners.dense_crf.numba_backend:mean_field",
    "keras": "wsseg.refiners.dense_crf.keras_backend:mean_field",
    "pydensecrf": "wsseg.refiners.dense_crf.pydensecrf_backend:mean_field",
}
"""Implementations of the mean field: `(crf, image, probs) -> marginals`."""


@dataclass(frozen=True)
class DenseCRF:
    """Mean field in a fully connected CRF with two Gaussian kernels.

    Q starts from softmax(-unary). Each iteration sets Q = softmax(-unary - mu sum_m w_m k_m(Q)). k_m is a Gaussian
    filter over all pixels, normalised symmetrically: norm * filter(norm * Q), with norm = 1 / sqrt(filter(1)). mu is
    the cost of a pair of labels: 1 if they differ (Potts). The smoothness kernel uses the features (x, y) /
    gaussian_sxy; the appearance kernel uses (x, y) / bilateral_sxy and (r, g, b) / bilateral_srgb. unary =
    -log(clip(probability, 1e-5, 1)). The filters use the permutohedral lattice, as in the authors' code, which
    approximates the Gaussian.

    Run the CRF only over the background and the classes present in the image: the time grows with K, and absent classes
    do not change the labels. `over_present` does this.

    Args:
        gaussian_sxy: Standard deviation of the smoothness kernel, pixels.
        gaussian_weight: Weight of the smoothness kernel; 0 turns it off.
        bilateral_sxy: Positional standard deviation of the appearance kernel, pixels.
        bilateral_srgb: Colour standard deviation of the appearance kernel, in 0..255 units.
        bilateral_weight: Weight of the appearance kernel; 0 turns it off.
        iterations: Number of mean-field iterations.
        backend: Name in `BACKENDS`: `numba` is our own for CPUs, `keras` is for GPUs (ten times as slow on a CPU), and
            `pydensecrf` is the field's reference. Their results are equal to 1e-3, and their labels on more than
            99.95 % of the pixels.
        compatibility: mu: the factor of Potts, or a symmetric matrix (K, K) with the cost of label k beside label l.
            A matrix is kept as a tuple of tuples.

    Raises:
        InputError: A value is out of range, or the backend does not exist.

    Example:
        >>> image = np.zeros((4, 6, 3), np.uint8)
        >>> image[:, 3:] = 255
        >>> probabilities = np.full((4, 6, 2), 0.5, np.float32)
        >>> probabilities[0, 0] = 0.9, 0.1
        >>> probabilities[0, 5] = 0.1, 0.9
        >>> DenseCRF.preset("irn")(image, probabilities).argmax(-1)[2].tolist()
        [0, 0, 0, 1, 1, 1]

    References:
        Kraehenbuehl and Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials,
        NIPS 2011: equations 2 and 3 (compatibility, kernels), algorithm 1 (mean field).
    """

    gaussian_sxy: float = 3
    gaussian_weight: float = 3
    bilateral_sxy: float = 50
    bilateral_srgb: float = 5
    bilateral_weight: float = 10
    iterations: int = 10
    backend: str = "numba"
    compatibility: float | Sequence[Sequence[float]] = 1

    def __post_init__(self) -> None:
        for name in ("gaussian_sxy", "bilateral_sxy", "bilateral_srgb"):
            if not 0 < getattr(self, name) < np.inf:
                raise InputError(f"`{name}` must be positive; got {getattr(self, name)}; see DenseCRF.preset")
        for name in ("gaussian_weight", "bilateral_weight"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InputError(f"`{name}` must be 0 or more; got {getattr(self, name)}; 0 turns it off")
        require_whole("iterations", self.iterations, hint="try 10")
        if self.backend not in BACKENDS:
            raise InputError(
                f"unknown CRF backend `{self.backend}`; choose one of: {', '.join(sorted(BACKENDS))}"
            )
        object.__setattr__(self, "compatibility", _checked_compatibility(self.compatibility))

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> "DenseCRF":
        """Return the CRF of a public code.

        Args:
            name: Name of the preset: `irn`, `psa`, `deeplab_v2` or `toco`.
            **overrides: Parameters that differ from the preset, such as `iterations=5`.

        Returns:
            The CRF.

        Raises:
            InputError: The preset or parameter does not exist; the message suggests the nearest.

        Example:
            >>> DenseCRF.preset("deeplab_v2", iterations=5).bilateral_sxy
            67
        """
        if name not in PRESETS:
            raise InputError(f"unknown CRF preset `{name}`; {nearest(name, PRESETS)}")
        known = [field.name for field in fields(cls)]
        for option in overrides:
            if option not in known:
                raise InputError(f"DenseCRF has no parameter `{option}`; {nearest(option, known)}")
        return cls(**(PRESETS[name] | overrides))

    def __call__(self, image: np.ndarray, probs: np.ndarray) -> np.ndarray:
        """Refine the probabilities of one image.

        Args:
            image: `(H, W, 3) uint8` RGB in 0..255.
            probs: `(H, W, K) float` in [0, 1], summing to 1 over K (to 1e-3).

        Returns:
            `(H, W, K) float32` marginals, summing to 1; all ones for K = 1.

        Raises:
            InputError: The dtype, axis order, size or normalisation is wrong; the message says what is expected.
        """
        image, probs = np.asarray(image), np.asarray(probs)
        check_image(image)
        check_shape(probs, image.shape[:2])
        classes = probs.shape[-1]
        if isinstance(self.compatibility, tuple) and len(self.compatibility) != classes:
            size = len(self.compatibility)
            raise InputError(f"`compatibility` is for K = {size}; got probabilities of {classes} labels")
        if classes == 1:
            check_values(probs)
            return np.ones(probs.shape, np.float32)
        return load(BACKENDS, self.backend, "CRF backend")(self, image, probs)

    def over_present(
        self,
        image: np.ndarray,
        probs: np.ndarray,
        labels: Sequence[int] | None = None,
        least: float = 0.01,
    ) -> np.ndarray:
        """Refine the probabilities of one image over some of the labels only, which takes less time.

        Args:
            image: `(H, W, 3) uint8` RGB.
            probs: `(H, W, K) float` in [0, 1], summing to 1 over K.
            labels: Labels to run, in 0..K-1; by default those whose probability reaches `least` at some pixel.
            least: See `labels`. Limited to 1/K.

        Returns:
            `(H, W, K) float32` marginals, summing to 1; 0 for the other labels. The other labels' probability at each
            pixel is given to the labels that run, in proportion.

        Raises:
            InputError: See `__call__`; or `labels` are out of range, repeated or empty.

        Example:
            >>> probabilities = np.full((4, 6, 21), 0.0005, np.float32)
            >>> probabilities[..., [0, 15]] = 0.5 - 0.0005 * 19 / 2
            >>> marginals = DenseCRF().over_present(np.zeros((4, 6, 3), np.uint8), probabilities)
            >>> np.flatnonzero(marginals.any((0, 1))).tolist()
            [0, 15]
        """
        from wsseg.refiners.dense_crf import present  # imported here because numba takes a while to import

        image, probs = np.asarray(image), np.asarray(probs)
        check_image(image)
        check_shape(probs, image.shape[:2])
        classes = probs.shape[-1]
        flat = np.require(probs, np.float32, "CAW").reshape(-1, classes)
        highest, sound = present.survey(flat)
        if not sound:
            check_values(probs)
        if labels is None:
            labels = np.flatnonzero(highest >= min(least, 1 / classes))
        ids = np.asarray(labels)
        if ids.ndim != 1 or not ids.size or ids.dtype.kind not in "iu" or len(np.unique(ids)) != ids.size:
            raise InputError(f"`labels` must be distinct integers, at least one; got {labels}")
        if ids.min() < 0 or ids.max() >= classes:
            raise InputError(f"`labels` must be in 0..{classes - 1}; got {ids.tolist()}")
        crf, ids = self, ids.astype(np.int64)
        if isinstance(self.compatibility, tuple):
            crf = replace(self, compatibility=np.array(self.compatibility)[np.ix_(ids, ids)])
        chosen = present.taken_out(flat, ids, np.float32(1e-30))
        marginals = crf(image, chosen.reshape(*image.shape[:2], -1))
        return present.put_back(marginals.reshape(-1, ids.size), ids, classes).reshape(probs.shape)

    def map(
        self,
        images: Iterable[np.ndarray],
        probabilities: Iterable[np.ndarray],
        workers: int | None = None,
    ) -> Iterator[np.ndarray]:
        """Refine many images with threads, on several cores. Only a few images are in memory at a time.

        Threads do not help the backend `pydensecrf`, as it holds the interpreter's lock.

        Args:
            images: `(H, W, 3) uint8` each; sizes may differ.
            probabilities: `(H, W, K) float` each; K may differ.
            workers: Number of threads; by default one for each core that this process may use.

        Yields:
            `(H, W, K) float32` marginals, in order.

        Raises:
            InputError: See `__call__`; the message gives the image's index. Or the numbers of `images` and
                `probabilities` differ.

        Example:
            >>> images, probabilities = [np.zeros((4, 6, 3), np.uint8)] * 3, [np.full((4, 6, 2), 0.5)] * 3
            >>> [marginals.shape for marginals in DenseCRF().map(images, probabilities)]
            [(4, 6, 2), (4, 6, 2), (4, 6, 2)]
        """
        if workers is None:
            affinity = getattr(os, "sched_getaffinity", None)
            workers = len(affinity(0)) if affinity else os.cpu_count() or 1
        if workers < 1:
            raise InputError(f"`workers` must be positive; got {workers}; None takes every core")
        return self._mapped(iter(images), iter(probabilities), workers)

    def _mapped(self, images: Iterator, probabilities: Iterator, workers: int) -> Iterator[np.ndarray]:
        done, end, waiting = 0, object(), deque()

        def result(future: Future) -> np.ndarray:
            try:
                return future.result()
            except InputError as error:
                raise InputError(f"image {done}: {error}") from error

        pool = ThreadPoolExecutor(workers, "dense-crf")
        try:
            while True:
                image, probs = next(images, end), next(probabilities, end)
                if (image is end) != (probs is end):
                    less = "images" if image is end else "probabilities"
                    raise InputError(f"as many `images` as `probabilities` are needed; got fewer {less}")
                if image is end:
                    break
                waiting.append(pool.submit(self, image, probs))
                if len(waiting) > workers:
                    yield result(waiting.popleft())
                    done += 1
            while waiting:
                yield result(waiting.popleft())
                done += 1
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _checked_compatibility(value: Any) -> float | tuple[tuple[float, ...], ...]:
    array = np.asarray(value, np.float64)
    if array.ndim == 0 and 0 <= array < np.inf:
        return value if isinstance(value, int | float) else float(array)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not np.isfinite(array).all():
        raise InputError(
            f"`compatibility` must be a number, 0 or more, or a finite (K, K) matrix; got {array.shape} "
            f"{np.array2string(array, threshold=4)}"
        )
    if not np.allclose(array, array.T, atol=1e-6):
        raise InputError("`compatibility` must be symmetric; take (mu + mu.T) / 2")
    return tuple(tuple(row) for row in array.tolist())
