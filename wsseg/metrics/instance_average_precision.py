"""COCO's average precision and recall of objects, by boxes or by masks. NumPy and pycocotools."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from wsseg.errors import InputError, nearest
from wsseg.objects.instances import Instances
from wsseg.objects.run_length import encode_masks

ROWS = (
    "ap",
    "ap50",
    "ap75",
    "ap_small",
    "ap_medium",
    "ap_large",
    "ar1",
    "ar10",
    "ar100",
    "ar_small",
    "ar_medium",
    "ar_large",
)
"""COCO's twelve numbers, in COCO's order. Small means an area below 32 x 32 pixels, large above 96 x 96."""

DECIMALS = 12
"""Decimals of the scores. COCO's code adds a tiny number to denominators; a perfect score is 0.9999999999999998."""

KINDS = {"masks": "segm", "boxes": "bbox"}


class InstanceAveragePrecision:
    """COCO's scores over any number of images, computed by COCO's own code.

    AP is the precision averaged over 101 recalls, the classes and the ten IoUs 0.50, 0.55, ..., 0.95. AR is the recall
    with at most 1, 10 or 100 detections per image, averaged over classes and IoUs. Conventions:
        - A class without a true object has no score (None) and is left out of the means, even if it is predicted.
          If no class has a true object (or none of an object size), the mean is None (COCO prints -1).
        - A detection on a crowd does not count, and a crowd that is not found does not count either. In the rows of
          small, medium and large objects, detections and objects of other sizes do not count.
        - The size of a true object is the area of its mask (in the box rows too, as in COCO's files), or of its box
          if there is no mask. The size of a detection is the area of its mask in mask rows, of its box in box rows.
          `update` takes other sizes, such as COCO's own for results of masks alone.
        - At most 100 detections per image and class are used, those with the highest scores.

    Args:
        class_names: K names, of the class ids 1..K in `Instances`.
        kind: Which overlaps are compared: masks or boxes.

    Raises:
        InputError: There is no such kind, or there are no classes.

    Example:
        >>> score = InstanceAveragePrecision(["cat"], kind="boxes")
        >>> true = Instances([1, 1], [[0, 0, 9, 9], [20, 0, 30, 9]], (40, 40))
        >>> score.update("a", Instances([1], [[0, 0, 9, 9]], (40, 40), scores=[0.9]), true)
        >>> result = score.result()
        >>> round(result["ap"], 3), result["ar100"], result["ap_large"]  # 51 of 101 recalls are reached
        (0.505, 0.5, None)

    References:
        Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014; the rows are those of cocodataset.org,
        "Detection Evaluation", computed by `pycocotools.cocoeval`.
    """

    def __init__(self, class_names: Sequence[str], kind: str = "masks"):
        if kind not in KINDS:
            raise InputError(f"there is no kind `{kind}` of average precision; {nearest(kind, KINDS)}")
        if not class_names or isinstance(class_names, str):
            raise InputError(f"`class_names` must be a list of names; got {class_names!r}")
        self.class_names, self.kind = tuple(class_names), kind
        self._images: dict[str, tuple[int, tuple[int, int]]] = {}  # number and size
        self._true: list[dict[str, Any]] = []
        self._predicted: list[dict[str, Any]] = []
        self._evaluated: dict[str, Any] | None = None

    def update(
        self,
        image_id: str,
        predicted: Instances,
        true: Instances,
        true_areas: Sequence[float] | np.ndarray | None = None,
        predicted_areas: Sequence[float] | np.ndarray | None = None,
    ) -> None:
        """Add one image. Add each image once, including images without objects.

        Args:
            image_id: Id of the image.
            predicted: Predicted objects with scores, and with masks if `kind` is masks.
            true: True objects, with masks if `kind` is masks.
            true_areas: `(N,)`: areas of the true objects in pixels, as stated in a file; None to measure them.
            predicted_areas: `(M,)`: areas of the predicted objects in pixels; None to measure them.

        Raises:
            InputError: The image was added before, scores or masks are missing, a score is not finite, a class id
                is outside 1..K, or the sizes differ. Nothing is added then.
        """
        if image_id in self._images:
            raise InputError(f"image `{image_id}` was added before; add each image once")
        self._check(image_id, predicted, true)
        areas = _areas_or(true_areas, "true_areas", true, "masks")
        found_areas = _areas_or(predicted_areas, "predicted_areas", predicted, self.kind)
        self._images[image_id] = len(self._images) + 1, true.size_hw
        self._true += self._annotations(image_id, true, areas, len(self._true))
        found = self._annotations(image_id, predicted, found_areas, len(self._predicted))
        for annotation, score in zip(found, predicted.scores.tolist()):
            annotation["score"] = score
        self._predicted += found
        self._evaluated = None

    def _check(self, image_id: str, predicted: Instances, true: Instances) -> None:
        if predicted.scores is None or not np.isfinite(predicted.scores).all():
            raise InputError(f"image `{image_id}`: each predicted object needs a finite score")
        if predicted.size_hw != true.size_hw:
            raise InputError(
                f"image `{image_id}`: the prediction has (H, W) {predicted.size_hw}, the truth {true.size_hw}; "
                "they must be equal"
            )
        for name, instances in (("predicted", predicted), ("true", true)):
            if self.kind == "masks" and instances.masks is None and len(instances):
                raise InputError(f"image `{image_id}`: the {name} objects have no masks; try `kind` boxes")
            wrong = instances.class_ids[
                (instances.class_ids < 1) | (instances.class_ids > len(self.class_names))
            ]
            if len(wrong):
                raise InputError(
                    f"image `{image_id}`: the {name} objects have class id {wrong[0]}; expected "
                    f"1..{len(self.class_names)}"
                )

    def _annotations(
        self, image_id: str, instances: Instances, areas: np.ndarray, before: int
    ) -> list[dict[str, Any]]:
        """Return COCO's annotations, numbered from 1, because COCO's code reads a match with number 0 as no match."""
        boxes = instances.boxes_xyxy.astype(np.float64)
        boxes[:, 2:] -= boxes[:, :2]
        runs = encode_masks(instances.masks) if self.kind == "masks" and len(instances) else None
        return [
            {
                "id": before + row + 1,
                "image_id": self._images[image_id][0],
                "category_id": int(instances.class_ids[row]),
                "bbox": boxes[row].tolist(),
                "area": float(areas[row]),
                "iscrowd": int(instances.crowd[row]),
                **({"segmentation": runs[row]} if runs is not None else {}),
            }
            for row in range(len(instances))
        ]

    def result(self) -> dict[str, Any]:
        """Return the scores.

        Returns:
            COCO's twelve numbers (`ROWS`), in [0, 1] or None; `by_class`: name -> `ap`, `ap50` and `objects` (number
            of true objects without crowds); `kind`, `images`, `objects`, `crowds` and `detections`.
        """
        evaluated = self._evaluate()
        objects = np.bincount(
            [a["category_id"] - 1 for a in self._true if not a["iscrowd"]], minlength=len(self.class_names)
        )
        precision = evaluated["precision"][:, :, :, 0, 2]  # all sizes, 100 detections
        by_class = {
            name: {
                "ap": _mean(precision[:, :, index]),
                "ap50": _mean(precision[0, :, index]),
                "objects": int(objects[index]),
            }
            for index, name in enumerate(self.class_names)
        }
        return evaluated["rows"] | {
            "by_class": by_class,
            "kind": self.kind,
            "images": len(self._images),
            "objects": int(objects.sum()),
            "crowds": len(self._true) - int(objects.sum()),
            "detections": len(self._predicted),
        }

    def precision_at_recalls(self) -> dict[str, np.ndarray | None]:
        """Return the precision-recall curve of each class at IoU 0.5, for a figure.

        Returns:
            Class name -> `(101,) float64`: for each recall 0, 0.01, ..., 1, the highest precision at this or a higher
            recall, and 0 if the recall is not reached; None for a class without a true object.
        """
        curves = self._evaluate()["precision"][0, :, :, 0, 2].T
        return {n: None if c[0] < 0 else c.copy() for n, c in zip(self.class_names, curves)}

    def _evaluate(self) -> dict[str, Any]:
        if self._evaluated is None:
            with contextlib.redirect_stdout(io.StringIO()):  # COCO's code prints every step
                scorer = COCOeval(self._as_coco(self._true), self._as_coco(self._predicted), KINDS[self.kind])
                scorer.evaluate()
                scorer.accumulate()
                scorer.summarize()
            values = [None if value < 0 else round(float(value), DECIMALS) for value in scorer.stats]
            self._evaluated = {"rows": dict(zip(ROWS, values)), "precision": scorer.eval["precision"]}
        return self._evaluated

    def _as_coco(self, annotations: list[dict[str, Any]]) -> COCO:
        files = COCO()
        files.dataset = {
            "images": [{"id": n, "height": h, "width": w} for n, (h, w) in self._images.values()],
            "categories": [{"id": number + 1} for number in range(len(self.class_names))],
            "annotations": [
                dict(annotation) for annotation in annotations
            ],  # copies: COCO's code writes into them
        }
        files.createIndex()
        return files


def _areas_or(
    given: Sequence[float] | np.ndarray | None, name: str, instances: Instances, kind: str
) -> np.ndarray:
    areas = _areas(instances, kind) if given is None else np.asarray(given, np.float64)
    if areas.shape != (len(instances),):
        raise InputError(f"`{name}` must be ({len(instances)},), one per object; got {areas.shape}")
    return areas


def _areas(instances: Instances, kind: str) -> np.ndarray:
    if kind == "masks" and instances.masks is not None:
        return np.array([np.count_nonzero(mask) for mask in instances.masks], np.float64)
    boxes = instances.boxes_xyxy.astype(np.float64)
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _mean(values: np.ndarray) -> float | None:
    present = values[values >= 0]
    return round(float(present.mean()), DECIMALS) if present.size else None
