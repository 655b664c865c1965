"""Slow twins of `wsseg.places`: flood fill pixel by pixel."""

import numpy as np


def flood_components(mask):
    """Components of 8 neighbours as lists of (y, x), most pixels first, then by the first pixel in reading order."""
    height, width = len(mask), len(mask[0])
    seen, found = set(), []
    for y in range(height):
        for x in range(width):
            if not mask[y][x] or (y, x) in seen:
                continue
            seen.add((y, x))
            stack, part = [(y, x)], []
            while stack:
                row, column = stack.pop()
                part.append((row, column))
                for dy in (-1, 0, 1):
                    for dx in (-1, 0, 1):
                        near = (row + dy, column + dx)
                        inside = 0 <= near[0] < height and 0 <= near[1] < width
                        if inside and near not in seen and mask[near[0]][near[1]]:
                            seen.add(near)
                            stack.append(near)
            found.append(sorted(part))
    return sorted(found, key=lambda part: (-len(part), part[0]))


def tight_box(part):
    """Left, top, right, bottom of (y, x) pixels, right and bottom exclusive."""
    rows, columns = [y for y, _ in part], [x for _, x in part]
    return [min(columns), min(rows), max(columns) + 1, max(rows) + 1]


def boxes_above(map_hw, level):
    """Boxes of the components strictly above a level, largest first."""
    mask = [[np.float32(value) > np.float32(level) for value in row] for row in np.asarray(map_hw)]
    return [tight_box(part) for part in flood_components(mask)]


def intersection_over_union(first, second):
    """IoU of two boxes, by counting pixels."""
    pixels = [
        {(x, y) for x in range(left, right) for y in range(top, bottom)}
        for left, top, right, bottom in (first, second)
    ]
    return len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1])
