"""Position of pixels in the permutohedral lattice: the corners of the simplex around each pixel, and their weights."""

import numpy as np

from wsseg.refiners.dense_crf.compiled import compiled

ROUND = np.float32(12582912)  # 1.5 * 2^23: adding it rounds to a whole number


@compiled
def place(features, count, scale, units, weights, first, keys, elevated, rest, rank, order):
    """Find the simplex around each of `count` pixels: the keys of its corners, and the pixel's weights.

    The innermost loops run over pixels, so that they become vector instructions. `elevated` has d + 2 rows, `rest` has
    2 * (d + 1).
    """
    dims = scale.size
    corners = np.int32(dims + 1)
    up, down = np.float32(dims + 1), np.float32(1) / np.float32(dims + 1)
    total = elevated[dims + 1]
    for p in range(count):
        total[p] = 0
    # Elevate the features onto the plane where the coordinates sum to 0.
    for j in range(dims, 0, -1):
        feature, row, factor, ordinal = features[j - 1], elevated[j], scale[j - 1], np.float32(j)
        for p in range(count):
            value = feature[p] * factor
            row[p] = total[p] - ordinal * value
            total[p] += value
    row = elevated[0]
    for p in range(count):
        row[p] = total[p]
        total[p] = 0
    # Find the nearest point whose coordinates are multiples of d + 1 (not always on the plane), and the remainder.
    for i in range(dims + 1):
        row, near, position = elevated[i], rest[i], rank[i]
        for p in range(count):
            whole = (row[p] * down + ROUND) - ROUND
            near[p] = whole * up
            row[p] -= whole * up
            total[p] += whole
            position[p] = 0
    # Rank the coordinates by their remainder, largest first. The ranks determine the simplex.
    for i in range(dims):
        left, left_rank = elevated[i], rank[i]
        for j in range(i + 1, dims + 1):
            right, right_rank = elevated[j], rank[j]
            for p in range(count):
                less = np.int32(left[p] < right[p])
                left_rank[p] += less
                right_rank[p] += np.int32(1) - less
    # Move the point back onto the plane. Then sort the remainders and the coordinates' units by rank.
    ones, key = np.uint64(0), keys[0]
    for p in range(count):
        key[p] = 0
    by_rank = rest[dims + 1 :]
    for i in range(dims + 1):
        row, near, position, unit = elevated[i], rest[i], rank[i], units[i]
        ones += unit
        for p in range(count):
            moved = position[p] + np.int32(total[p])
            change = np.float32(0)
            if moved < 0:
                moved += corners
                change = up
            elif moved >= corners:
                moved -= corners
                change = -up
            position[p] = moved
            near[p] += change
            row[p] = (row[p] - change) * down
        for p in range(count):
            key[p] += np.uint64(np.int64(near[p])) * unit
        for p in range(count):
            by_rank[position[p], p] = row[p]
            order[position[p], p] = unit
    # Corner k + 1 is corner k plus 1 in each coordinate, and minus d + 1 in the coordinate of rank d - k.
    step = np.uint64(dims + 1)
    for k in range(dims):
        here, there, unit_row = keys[k], keys[k + 1], order[dims - k]
        for p in range(count):
            there[p] = here[p] + ones - step * unit_row[p]
    for p in range(count):
        weights[(first + p) * corners] = np.float32(1) + (by_rank[dims, p] - by_rank[0, p])
    for k in range(1, dims + 1):
        for p in range(count):
            weights[(first + p) * corners + k] = by_rank[dims - k, p] - by_rank[dims - k + 1, p]
