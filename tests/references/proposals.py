"""Proposal-wise inference pixel by pixel: every score map is spelled out over the whole image."""

import math

import numpy as np


def triangle_weights(before, after):
    """Return rows of weights: `after` values as antialiased linear interpolation of `before` values."""
    rows = []
    ratio = before / after
    reach = max(ratio, 1.0)
    for i in range(after):
        centre = (i + 0.5) * ratio
        row = [max(0.0, 1.0 - abs(j + 0.5 - centre) / reach) for j in range(before)]
        rows.append([value / sum(row) for value in row])
    return np.array(rows)


def resize(values, size_hw):
    """Resize `(h, w, C)`, one axis after the other."""
    vertical = triangle_weights(values.shape[0], size_hw[0])
    horizontal = triangle_weights(values.shape[1], size_hw[1])
    return np.einsum("Hh,Ww,hwc->HWc", vertical, horizontal, values)


def predict_proposals(network, image, boxes, input_size, enlarge):
    """Return the maximum over proposals of maps that are zero outside of each enlarged box."""
    height, width, channels = image.shape
    maps = []
    for left, top, right, bottom in boxes:
        half_w, half_h = enlarge * (right - left) / 2, enlarge * (bottom - top) / 2
        x0, x1 = (round((left + right) / 2 + sign * half_w) for sign in (-1, 1))
        y0, y1 = (round((top + bottom) / 2 + sign * half_h) for sign in (-1, 1))
        crop = np.zeros((y1 - y0, x1 - x0, channels))
        for y in range(y0, y1):
            for x in range(x0, x1):
                if 0 <= y < height and 0 <= x < width:
                    crop[y - y0, x - x0] = image[y, x]
        scores = resize(np.asarray(network(resize(crop, input_size)[None]))[0], crop.shape[:2])
        whole = np.zeros((height, width, scores.shape[-1]))
        for y in range(max(y0, 0), min(y1, height)):
            for x in range(max(x0, 0), min(x1, width)):
                whole[y, x] = scores[y - y0, x - x0]
        maps.append(whole)
    result = np.full_like(maps[0], -math.inf)
    for whole in maps:
        result = np.maximum(result, whole)
    return result
