"""Scores of maps, pixel by pixel and level by level, in plain loops."""

from references.average_precision import average_precision


def scaled(rows):
    """Return a map scaled to [0, 1]; 0 everywhere where it is constant."""
    values = [float(v) for row in rows for v in row]
    low, high = min(values), max(values)
    return [[(float(v) - low) / (high - low) if high > low else 0.0 for v in row] for row in rows]


def component_boxes(rows, level):
    """Return (left, top, right, bottom), ends exclusive, of each 8-connected component above a level."""
    left = {(y, x) for y, row in enumerate(rows) for x, v in enumerate(row) if v > level}
    boxes = []
    while left:
        waiting = [left.pop()]
        part = set(waiting)
        while waiting:
            y, x = waiting.pop()
            for near in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if near in left:
                    left.remove(near)
                    part.add(near)
                    waiting.append(near)
        ys, xs = [y for y, _ in part], [x for _, x in part]
        boxes.append((min(xs), min(ys), max(xs) + 1, max(ys) + 1))
    return boxes


def iou(one, two):
    """Return the intersection over union by counting pixels of whole-numbered boxes."""

    def pixels(box):
        return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}

    return len(pixels(one) & pixels(two)) / len(pixels(one) | pixels(two))


def max_box_acc_v2(maps, boxes, ious, levels):
    """Return the mean over `ious` of the best level's share of maps with a fitting box."""
    total = 0.0
    for wanted in ious:
        best = 0.0
        for step in range(levels):
            hits = 0
            for rows, truth in zip(maps, boxes):
                found = component_boxes(scaled(rows), step / levels)
                hits += any(iou(b, t) >= wanted for b in found for t in truth)
            best = max(best, hits / len(maps))
        total += best
    return total / len(ious)


def pxap(maps, objects, levels, ignored=None):
    """Return the average precision of all pixels, their scores rounded down to a level."""
    scores, truth = [], []
    for index, (rows, mask) in enumerate(zip(maps, objects)):
        for y, row in enumerate(scaled(rows)):
            for x, value in enumerate(row):
                if ignored is None or not ignored[index][y][x]:
                    scores.append(int(value * levels + 1e-6))
                    truth.append(mask[y][x])
    return average_precision(scores, truth)


def points_at(rows, mask, tolerance):
    """Return the share of the map's maxima that are within the tolerance of a pixel of the object."""
    peak = max(v for row in rows for v in row)
    inside = [(y, x) for y, row in enumerate(mask) for x, v in enumerate(row) if v]
    points = [(y, x) for y, row in enumerate(rows) for x, v in enumerate(row) if v == peak]
    near = [any((y - b) ** 2 + (x - a) ** 2 <= tolerance**2 for b, a in inside) for y, x in points]
    return sum(near) / len(points)


def energy_inside(rows, mask, ignored=None):
    """Return the share of the map's sum that lies on the object."""
    inside = total = 0.0
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            if ignored is None or not ignored[y][x]:
                total += value
                inside += value if mask[y][x] else 0
    return inside / total if total else 0.0


def gini(values):
    """Return the Gini index as half the mean difference of all pairs over the mean."""
    values = [abs(float(v)) for v in values]
    differences = sum(abs(a - b) for a in values for b in values)
    return differences / (2 * len(values) ** 2) / (sum(values) / len(values))


def spearman(one, two):
    """Return Spearman's rank correlation; each rank by counting."""

    def ranks(values):
        return [sum(w < v for w in values) + (sum(w == v for w in values) + 1) / 2 for v in values]

    a, b = ranks(list(one)), ranks(list(two))
    mean = (len(a) + 1) / 2
    shared = sum((p - mean) * (q - mean) for p, q in zip(a, b))
    sizes = [sum((p - mean) ** 2 for p in side) for side in (a, b)]
    return shared / (sizes[0] * sizes[1]) ** 0.5
