"""Guided backpropagation, SmoothGrad and integrated gradients of small networks, by loops in float64."""

import numpy as np

from references.class_maps import numeric_gradient


def convolution(image, kernel, bias, stride=1):
    """Return the valid convolution of `(H, W, C)` with `(k, k, C, F)`."""
    side = kernel.shape[0]
    rows, columns = ((n - side) // stride + 1 for n in image.shape[:2])
    result = np.zeros((rows, columns, kernel.shape[3]))
    for y in range(rows):
        for x in range(columns):
            window = image[y * stride : y * stride + side, x * stride : x * stride + side]
            result[y, x] = np.einsum("abc,abcf->f", window, kernel) + bias
    return result


def convolution_backwards(gradient, shape, kernel, stride=1):
    """Return the gradient by the image of `shape`, given the one by its convolution."""
    result, side = np.zeros(shape), kernel.shape[0]
    for y in range(gradient.shape[0]):
        for x in range(gradient.shape[1]):
            part = np.einsum("abcf,f->abc", kernel, gradient[y, x])
            result[y * stride : y * stride + side, x * stride : x * stride + side] += part
    return result


def rectified(z, ceiling=np.inf, slope=0.0, threshold=0.0):
    """Return a ReLU of z by its definition in words, one number at a time."""
    result = np.zeros(z.shape)
    for place, value in np.ndenumerate(z):
        if value >= ceiling:
            result[place] = ceiling
        elif value > threshold:
            result[place] = value
        else:
            result[place] = slope * (value - threshold)
    return result


def rectified_backwards(gradient, z, ceiling=np.inf, slope=0.0, threshold=0.0, guided=True):
    """Return the gradient before a ReLU; guided: what arrives negative is stopped."""
    result = np.zeros(z.shape)
    for place, arrives in np.ndenumerate(gradient):
        if guided and arrives < 0:
            continue
        if z[place] <= threshold:
            result[place] = np.broadcast_to(slope, z.shape)[place] * arrives
        elif z[place] < ceiling:
            result[place] = arrives
    return result


def two_convolutions(image, first, second, last, target, relu_options, guided):
    """Return the score and its (guided) gradient by the image.

    The network: convolution, ReLU, convolution of stride 2, ReLU with options, flatten, dense; each is a pair of
    a kernel and a bias.
    """
    image = image.astype(float)
    before = [convolution(image, *first)]
    hidden = rectified(before[0])
    before.append(convolution(hidden, *second, stride=2))
    features = rectified(before[1], **relu_options)
    score = features.ravel() @ last[0][:, target] + last[1][target]
    gradient = last[0][:, target].reshape(features.shape).astype(float)
    gradient = rectified_backwards(gradient, before[1], **relu_options, guided=guided)
    gradient = convolution_backwards(gradient, hidden.shape, second[0], stride=2)
    gradient = rectified_backwards(gradient, before[0], guided=guided)
    return score, convolution_backwards(gradient, image.shape, first[0])


def smooth_grad(score, image, noises, share):
    """Return the mean gradient at noisy copies of the image."""
    image = image.astype(float)
    spread = share * (image.max() - image.min())
    return sum(numeric_gradient(score, image + spread * noise) for noise in noises) / len(noises)


def integrated_gradients(score, image, baseline, alphas, weights):
    """Return (x - x') times the weighted sum of the gradients at x' + alpha (x - x')."""
    image, baseline = image.astype(float), baseline.astype(float)
    total = np.zeros(image.shape)
    for alpha, weight in zip(alphas, weights):
        total += weight * numeric_gradient(score, baseline + alpha * (image - baseline))
    return (image - baseline) * total
