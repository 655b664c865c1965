"""Measures of faithfulness in plain loops, one image at a time; `model` is a function of one image."""

import numpy as np


def insertion_deletion_areas(model, image, values, start, fill, steps):
    """Return the areas under both curves; values of the map must differ."""
    height, width = values.shape
    places = sorted((-values[y, x], y, x) for y in range(height) for x in range(width))
    areas = []
    for base, source in ((start, image), (image, fill)):
        scores, shares = [], []
        for step in range(steps + 1):
            count = round(step * len(places) / steps)
            changed = base.copy()
            for _, y, x in places[:count]:
                changed[y, x] = source[y, x]
            scores.append(model(changed))
            shares.append(count / len(places))
        parts = zip(shares, shares[1:], scores, scores[1:])
        areas.append(sum((right - left) * (a + b) / 2 for left, right, a, b in parts))
    return areas


def average_drop(pairs):
    """Return the average drop and the increase in confidence, in %, of (before, after) scores."""
    drop = sum(max(0, before - after) / before for before, after in pairs)
    return 100 * drop / len(pairs), 100 * sum(before < after for before, after in pairs) / len(pairs)


def imputed(image, removed):
    """Return the image with removed pixels as the weighted mean of their neighbours, by a dense solve."""
    height, width, channels = image.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    matrix, right = np.zeros((len(pixels),) * 2), np.zeros((len(pixels), channels))
    for row, (y, x) in enumerate(pixels):
        matrix[row, row] = 1
        if not removed[y, x]:
            right[row] = image[y, x]
            continue
        near = {
            (b, a): 1 / 6 if abs(b - y) + abs(a - x) == 1 else 1 / 12
            for b, a in pixels
            if max(abs(b - y), abs(a - x)) == 1
        }
        for place, weight in near.items():
            matrix[row, pixels.index(place)] = -weight / sum(near.values())
    return np.linalg.solve(matrix, right).reshape(image.shape)
