"""Score-CAM, Ablation-CAM, occlusion and RISE by loops in float64, and the small network that they are run on."""

import numpy as np

from references.class_maps import bilinear, convolution_relu, placed


class TwoInputForward:
    """`two_input_classifier` for one image, in parts."""

    def __init__(self, model, words):
        self.weights = {
            name: [w.astype(float) for w in model.get_layer(name).get_weights()]
            for name in ("features", "hidden", "scores")
        }
        self.words = words.astype(float)

    def features(self, image):
        return convolution_relu(image.astype(float), *self.weights["features"], 2)

    def head(self, features):
        """Return the logits."""
        pooled = [features[..., k].sum() / features[..., k].size for k in range(features.shape[-1])]
        (kernel, bias), (last, last_bias) = self.weights["hidden"], self.weights["scores"]
        return np.tanh(np.concatenate([pooled, self.words]) @ kernel + bias) @ last + last_bias

    def logits(self, image):
        return self.head(self.features(image))

    def probabilities(self, image):
        values = np.exp(self.logits(image))
        return values / values.sum()


def hidden(image, mask, fill=0.0):
    """Return the image where the mask is 1, `fill` where it is 0."""
    result = np.zeros(image.shape)
    fill = np.broadcast_to(fill, image.shape[-1:])
    for y, x, c in np.ndindex(image.shape):
        result[y, x, c] = mask[y, x] * float(image[y, x, c]) + (1 - mask[y, x]) * fill[c]
    return result


def score_cam(image, features, score, stride, centre, fill=0.0, softmax=True, channels=None):
    """Score-CAM; `score` is a function of an image, `channels` the numbers of those to use."""
    channels = range(features.shape[-1]) if channels is None else channels
    baseline = score(hidden(image, np.zeros(image.shape[:2]), fill))
    increase = []
    for k in channels:
        mask = placed(features[..., k], range(image.shape[0]), range(image.shape[1]), stride, centre)
        if mask.max() > mask.min():
            mask = (mask - mask.min()) / (mask.max() - mask.min())
        else:
            mask = np.zeros(mask.shape)
        increase.append(score(hidden(image, mask, fill)) - baseline)
    weights = increase
    if softmax:
        weights = [np.exp(value) / sum(np.exp(other) for other in increase) for value in increase]
    result = np.zeros(features.shape[:2])
    for k, weight in zip(channels, weights):
        result += weight * features[..., k]
    return np.maximum(result, 0)


def ablation_cam(features, score):
    """Ablation-CAM; `score` is a function of the features."""
    whole, result = score(features), np.zeros(features.shape[:2])
    for k in range(features.shape[-1]):
        ablated = features.copy()
        ablated[..., k] = 0
        result += (whole - score(ablated)) / abs(whole) * features[..., k]
    return np.maximum(result, 0)


def occlusion(image, score, tops, lefts, window, fill):
    """Mean drop over the windows that cover a pixel."""
    total, count = np.zeros(image.shape[:2]), np.zeros(image.shape[:2])
    for top in tops:
        for left in lefts:
            covered = image.astype(float)
            covered[top : top + window[0], left : left + window[1]] = fill
            drop = score(image) - score(covered)
            for y in range(top, top + window[0]):
                for x in range(left, left + window[1]):
                    total[y, x] += drop
                    count[y, x] += 1
    return total / count


def rise_masks(size_hw, grids, shifts):
    """Enlarge each grid to one cell more than the image and crop it at its shift."""
    height, width = size_hw
    for grid, (down, across) in zip(grids, shifts):
        rows, columns = grid.shape
        side = (-(-height // rows), -(-width // columns))
        large = bilinear(grid.astype(float), (rows + 1) * side[0], (columns + 1) * side[1])
        yield large[down : down + height, across : across + width]


def rise(image, score, masks, probability, centred=False, fill=0.0):
    """Sum of the masks weighted by the scores, over N p."""
    masks = list(masks)
    scores = [score(hidden(image, mask, fill)) for mask in masks]
    mean = sum(scores) / len(scores) if centred else 0.0
    result = np.zeros(image.shape[:2])
    for mask, value in zip(masks, scores):
        result += (value - mean) * mask
    return result / (len(masks) * probability)
