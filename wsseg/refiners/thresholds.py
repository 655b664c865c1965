"""The background level: the whole curve on true masks, and levels chosen without any.

The curve belongs to evaluation (its best point on the scored images is an oracle) and to a named calibration
split. A rule that needs no pixel labels is a function `(class maps of all images) -> level`; another one is a
function beside `otsu_level`.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from wsseg.artifacts import ClassMaps
from wsseg.errors import InputError
from wsseg.metrics import ConfusionMatrix
from wsseg.refiners.resize_maps import resize_maps


class LevelSweep:
    """Score class maps at many constant background levels in one pass over the images.

    A pixel's highest map and its class do not depend on the level, so pixels are counted by (truth, class of
    the highest map, number of levels below it) once, and every level's confusion matrix is a sum over these
    counts: as many levels as wanted for the price of one. The result at each level equals that of
    `label_image` without a CRF.

    Args:
        levels: Distinct constant background levels in [0, 1], in any order.
        num_classes: K, the background included.
        ignore: The truth's value that is not scored.

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
        # Pixels by truth, class of the highest map, and how many levels that map exceeds.
        self._counts = np.zeros((num_classes, num_classes, len(self.levels) + 1), np.int64)

    def update(self, class_maps: ClassMaps, truth: np.ndarray) -> None:
        """Count one image.

        Args:
            class_maps: Its maps, of any stored size.
            truth: `(H, W)` integers: 0..K-1 or `ignore`, of the image's size.

        Raises:
            InputError: Sizes differ, or an id is outside 0..K-1.
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
            # float32, as `with_background` compares them
            exceeded = np.searchsorted(np.asarray(self.levels, np.float32), highest, side="left")
        else:
            winner = exceeded = np.zeros_like(truth)
        index = np.ravel_multi_index((truth, winner, exceeded), self._counts.shape)
        self._counts += np.bincount(index, minlength=self._counts.size).reshape(self._counts.shape)

    def merge(self, other: "LevelSweep") -> "LevelSweep":
        """Add the counts of another part of the images, and return this sweep."""
        if (self.levels, self.num_classes, self.ignore) != (other.levels, other.num_classes, other.ignore):
            raise InputError("sweeps of different levels or classes cannot be merged")
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
        """Return `(level, mIoU)` for each level, rising."""
        return [(level, matrix.miou()) for level, matrix in zip(self.levels, self.matrices())]

    def best(self) -> tuple[float, float]:
        """Return the `(level, mIoU)` of the highest mIoU; on the images that are scored it is an oracle.

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
        class_maps: Of each image.
        truths: `(H, W)` integers of each image, in the same order.
        levels: Constant background levels in [0, 1].
        num_classes: K, the background included.
        ignore: The truth's value that is not scored.

    Returns:
        `(level, mIoU)`, by rising level. See `LevelSweep` for the confusion matrices.

    Raises:
        InputError: As `LevelSweep`, or one iterable is longer than the other.
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
    """Choose a constant background level without any mask: Otsu's threshold of the highest map.

    The highest map value of every stored pixel of every image goes into one histogram of 256 bins; Otsu's
    level parts it into two groups with the largest variance between them.

    It assumes that the highest map has two modes over the set, low on background and high on objects, about
    equally wide, with neither group tiny; that maps reach 1 on each class present (which the localize stage
    sees to); and that the images are alike enough for one level. Class maps cover the discriminative part
    of an object best, so the level tends to be high; compare it with the curve where a split with masks
    exists. Images without a class say nothing and are left out.

    Args:
        class_maps: Of each image, in [0, 1].

    Returns:
        The level, in [0, 1].

    Raises:
        InputError: No image has a map, or all values are equal, so that there is nothing to part.

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
            "Otsu's rule needs class maps of more than one value; got "
            + ("none at all" if not counts.any() else "one value everywhere")
            + "; use `rule: fixed`"
        )
    # skimage answers with the last bin of the lower group; the level is that bin's upper edge.
    return float(threshold_otsu(hist=(counts, edges[:-1])) + edges[1])
