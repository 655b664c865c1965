"""A vision transformer in NumPy and float64, and the maps of its attention by their formulas."""

from math import erf

import numpy as np

from references.class_maps import numeric_gradient


class VisionTransformer:
    """Patches by a convolution, a class token or none, positions, blocks that normalise first, and a linear head.

    Args:
        weights: Layer name -> list of arrays, as Keras gives them.
        blocks: Number of blocks.
        head: "class", "mean" or "pooling".
    """

    def __init__(self, weights, blocks=2, head="class"):
        self.weights = {name: [np.asarray(x, float) for x in one] for name, one in weights.items()}
        self.blocks, self.head = blocks, head

    def tokens(self, image):
        """Return the first block's input `(N, C)`."""
        kernel, bias = self.weights["embedding"]
        side = len(kernel)
        height, width = image.shape[0] // side, image.shape[1] // side
        found = [
            np.tensordot(image[y * side :, x * side :][:side, :side].astype(float), kernel, 3) + bias
            for y in range(height)
            for x in range(width)
        ]
        if "first" in self.weights:
            found = [*self.weights["first"][0][0], *found]
        return np.array(found) + self.weights["positions"][0][0]

    def attention(self, x, number):
        """Return the scores `(heads, N, N)` of a block for its input."""
        y = self.normed(x, f"norm_{number}")
        return self._scores(y, y, f"attention_{number}")

    def block(self, x, number, scores=None, read=None):
        """Run a block, its attention scores, or the normalised tokens that its attention reads, replaced if given."""
        y = self.normed(x, f"norm_{number}") if read is None else read
        scores = self._scores(y, y, f"attention_{number}") if scores is None else scores
        x = x + self._mixed(scores, y, f"attention_{number}")
        y = self.normed(x, f"second_norm_{number}")
        kernel, bias = self.weights[f"wide_{number}"]
        y = y @ kernel + bias
        y = y * 0.5 * (1 + np.vectorize(erf)(y / np.sqrt(2)))
        kernel, bias = self.weights[f"narrow_{number}"]
        return x + y @ kernel + bias

    def score(self, x, target, start=0, scores=None, pooling=None, read=None):
        """Return a logit from the input of block `start`.

        Args:
            x: `(N, C)`.
            target: Class.
            start: Number of the block.
            scores: Number of a block -> attention scores that replace its own.
            read: Normalised tokens that replace those of block `start`.
            pooling: Attention scores `(heads, 1, N)` that replace those of a pooling head.
        """
        for number in range(start, self.blocks):
            x = self.block(x, number, (scores or {}).get(number), read if number == start else None)
        x = self.normed(x, "final")
        if self.head == "class":
            x = x[0]
        elif self.head == "mean":
            x = x.mean(axis=0)
        else:
            x = self._mixed(self.pooling(x) if pooling is None else pooling, x, "pooling")[0]
        kernel, bias = self.weights["logits"]
        return (x @ kernel + bias)[target]

    def pooling(self, x):
        """Return the scores `(heads, 1, N)` of a pooling head for normalised tokens."""
        return self._scores(self.weights["probe"][0][0], x, "pooling")

    def final(self, x):
        """Return the normalised tokens that the head reads, from the first block's input."""
        for number in range(self.blocks):
            x = self.block(x, number)
        return self.normed(x, "final")

    def scores_and_gradients(self, image, target):
        """Return each block's attention scores and the logit's gradients with respect to them, by differences."""
        x, result = self.tokens(image), []
        for number in range(self.blocks):
            scores = self.attention(x, number)
            gradient = numeric_gradient(lambda a, x=x, n=number: self.score(x, target, n, {n: a}), scores)
            result.append((scores, gradient))
            x = self.block(x, number)
        return result

    def normed(self, x, name):
        """Return tokens after a layer normalisation."""
        gamma, beta = self.weights[name]
        centred = x - x.mean(axis=-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-3) * gamma + beta

    def _scores(self, queries, keys, name):
        query, query_bias, key, key_bias = self.weights[name][:4]
        q = np.einsum("nc,chd->hnd", queries, query) + query_bias[:, None]
        k = np.einsum("nc,chd->hnd", keys, key) + key_bias[:, None]
        exponent = np.exp(np.einsum("hnd,hmd->hnm", q, k) / np.sqrt(q.shape[-1]))
        return exponent / exponent.sum(axis=-1, keepdims=True)

    def _mixed(self, scores, values, name):
        value, value_bias, out, out_bias = self.weights[name][4:]
        v = np.einsum("nc,chd->hnd", values, value) + value_bias[:, None]
        return np.einsum("hnd,hdc->nc", scores @ v, out) + out_bias


def weights_of(model):
    """Return the weights of a Keras model by layer name, those of its attention in the order of the twin."""
    result = {}
    for layer in model.layers:
        if type(layer).__name__ == "MultiHeadAttention":
            parts = (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
            result[layer.name] = [x for part in parts for x in part.get_weights()]
        elif layer.get_weights():
            result[layer.name] = layer.get_weights()
    return result


def rollout(scores, fusion=np.mean, discard=0.0):
    """Return the product of (A + I) / 2 over the blocks, rows divided by their sums, last block first."""
    count = scores[0].shape[-1]
    total = np.eye(count)
    for one in scores:
        fused = fusion(one, axis=0)
        smallest = sorted(fused.ravel())[int(discard * count * count)]
        fused = np.where(fused < smallest, 0, fused)
        both = 0.5 * fused + 0.5 * np.eye(count)
        total = (both / both.sum(axis=1, keepdims=True)) @ total
    return total


def relevance(pairs):
    """Return R of R <- R + E_h[(gradient * A)+] R, starting with I."""
    total = np.eye(pairs[0][0].shape[-1])
    for scores, gradient in pairs:
        total = total + np.maximum(scores * gradient, 0).mean(axis=0) @ total
    return total
