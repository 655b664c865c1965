"""Scores of objects and segments, object by object and pixel by pixel, in plain loops."""

import math

import numpy as np

IOUS = np.linspace(0.5, 0.95, 10).tolist()
RECALLS = np.linspace(0, 1, 101).tolist()
SIZES = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}


def box_area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def box_overlap(found, true, crowd):
    wide = min(found[2], true[2]) - max(found[0], true[0])
    high = min(found[3], true[3]) - max(found[1], true[1])
    shared = max(wide, 0) * max(high, 0)
    whole = box_area(found) if crowd else box_area(found) + box_area(true) - shared
    return shared / whole if shared else 0.0


def mask_overlap(found, true, crowd):
    shared = int((found & true).sum())
    whole = int(found.sum()) if crowd else int(found.sum()) + int(true.sum()) - shared
    return shared / whole if shared else 0.0


def matches(found, true, wanted, size, at_most):
    """Match the detections of one image and class.

    Args:
        found: `(score, area, overlaps with each true object)` of each detection.
        true: `(area, is a crowd)` of each true object.
        wanted: The IoU.
        size: Lowest and highest area that counts.
        at_most: How many detections.

    Returns:
        `(score, hit)` of the detections that count, and how many true objects count.
    """

    def outside(area):
        return area < size[0] or area > size[1]

    left_out = [crowd or outside(area) for area, crowd in true]
    taken = [False] * len(true)
    counted = []
    for score, area, overlaps in sorted(found, key=lambda d: -d[0])[:at_most]:
        match = None
        for group in (False, True):  # objects that count come first; only then the others
            if match is not None:
                break
            for number, (_, crowd) in enumerate(true):
                if left_out[number] != group or (taken[number] and not crowd):
                    continue
                least = min(wanted, 1 - 1e-10) if match is None else overlaps[match]
                if overlaps[number] >= least:
                    match = number
        if match is not None:
            taken[match] = True
            if not left_out[match]:
                counted.append((score, True))
        elif not outside(area):
            counted.append((score, False))
    return counted, left_out.count(False)


def precision_and_recall(images, wanted, size, at_most):
    """Return the interpolated precision at 101 recalls and the recall reached; None without a true object."""
    counted, objects = [], 0
    for found, true in images:
        more, there = matches(found, true, wanted, size, at_most)
        counted += more
        objects += there
    if not objects:
        return None
    counted.sort(key=lambda pair: -pair[0])
    points, hits = [], 0
    for number, (_, hit) in enumerate(counted, start=1):
        hits += hit
        points.append((hits / objects, hits / number))
    curve = [max((p for r, p in points if r >= recall), default=0.0) for recall in RECALLS]
    return curve, hits / objects


def coco_rows(images, num_classes, kind):
    """Return COCO's twelve numbers and each class's AP and AP50.

    Args:
        images: `(predicted, true)`: two lists of dictionaries with class_id, box, mask, crowd, and score or area.
        num_classes: Class ids are 1..num_classes.
        kind: masks or boxes.
    """
    overlap = mask_overlap if kind == "masks" else box_overlap
    key = "mask" if kind == "masks" else "box"

    def of_class(class_id):
        result = []
        for predicted, true in images:
            true = [t for t in true if t["class_id"] == class_id]
            found = []
            for p in predicted:
                if p["class_id"] == class_id:
                    area = int(p["mask"].sum()) if kind == "masks" else box_area(p["box"])
                    overlaps = [overlap(p[key], t[key], t["crowd"]) for t in true]
                    found.append((p["score"], area, overlaps))
            result.append((found, [(t["area"], t["crowd"]) for t in true]))
        return result

    def mean(values):
        values = [v for v in values if v is not None]
        return sum(values) / len(values) if values else None

    classes = [of_class(number) for number in range(1, num_classes + 1)]

    def ap(data, size="all", ious=IOUS):
        values = [precision_and_recall(data, iou, SIZES[size], 100) for iou in ious]
        return None if values[0] is None else sum(sum(curve) / 101 for curve, _ in values) / len(ious)

    def ar(data, at_most, size="all"):
        values = [precision_and_recall(data, iou, SIZES[size], at_most) for iou in IOUS]
        return None if values[0] is None else sum(recall for _, recall in values) / len(IOUS)

    rows = {"ap": mean(ap(c) for c in classes)}
    rows |= {f"ap{n}": mean(ap(c, ious=[IOUS[i]]) for c in classes) for n, i in ((50, 0), (75, 5))}
    rows |= {f"ap_{size}": mean(ap(c, size) for c in classes) for size in ("small", "medium", "large")}
    rows |= {f"ar{most}": mean(ar(c, most) for c in classes) for most in (1, 10, 100)}
    rows |= {f"ar_{size}": mean(ar(c, 100, size) for c in classes) for size in ("small", "medium", "large")}
    return rows, [(ap(c), ap(c, ious=[0.5])) for c in classes]


def boundary_pixels(mask, ratio):
    """Return the pixels of a mask with anything outside of it in the square window around them."""
    height, width = len(mask), len(mask[0])
    reach = max(round(ratio * math.sqrt(height**2 + width**2)), 1)
    result = set()
    for y in range(height):
        for x in range(width):
            if mask[y][x] and not all(
                0 <= v < height and 0 <= u < width and mask[v][u]
                for v in range(y - reach, y + reach + 1)
                for u in range(x - reach, x + reach + 1)
            ):
                result.add((y, x))
    return result


def boundary_iou(mask, other, ratio):
    one, two = boundary_pixels(mask, ratio), boundary_pixels(other, ratio)
    return len(one & two) / len(one | two) if one | two else 0.0


def panoptic_quality(images, num_classes):
    """Return (PQ, TP, FP, FN) of each class; PQ is None for one that is nowhere.

    Args:
        images: `(predicted numbers, its classes, true numbers, its classes, crowds)`; numbers are rows of pixels.
        num_classes: Class ids are 0..num_classes - 1.
    """
    total = [[0.0, 0, 0, 0] for _ in range(num_classes)]
    for predicted, predicted_classes, true, true_classes, crowds in images:

        def pixels(rows):
            places = {}
            for y, row in enumerate(rows):
                for x, number in enumerate(row):
                    places.setdefault(number, set()).add((y, x))
            return places

        segments = {n: p for n, p in pixels(predicted).items() if n in predicted_classes}
        objects = {n: p for n, p in pixels(true).items() if n in true_classes}
        void = {place for n, p in pixels(true).items() if n not in true_classes for place in p}
        found, used = set(), set()
        for number, region in segments.items():
            for other, wanted in objects.items():
                if other in crowds or predicted_classes[number] != true_classes[other]:
                    continue
                iou = len(region & wanted) / len((region - void) | wanted)
                if iou > 0.5:
                    found.add(other)
                    used.add(number)
                    total[true_classes[other]][0] += iou
                    total[true_classes[other]][1] += 1
        for number, region in segments.items():
            class_id = predicted_classes[number]
            excused = set(void)
            for other in crowds:
                if true_classes[other] == class_id:
                    excused |= objects.get(other, set())
            if number not in used and len(region & excused) <= len(region) / 2:
                total[class_id][2] += 1
        for other in objects:
            if other not in found and other not in crowds:
                total[true_classes[other]][3] += 1
    return [(iou / (tp + fp / 2 + fn / 2) if tp + fp + fn else None, tp, fp, fn) for iou, tp, fp, fn in total]
