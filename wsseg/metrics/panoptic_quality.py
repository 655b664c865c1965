"""Panoptic quality (PQ): how many segments are found, and how well, for things and stuff alike."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wsseg.errors import InputError


@dataclass(frozen=True)
class Segments:
    """One image divided into segments that do not overlap.

    Attributes:
        numbers: `(H, W)` int: number of each pixel's segment. A number that is not in `classes` is void: unknown in a
            truth, not predicted in a prediction.
        classes: Number of a segment -> class id, 0..K-1.
        crowd: Numbers of the segments that hold many objects, in a truth; predictions inside them are not penalised.

    Raises:
        InputError: The map is not `(H, W)` integers, or a crowd has no class.
    """

    numbers: np.ndarray
    classes: Mapping[int, int]
    crowd: Collection[int] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if np.ndim(self.numbers) != 2 or np.asarray(self.numbers).dtype.kind not in "iu":
            raise InputError(
                f"`numbers` must be (H, W) integers; got {np.shape(self.numbers)} {np.asarray(self.numbers).dtype}"
            )
        if odd := set(self.crowd) - set(self.classes):
            raise InputError(f"`crowd` names segment {min(odd)}, which has no class in `classes`")

    @classmethod
    def of_maps(cls, classes: np.ndarray, numbers: np.ndarray, things: Collection[int]) -> "Segments":
        """Make segments from a class map and an instance map.

        Args:
            classes: `(H, W) uint8` mask: class ids, 255 = void.
            numbers: `(H, W)` int: number of each pixel's object within its class; read for things only.
            things: Ids of the countable classes. Each other class is one segment.

        Example:
            >>> parted = Segments.of_maps(np.array([[0, 2, 2, 255]]), np.array([[7, 1, 2, 0]]), things=[2])
            >>> parted.numbers.tolist(), parted.classes
            ([[0, 1, 2, -1]], {0: 0, 1: 2, 2: 2})
        """
        if classes.shape != numbers.shape:
            raise InputError(
                f"class map {classes.shape} and instance map {numbers.shape} must be of one size"
            )
        known = classes != 255
        told_apart = np.where(np.isin(classes, list(things)), numbers, 0).astype(np.int64)
        pairs, index = np.unique(
            np.stack([classes[known].astype(np.int64), told_apart[known]]), axis=1, return_inverse=True
        )
        segments = np.full(classes.shape, -1, np.int64)
        segments[known] = index.ravel()
        return cls(segments, dict(enumerate(pairs[0].tolist())))


class PanopticQuality:
    r"""Panoptic quality over any number of images.

    $PQ = \frac{\sum_{(p, g) \in TP} IoU(p, g)}{|TP|} \cdot \frac{|TP|}{|TP| + \frac12 |FP| + \frac12 |FN|}$, for each
    class. The first factor is SQ, the quality of the segments found; the second is RQ, the F1 score of finding them. A
    predicted and a true segment of one class match if their IoU is above 0.5, so each has one match at most. The scores
    are averaged over the classes.

    Void: pixels whose truth is void do not count in the union. An unmatched prediction is not a false positive if more
    than half of its pixels are void or in crowds of its own class. A crowd is neither a match nor a false negative.

    Args:
        class_names: K names in id order, the background first if it is a class.
        things: Names of the countable classes; the other classes are stuff.

    Raises:
        InputError: One of `things` is not a class.

    Example:
        >>> score = PanopticQuality(["sky", "cat"], things=["cat"])
        >>> true = Segments(np.array([[0, 0, 1, 1, 1, 1]]), {0: 0, 1: 1})
        >>> score.update(Segments(np.array([[0, 0, 0, 1, 1, 1]]), {0: 0, 1: 1}), true)
        >>> {name: round(value, 3) for name, value in score.result()["by_class"]["cat"].items()}
        {'pq': 0.75, 'sq': 0.75, 'rq': 1.0, 'tp': 1, 'fp': 0, 'fn': 0}

    References:
        Kirillov et al., Panoptic Segmentation, CVPR 2019, sections 4.1 (matching, PQ) and 4.2 (void, groups).
    """

    def __init__(self, class_names: Sequence[str], things: Collection[str]):
        self.class_names, self.things = tuple(class_names), frozenset(things)
        if odd := self.things - set(self.class_names):
            raise InputError(f"`things` names `{min(odd)}`, which is not among {list(self.class_names)}")
        self.images = 0
        # Columns: true positives, false positives, false negatives.
        self._counts = np.zeros((len(self.class_names), 3), np.int64)
        self._ious = np.zeros(len(self.class_names))

    def update(self, predicted: Segments, true: Segments) -> None:
        """Count one image.

        Raises:
            InputError: Prediction and truth differ in size, or a class id is outside 0..K-1. Nothing is counted then.
        """
        if predicted.numbers.shape != true.numbers.shape:
            raise InputError(
                f"the prediction has (H, W) {predicted.numbers.shape}, the truth {true.numbers.shape}; "
                "they must be equal"
            )
        for name, segments in (("prediction", predicted), ("truth", true)):
            for number, class_id in segments.classes.items():
                if not 0 <= class_id < len(self.class_names):
                    raise InputError(
                        f"segment {number} of the {name} has class {class_id}; expected "
                        f"0..{len(self.class_names) - 1}"
                    )
        rows, row = np.unique(predicted.numbers, return_inverse=True)
        columns, column = np.unique(true.numbers, return_inverse=True)
        shared = np.bincount(
            row.ravel() * len(columns) + column.ravel(), minlength=len(rows) * len(columns)
        ).reshape(len(rows), len(columns))
        row_class = np.array([predicted.classes.get(number, -1) for number in rows.tolist()], int)
        column_class = np.array([true.classes.get(number, -1) for number in columns.tolist()], int)
        crowd = np.isin(columns, list(true.crowd))
        areas = shared.sum(axis=1)

        in_void = shared[:, column_class < 0].sum(axis=1)
        union = areas[:, None] + shared.sum(axis=0)[None] - shared - in_void[:, None]
        same = (row_class[:, None] == column_class[None]) & (row_class[:, None] >= 0)
        iou = np.where(same & ~crowd[None], shared / np.maximum(union, 1), 0)
        hits = iou > 0.5
        in_crowd = (shared * (same & crowd[None])).sum(axis=1)
        false = (row_class >= 0) & ~hits.any(axis=1) & ((in_void + in_crowd) / areas <= 0.5)
        missed = (column_class >= 0) & ~crowd & ~hits.any(axis=0)
        found = column_class[hits.any(axis=0)]
        for index, classes in enumerate((found, row_class[false], column_class[missed])):
            self._counts[:, index] += np.bincount(classes, minlength=len(self.class_names))
        np.add.at(self._ious, found, iou[:, hits.any(axis=0)].max(axis=0, initial=0))
        self.images += 1

    def result(self) -> dict[str, Any]:
        """Return the scores.

        Returns:
            `all`, `things` and `stuff`, each with `pq`, `sq`, `rq` in [0, 1] (means over its classes; None without
            classes) and `classes` (the number of classes averaged); `by_class` with `pq`, `sq`, `rq` (None for a class
            in no truth and no prediction), `tp`, `fp`, `fn`; and `images`.
        """
        by_class = {}
        for name, (tp, fp, fn), iou in zip(self.class_names, self._counts.tolist(), self._ious.tolist()):
            all_three = tp + fp / 2 + fn / 2
            values = (iou / all_three, iou / tp if tp else 0.0, tp / all_three) if all_three else (None,) * 3
            by_class[name] = dict(zip(("pq", "sq", "rq"), values)) | {"tp": tp, "fp": fp, "fn": fn}

        def mean(names: Collection[str]) -> dict[str, Any]:
            rows = [by_class[n] for n in self.class_names if n in names and by_class[n]["pq"] is not None]
            means = {k: sum(r[k] for r in rows) / len(rows) if rows else None for k in ("pq", "sq", "rq")}
            return means | {"classes": len(rows)}

        names = set(self.class_names)
        groups = {"all": names, "things": self.things, "stuff": names - self.things}
        return {k: mean(v) for k, v in groups.items()} | {"by_class": by_class, "images": self.images}
