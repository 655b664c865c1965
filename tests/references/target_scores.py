"""Scores of segmenters, captioners, embeddings and detectors, in loops, float64."""

import math


def pixel_sum(scores, class_id, pixels=None):
    """Return the sum of a class's scores over pixels (None: those where no class is higher) and their number."""
    total, count = 0.0, 0
    for y, row in enumerate(scores):
        for x, values in enumerate(row):
            highest = all(float(v) <= float(values[class_id]) for v in values)
            if highest if pixels is None else pixels[y][x]:
                total += float(values[class_id])
                count += 1
    return total, count


def log_probability(logits, token):
    """Return the logarithm of the softmax of `(V,)` logits at one place."""
    top = max(float(z) for z in logits)
    return float(logits[token]) - top - math.log(sum(math.exp(float(z) - top) for z in logits))


def log_probability_gradient(logits, token):
    """Return its derivative by each logit: 1 - p for the token itself, summed of the others so as not to cancel."""
    shares = [math.exp(log_probability(logits, k)) for k in range(len(logits))]
    return [sum(shares[:token] + shares[token + 1 :]) if k == token else -p for k, p in enumerate(shares)]


def cosine(one, two):
    """Return the cosine similarity of two vectors."""
    dot = sum(float(a) * float(b) for a, b in zip(one, two))
    return dot / math.sqrt(sum(float(a) ** 2 for a in one) * sum(float(b) ** 2 for b in two))


def iou(one, two):
    """Return the intersection over union of two boxes (left, top, right, bottom)."""
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    inner = float(width) * float(height) if width > 0 and height > 0 else 0.0
    areas = [(float(b[2]) - float(b[0])) * (float(b[3]) - float(b[1])) for b in (one, two)]
    return inner / (sum(areas) - inner)


def best_fitting(box, boxes):
    """Return the number of the box that fits best (the first of several), and how well."""
    fits = [iou(box, other) for other in boxes]
    return fits.index(max(fits)), max(fits)


def detection_similarity(box, class_id, boxes, scores):
    """Return the highest of IoU times class score over all detections."""
    return max(iou(box, other) * float(row[class_id]) for other, row in zip(boxes, scores))
