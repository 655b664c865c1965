"""CLIP's image encoder and the maps of CLIP-ES in float64, gradients by finite differences."""

import numpy as np


def _arrays(layer):
    return [np.asarray(weight, np.float64) for weight in layer.get_weights()]


def _norm(layer, x):
    gamma, beta = _arrays(layer)
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * gamma + beta


def _attention(layer, x):
    """Keras' multi-head attention of tokens `(N, C)` with themselves; kernels are `(C, heads, width)`."""
    wq, bq, wk, bk, wv, bv, wo, bo = _arrays(layer)
    total = bo.copy()
    for head in range(wq.shape[1]):
        q, k, v = (x @ w[:, head] + b[head] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
        scores = np.exp(q @ k.T / np.sqrt(q.shape[1]))
        total = total + scores / scores.sum(1, keepdims=True) @ v @ wo[head]
    return total


def _mlp(block, x):
    (w1, b1), (w2, b2) = _arrays(block.dense_1), _arrays(block.dense_2)
    x = _norm(block.layer_norm_2, x) @ w1 + b1
    return x / (1 + np.exp(-1.702 * x)) @ w2 + b2


def embedded(encoder, image, positions):
    """The first block's tokens `(1 + N, C)` of one preprocessed image, given its position embeddings `(1 + N, C)`."""
    (kernel,) = _arrays(encoder.embedding.patch_embedding)
    side = kernel.shape[0]
    tokens = [np.asarray(encoder.embedding.class_embedding, np.float64)]
    for row in range(0, image.shape[0], side):
        for column in range(0, image.shape[1], side):
            patch = image[row : row + side, column : column + side]
            tokens.append(np.einsum("yxi,yxio->o", patch, kernel))
    return _norm(encoder.pre_layer_norm, np.stack(tokens) + positions)


def up_to_last(encoder, tokens):
    """The tokens that the last block's attention reads, and those before their layer norm."""
    for block in encoder.encoder_layers[:-1]:
        tokens = tokens + _attention(block.attention, _norm(block.layer_norm_1, tokens))
        tokens = tokens + _mlp(block, tokens)
    return _norm(encoder.encoder_layers[-1].layer_norm_1, tokens), tokens


def embedding(clip, normed, tokens):
    """The image's unit embedding, from the last block's attention on."""
    block = clip.vision_encoder.encoder_layers[-1]
    tokens = tokens + _attention(block.attention, normed)
    tokens = tokens + _mlp(block, tokens)
    (projection,) = _arrays(clip.vision_projection)
    found = _norm(clip.vision_encoder.layer_norm, tokens)[0] @ projection
    return found / np.linalg.norm(found)


def probabilities(clip, found, classes, background, present):
    """The softmax over the present classes and the background: class -> score."""
    scale = np.exp(np.asarray(clip.clip_head.logit_scale, np.float64))
    exponents = {c: np.exp(scale * found @ classes[c]) for c in present}
    total = sum(exponents.values()) + sum(np.exp(scale * found @ word) for word in background)
    return {c: e / total for c, e in exponents.items()}


def class_map(clip, normed, tokens, classes, background, present, wanted, step=1e-5):
    """Grad-CAM of one class at the patches, `(N,)`."""

    def score(at):
        return probabilities(clip, embedding(clip, at, tokens), classes, background, present)[wanted]

    gradient = np.zeros_like(normed)
    for token in range(1, len(normed)):
        for channel in range(normed.shape[1]):
            ahead, behind = normed.copy(), normed.copy()
            ahead[token, channel] += step
            behind[token, channel] -= step
            gradient[token, channel] = (score(ahead) - score(behind)) / (2 * step)
    weights = gradient[1:].sum(0) / (len(normed) - 1)
    return np.maximum(normed[1:] @ weights, 0)
