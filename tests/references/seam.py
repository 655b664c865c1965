"""SEAM's correlation and losses by loops in float64, one image at a time."""

import numpy as np


def correlated(maps, features, kernel, inside=None):
    """Spread `(h, w, M)` over the cells of `(h, w, C)` by the cosines of their embeddings."""
    cells, numbers = maps.shape[:2], maps.reshape(-1, maps.shape[-1]).astype(float)
    embedded = features.reshape(-1, features.shape[-1]).astype(float) @ kernel.astype(float)
    counts = np.ones(len(numbers), bool) if inside is None else inside.ravel()
    result = np.zeros(numbers.shape)
    for i, own in enumerate(embedded):
        total, sum_of_weights = 0.0, 0.0
        for j, other in enumerate(embedded):
            cosine = own @ other / ((np.linalg.norm(own) + 1e-5) * (np.linalg.norm(other) + 1e-5))
            if counts[j] and cosine > 0:
                total = total + cosine * numbers[j]
                sum_of_weights += cosine
        result[i] = total / (sum_of_weights + 1e-5)
    return result.reshape(*cells, -1)


def strongest_class(maps, inside=None):
    """Divide each positive part by its maximum inside; keep the strongest class of a cell; background first."""
    counts = np.ones(maps.shape[:2], bool) if inside is None else inside
    units = []
    for k in range(maps.shape[-1]):
        positive = np.where(counts, np.maximum(maps[..., k].astype(float), 0), 0)
        units.append(np.maximum(positive - 1e-5, 0) / (positive.max() + 1e-5))
    return one_kept(np.stack(units, -1))


def one_kept(units):
    """Keep the strongest class of each cell, and put 1 - it before."""
    result = np.zeros((*units.shape[:2], units.shape[2] + 1))
    for y in range(units.shape[0]):
        for x in range(units.shape[1]):
            best = int(units[y, x].argmax())
            result[y, x, 0] = 1 - units[y, x, best]
            result[y, x, 1 + best] = units[y, x, best]
    return result


def to_unit(maps, inside):
    """Shift and scale positive parts to [0, 1] over the cells inside; 0 outside."""
    result = np.zeros(maps.shape)
    for k in range(maps.shape[-1]):
        positive = np.maximum(maps[..., k].astype(float), 0)
        low, high = positive[inside].min(), positive[inside].max()
        result[..., k] = np.where(inside, np.maximum(positive - low - 1e-5, 0) / (high - low + 1e-5), 0)
    return result


def losses(maps, refined, labels, inside):
    """Return equivariance, the two cross terms and the two of low cells, of one image and its two views."""
    first, second = (to_unit(view, inside) * labels for view in maps)
    equivariance = np.abs(first - second)[inside].mean()
    cross, low = [], []
    for view, target in zip(refined, (second, first)):
        errors = np.abs(one_kept(target) - to_unit(view, inside) * np.append(1, labels))[inside].ravel()
        hard = np.sort(errors)[::-1][: int(0.2 * errors.size)].mean()
        cross.append(hard if labels.any() else 0.0)
        strongest = (view[..., 1:] * labels).max(-1)[inside]
        low.append(np.sort(strongest)[: int(0.25 * strongest.size)].mean())
    return equivariance, cross, low


def smaller_view(image, inside, scale, margins):
    """Resize an image and its validity bilinearly and by the nearest pixel, and add margins in the mean colour."""
    size_hw = [int(scale * side + 0.5) for side in image.shape[:2]]
    result = np.zeros((*size_hw, 3))
    valid = np.zeros(size_hw)
    for y in range(size_hw[0]):
        for x in range(size_hw[1]):
            v, u = (
                (place + 0.5) * before / after - 0.5
                for place, before, after in zip((y, x), image.shape, size_hw)
            )
            result[y, x] = at(image, v, u)
            valid[y, x] = inside[int(v + 0.5), int(u + 0.5)]
    wide = np.zeros([side + sum(pair) for side, pair in zip(size_hw, margins)] + [3])
    wide[:] = (124, 116, 104)
    wide[margins[0][0] :, margins[1][0] :][: size_hw[0], : size_hw[1]] = result
    return wide, valid


def at(maps, y, x):
    """Read `(h, w, M)` at a place between cells, bilinearly; beyond, the last cell is repeated."""
    y, x = (min(max(place, 0), side - 1) for place, side in zip((y, x), maps.shape))
    top, left = min(int(y), maps.shape[0] - 2), min(int(x), maps.shape[1] - 2)
    down, right = y - top, x - left
    upper = (1 - right) * maps[top, left] + right * maps[top, left + 1]
    lower = (1 - right) * maps[top + 1, left] + right * maps[top + 1, left + 1]
    return (1 - down) * upper + down * lower


def on_image_cells(maps, cells_hw, size_hw, scale, grid, margins):
    """Read a smaller view's maps where the cells of the image's maps look."""
    result = np.zeros((*cells_hw, maps.shape[-1]))
    for i in range(cells_hw[0]):
        for j in range(cells_hw[1]):
            places = []
            for cell, side, stride, centre, (before, _) in zip(
                (i, j), size_hw, grid.stride_hw, grid.centre_hw, margins
            ):
                ratio = int(scale * side + 0.5) / side
                pixel = (stride * cell + centre + 0.5) * ratio - 0.5 + before
                places.append((pixel - centre) / stride)
            result[i, j] = at(maps, *places)
    return result
