"""The background level: the mIoU at each level on true masks, and a level chosen without masks.

The curve of levels is for evaluation, where its best point on the scored images is an oracle, and for a named
calibration split. A rule without pixel labels is a function `(class maps of all images) -> level`, such as
`otsu_level`.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from wsseg.artifacts import ClassMaps
from wsseg.errors import InputError
from wsseg.metrics import ConfusionMatrix
from wsseg.refiners.resize_maps import resize_maps


class LevelSweep:
    """Score class maps at many constant background levels in one pass over the images.

    A pixel's highest map and its class do not depend on the level. So each pixel is counted once, by (truth, class of
    the highest map, number of levels below that map). Every level's confusion matrix is a sum of these counts, and any
    number of levels costs as much as one. The result at each level equals the result of `label_image` without a CRF.

    Args:
        levels: Distinct constant background levels in [0, 1], in any order.
        num_classes: Number of classes K, background included.
        ignore: Value of true pixels that are not scored.

    Raises:
        InputError: There is no level, one is outside [0, 1], or two are equal.

    Example:
        >>> maps = ClassMaps(np.array([1]), np.array([[[0.1, 0.3, 0.9]]]), (1, 3))
        >>> sweep = LevelSweep([0.05, 0.2, 0.5], num_classes=2)
        >>> sweep.update(maps, np.array([[0, 1, 1]], np.uint8))
        >>> [(level, round(miou, 3)) for level, miou in sweep.curve()]
        [(0.05, 0.333), (0.2, 1.0), (0.5, 0.5)]
        >>> sweep.best()
        (0.2, 1.0)
    """

    def __init__(self, levels: Sequence[float], num_classes: int, ignore: int = 255):
        self.levels = tuple(sorted(float(level) for level in levels))
        # Written so that nan fails too.
        rising = all(low < high for low, high in zip(self.levels, self.levels[1:]))
        if not self.levels or not rising or not (self.levels[0] >= 0 and self.levels[-1] <= 1):
            raise InputError(
                f"`levels` must be distinct and in [0, 1]; got {tuple(levels)}; try 0.1, 0.2, 0.3"
            )
        self.num_classes, self.ignore = num_classes, ignore
        # Number of pixels by truth, class of the highest map, and number of levels that this map exceeds.
        self._counts = np.zeros((num_classes, num_classes, len(self.levels) + 1), np.int64)

    def update(self, class_maps: ClassMaps, truth: np.ndarray) -> None:
        """Count one image.

        Args:
            class_maps: Class maps of the image, at any stored size.
            truth: `(H, W)` integers of the image's size: 0..K-1 or `ignore`.

        Raises:
            InputError: The sizes differ, or an id is outside 0..K-1.
        """
        truth = np.asarray(truth)
        if truth.shape != tuple(class_maps.size_hw):
            raise InputError(
                f"class maps of an image of (H, W) {tuple(class_maps.size_hw)} and a mask of {truth.shape} "
                "do not belong together; was the dataset changed after the localize stage?"
            )
        scored = truth != self.ignore
        truth = truth[scored].astype(np.int64)
        ids = np.asarray(class_maps.class_ids, np.int64)
        for name, values in (("the mask", truth), ("the class maps", ids)):
            if values.size and not 0 <= values.min() <= values.max() < self.num_classes:
                raise InputError(
                    f"{name} must hold ids in 0..{self.num_classes - 1}; got {values.min()}..{values.max()}"
                )
        if ids.size:
            maps = resize_maps(class_maps.maps, class_maps.size_hw)[:, scored]
            highest = maps.max(0)
            winner = ids[maps.argmax(0)]
            # float32, because `with_background` compares in float32
            exceeded = np.searchsorted(np.asarray(self.levels, np.float32), highest, side="left")
        else:
            winner = exceeded = np.zeros_like(truth)
        index = np.ravel_multi_index((truth, winner, exceeded), self._counts.shape)
        self._counts += np.bincount(index, minlength=self._counts.size).reshape(self._counts.shape)

    def merge(self, other: "LevelSweep") -> "LevelSweep":
        """Add the counts of a sweep over other images, and return this sweep."""
        if (self.levels, self.num_classes, self.ignore) != (other.levels, other.num_classes, other.ignore):
            raise InputError("sweeps with different levels, classes or ignored values cannot be merged")
        self._counts += other._counts
        return self

    def matrices(self) -> list[ConfusionMatrix]:
        """Return the confusion matrix at each of `levels`."""
        result = []
        for index in range(len(self.levels)):
            matrix = self._counts[:, :, index + 1 :].sum(2)
            matrix[:, 0] += self._counts[:, :, : index + 1].sum((1, 2))
            result.append(ConfusionMatrix.from_counts(matrix, ignore=self.ignore))
        return result

    def curve(self) -> list[tuple[float, float]]:
        """Return `(level, mIoU)` for each level, in rising order."""
        return [(level, matrix.miou()) for level, matrix in zip(self.levels, self.matrices())]

    def best(self) -> tuple[float, float]:
        """Return the `(level, mIoU)` with the highest mIoU. On the scored images, this level is an oracle.

        Raises:
            InputError: No pixel was scored.
        """
        curve = [(level, miou) for level, miou in self.curve() if not np.isnan(miou)]
        if not curve:
            raise InputError("no pixel was scored, so no level is best; check that the split has masks")
        return max(curve, key=lambda point: point[1])


def sweep(
    class_maps: Iterable[ClassMaps],
    truths: Iterable[np.ndarray],
    levels: Sequence[float],
    num_classes: int,
    ignore: int = 255,
) -> list[tuple[float, float]]:
    """Return the mIoU of class maps at each constant background level, without a CRF.

    Args:
        class_maps: Class maps of each image.
        truths: `(H, W)` integers of each image, in the same order.
        levels: Constant background levels in [0, 1].
        num_classes: Number of classes K, background included.
        ignore: Value of true pixels that are not scored.

    Returns:
        `(level, mIoU)` for each level, in rising order. See `LevelSweep` for the confusion matrices.

    Raises:
        InputError: See `LevelSweep`; or one iterable is longer than the other.
    """
    result = LevelSweep(levels, num_classes, ignore)
    try:
        for maps, truth in zip(class_maps, truths, strict=True):
            result.update(maps, truth)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"there must be as many class maps as masks ({error})") from error
    return result.curve()


def otsu_level(class_maps: Iterable[ClassMaps]) -> float:
    """Choose a constant background level without masks: Otsu's threshold of the highest map.

    The highest map value of every stored pixel of every image goes into one histogram of 256 bins. Otsu's level
    divides it into two groups with the largest variance between them.

    The rule assumes that the highest map has two modes over all images: low on background and high on objects, of
    about equal width, and neither group tiny. It assumes that maps reach 1 on each class present; the localize stage
    ensures this. It assumes that the images are similar enough for one level. Class maps cover the discriminative part
    of an object best, so the level tends to be high. If a split with masks exists, compare the level with the curve.
    Images without a class are skipped.

    Args:
        class_maps: Class maps of each image, in [0, 1].

    Returns:
        The level, in [0, 1].

    Raises:
        InputError: No image has a map, or all values are equal, so that there are no two groups.

    Example:
        >>> values = np.array([[[0.1, 0.12, 0.8, 0.82]]])
        >>> 0.12 < otsu_level([ClassMaps(np.array([1]), values, (1, 4))]) < 0.8
        True

    References:
        Otsu, A Threshold Selection Method from Gray-Level Histograms, IEEE Trans. SMC 1979;
        `skimage.filters.threshold_otsu`.
    """
    from skimage.filters import threshold_otsu

    edges = np.linspace(0, 1, 257)
    counts = np.zeros(256, np.int64)
    for maps in class_maps:
        if len(maps.maps):
            counts += np.histogram(maps.maps.max(0), edges)[0]
    if np.count_nonzero(counts) < 2:
        raise InputError(
            "Otsu's rule needs class maps with more than one value; got "
            + ("none at all" if not counts.any() else "one value everywhere")
            + "; use `rule: fixed`"
        )
    # skimage returns the last bin of the lower group; the level is that bin's upper edge.
    return float(threshold_otsu(hist=(counts, edges[:-1])) + edges[1])
