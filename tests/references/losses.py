"""The losses pixel by pixel in float64, from their formulas; masks `(B, H, W)`, 255 ignored, logits `(B, H, W, K)`."""

import math

import numpy as np


def softmax(scores):
    """Return the probabilities of one pixel's scores."""
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def known(masks, logits):
    """Yield place, class and probabilities of each pixel that is not ignored."""
    for place in np.ndindex(masks.shape):
        if masks[place] != 255:
            yield place, int(masks[place]), softmax([float(score) for score in logits[place]])


def mean_cost(masks, logits, cost):
    """Return the mean over the known pixels of `cost(class, probabilities)`."""
    costs = [cost(label, p) for _, label, p in known(masks, logits)]
    return sum(costs) / len(costs)


def cross_entropy(masks, logits):
    return mean_cost(masks, logits, lambda y, p: -math.log(p[y]))


def focal(masks, logits, gamma, alpha):
    return mean_cost(masks, logits, lambda y, p: -alpha[y] * (1 - p[y]) ** gamma * math.log(p[y]))


def generalised_cross_entropy(masks, logits, q):
    return mean_cost(masks, logits, lambda y, p: (1 - p[y] ** q) / q)


def symmetric_cross_entropy(masks, logits, alpha, beta, log_zero):
    def cost(y, p):
        reverse = -sum(p[k] * (0 if k == y else log_zero) for k in range(len(p)))
        return alpha * -math.log(p[y]) + beta * reverse

    return mean_cost(masks, logits, cost)


def bootstrapping(masks, logits, hard, beta):
    def cost(y, p):
        total = 0.0
        for k in range(len(p)):
            own = float(k == p.index(max(p))) if hard else p[k]
            total -= (beta * (k == y) + (1 - beta) * own) * math.log(p[k])
        return total

    return mean_cost(masks, logits, cost)


def dice(masks, logits, classes):
    costs = []
    for c in range(logits.shape[-1]):
        both = truth = found = 0.0
        for _, label, p in known(masks, logits):
            both += p[c] * (label == c)
            truth += label == c
            found += p[c]
        if truth or classes == "all":
            costs.append(1 - 2 * both / (truth + found))
    return sum(costs) / len(costs)


def jaccard_loss(truth, wrong):
    """Return 1 - IoU of a prediction that differs from the set `truth` at the set `wrong`."""
    found = truth ^ wrong
    return 1 - len(truth & found) / len(truth | found) if truth | found else 0.0


def lovasz_softmax(masks, logits, classes):
    """Return the Lovasz extension by its definition: sets of wrong pixels that grow one by one."""
    costs = []
    for c in range(logits.shape[-1]):
        errors, truth = {}, set()
        for place, label, p in known(masks, logits):
            errors[place] = 1 - p[c] if label == c else p[c]
            if label == c:
                truth.add(place)
        if not truth and classes == "present":
            continue
        cost, wrong = 0.0, set()
        for place in sorted(errors, key=errors.get, reverse=True):
            cost += errors[place] * (jaccard_loss(truth, wrong | {place}) - jaccard_loss(truth, wrong))
            wrong.add(place)
        costs.append(cost)
    return sum(costs) / len(costs)


def seed(masks, logits):
    images = [i for i in range(len(masks)) if (masks[i] != 255).any()]
    return sum(cross_entropy(masks[i : i + 1], logits[i : i + 1]) for i in images) / len(images)


def rank_pooling(values, decay):
    """Return G of SEC: the mean of falling values with the weights 1, d, d^2 ..."""
    falling = sorted(values, reverse=True)
    weights = [decay**j for j in range(len(falling))]
    return sum(w * v for w, v in zip(weights, falling)) / sum(weights)


def expansion(labels, logits, present, absent, background):
    """Return SEC's expansion loss for image-level labels `(B, K)`, decays as they are."""
    total = 0.0
    for image, flags in zip(logits, labels):
        p = [softmax([float(score) for score in image[place]]) for place in np.ndindex(image.shape[:2])]
        maps = list(zip(*p))
        on = [-math.log(rank_pooling(maps[c], present)) for c in range(1, len(maps)) if flags[c]]
        off = [-math.log(1 - rank_pooling(maps[c], absent)) for c in range(1, len(maps)) if not flags[c]]
        total += sum(on) / max(len(on), 1) + sum(off) / max(len(off), 1)
        total -= math.log(rank_pooling(maps[0], background))
    return total / len(labels)


def constrain_to_boundary(targets, logits):
    """Return the mean KL(Q || f) over the pixels where Q is not 0."""
    costs = []
    for place in np.ndindex(targets.shape[:3]):
        if targets[place].sum():
            p = softmax([float(score) for score in logits[place]])
            costs.append(sum(q * math.log(q / f) for q, f in zip(targets[place].tolist(), p) if q))
    return sum(costs) / len(costs)


def objects_of(mask):
    """Return the 4-connected pieces of each foreground class as sets of pixels, by flood filling."""
    left = {place for place in np.ndindex(mask.shape) if mask[place] not in (0, 255)}
    pieces = []
    while left:
        start = left.pop()
        piece, edge = {start}, [start]
        while edge:
            y, x = edge.pop()
            for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if other in left and mask[other] == mask[start]:
                    left.remove(other)
                    piece.add(other)
                    edge.append(other)
        pieces.append(piece)
    return pieces


def distance_to(place, targets):
    """Return the distance from a pixel to the nearest of `targets`, or infinity."""
    return min((math.dist(place, other) for other in targets), default=math.inf)


def border_weights(mask, w0, sigma, class_weights):
    """Return U-Net's weight map; `class_weights` by class id."""
    everywhere = set(np.ndindex(mask.shape))
    pieces = objects_of(mask)
    result = np.zeros(mask.shape)
    for place in everywhere:
        if mask[place] == 255:
            continue
        distances = [distance_to(place, everywhere - p if place in p else p) for p in pieces]
        d1, d2 = sorted([*distances, math.inf, math.inf])[:2]
        result[place] = class_weights[mask[place]] + w0 * math.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return result


def signed_distances(mask, num_classes):
    """Return `(H, W, K - 1)`: distances to each class, inside 1 - the distance to what is not of it."""
    everywhere = set(np.ndindex(mask.shape))
    result = np.zeros((*mask.shape, num_classes - 1))
    for c in range(1, num_classes):
        inside = {place for place in everywhere if mask[place] == c}
        if inside and inside != everywhere:
            for place in everywhere:
                own = place in inside
                distance = distance_to(place, everywhere - inside if own else inside)
                result[(*place, c - 1)] = 1 - distance if own else distance
    return result


def weighted_cross_entropy(masks, weights, logits):
    costs = [-weights[place] * math.log(p[label]) for place, label, p in known(masks, logits)]
    return sum(costs) / len(costs)


def boundary(masks, distances, logits, alpha, cross_entropy_weight):
    costs = []
    for place, label, p in known(masks, logits):
        term = sum(phi * s for phi, s in zip(distances[place].tolist(), p[1:])) / (len(p) - 1)
        costs.append(alpha * term - cross_entropy_weight * math.log(p[label]))
    return sum(costs) / len(costs)
