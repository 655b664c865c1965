"""Parts of two-stage detectors in loops: overlap, offsets, matching, greedy suppression, pasting."""

import math

import numpy as np


def iou(a, b):
    """Of two boxes xyxy."""
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


def offsets(box, reference, variance):
    """Equation 2 of Ren et al. 2015."""
    w, h = reference[2] - reference[0], reference[3] - reference[1]
    raw = (
        ((box[0] + box[2]) / 2 - (reference[0] + reference[2]) / 2) / w,
        ((box[1] + box[3]) / 2 - (reference[1] + reference[3]) / 2) / h,
        math.log((box[2] - box[0]) / w),
        math.log((box[3] - box[1]) / h),
    )
    return [value / scale for value, scale in zip(raw, variance)]


def match(boxes, truth, low, high, force):
    """Objects, positive, negative of one image's boxes; `truth` holds real true boxes alone."""
    table = np.array([[iou(box, true) for true in truth] for box in boxes]).reshape(len(boxes), len(truth))
    objects, positive, negative = [], [], []
    for row in table:
        best = row.max() if len(row) else -1
        objects.append(int(row.argmax()) if len(row) else 0)
        positive.append(best >= high)
        negative.append(best < low)
    if force:
        for column in table.T:
            for row in np.flatnonzero((column == column.max()) & (column > 0)):
                positive[row], negative[row] = True, False
    return objects, positive, negative


def suppress(boxes, there, level, groups):
    """Greedy: boxes best first."""
    kept = []
    for i in range(len(boxes)):
        rivals = [j for j in kept if groups[j] == groups[i] and iou(boxes[i], boxes[j]) > level]
        if there[i] and not rivals:
            kept.append(i)
    return [i in kept for i in range(len(boxes))]


def paste(mask, box, size_hw, level=0.5):
    """Pixel by pixel."""
    drawn = np.zeros(size_hw, bool)
    h, w = mask.shape
    for row in range(size_hw[0]):
        for column in range(size_hw[1]):
            y, x = row + 0.5, column + 0.5
            if not (box[0] <= x < box[2] and box[1] <= y < box[3]):
                continue
            v = min(max((y - box[1]) / (box[3] - box[1]) * h - 0.5, 0), h - 1)
            u = min(max((x - box[0]) / (box[2] - box[0]) * w - 0.5, 0), w - 1)
            v0, u0 = int(v), int(u)
            v1, u1 = min(v0 + 1, h - 1), min(u0 + 1, w - 1)
            top = mask[v0, u0] * (1 - (u - u0)) + mask[v0, u1] * (u - u0)
            bottom = mask[v1, u0] * (1 - (u - u0)) + mask[v1, u1] * (u - u0)
            drawn[row, column] = top * (1 - (v - v0)) + bottom * (v - v0) >= level
    return drawn
