"""Run a vision transformer of keras-hub on images of any size: its position embeddings are resampled to the size."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from wsseg.layers.resampling import resample


def positions_for(table: Any, grid_hw: tuple[Any, Any], antialias: bool = False) -> Any:
    """Resample a table of position embeddings, trained on a square grid of patches, to another grid.

    The resampling is bicubic with half-pixel centres, in float32, as in keras-hub for DINOv2 (there to one fixed square
    size).

    Args:
        table: `(n * n, C)`, row by row.
        grid_hw: `(h, w)`, each an integer or a scalar tensor.
        antialias: Whether the kernel is widened for a coarser grid.

    Returns:
        `(1, h * w, C)` float32; the values of the table where the grid is its own.
    """
    count, channels = table.shape
    side = math.isqrt(count)
    table = ops.cast(table, "float32")
    if all(isinstance(n, int) and n == side for n in grid_hw):
        return table[None]
    square = ops.reshape(table, (1, side, side, channels))
    return ops.reshape(resample(square, grid_hw, "cubic", antialias), (1, -1, channels))


def _with_prefix(prefix: Any, tokens: Any) -> Any:
    """Put the tokens `prefix`, `(1, n, C)`, the same for all images, before `tokens`, `(B, N, C)`."""
    prefix = ops.cast(prefix, tokens.dtype)
    return ops.concatenate([ops.tile(prefix, (ops.shape(tokens)[0], 1, 1)), tokens], axis=1)


def _patches(projection: keras.layers.Layer, images: Any) -> Any:
    """Project patches: `(B, H, W, 3)` -> `(B, N, C)`."""
    patches = projection(images)
    return ops.reshape(patches, (ops.shape(patches)[0], -1, patches.shape[-1]))


def clip_embedded(encoder: keras.Model, images: Any, grid_hw: tuple[Any, Any]) -> Any:
    """Return the input tokens `(B, 1 + N, C)` of the first block of CLIP's image encoder, the class token first."""
    embedding = encoder.embedding
    patches = _patches(embedding.patch_embedding, images)
    table = embedding.position_embedding.embeddings
    patches = patches + ops.cast(positions_for(table[1:], grid_hw), patches.dtype)
    prefix = ops.cast(embedding.class_embedding, "float32")[None, None] + ops.cast(table[:1], "float32")[None]
    return encoder.pre_layer_norm(_with_prefix(prefix, patches))


def _clip(encoder: keras.Model, images: Any, grid_hw: tuple[Any, Any], training: Any) -> Any:
    tokens = clip_embedded(encoder, images, grid_hw)
    for block in encoder.encoder_layers:
        tokens = block(tokens, training=training)
    return encoder.layer_norm(tokens)[:, 1:]


def _siglip(encoder: keras.Model, images: Any, grid_hw: tuple[Any, Any], training: Any) -> Any:
    embedding = encoder.embedding
    tokens = _patches(embedding.patch_embedding, images)
    table = embedding.position_embedding.embeddings
    tokens = tokens + ops.cast(positions_for(table, grid_hw), tokens.dtype)
    for block in encoder.encoder_layers:
        tokens = block(tokens, training=training)
    return encoder.post_layer_norm(tokens)


def _dinov2(encoder: keras.Model, images: Any, grid_hw: tuple[Any, Any], training: Any) -> Any:
    embedding = encoder.embeddings
    tokens = embedding.patch_embeddings(images)
    # Not `interpolated_position_embeddings`: they are for one size, and keras-hub doesn't always save them.
    table = embedding.position_embeddings
    found = positions_for(table[0, 1:], grid_hw, embedding.antialias_in_interpolation)
    tokens = tokens + ops.cast(found, tokens.dtype)
    prefix = ops.cast(embedding.cls_token, "float32") + ops.cast(table[:, :1], "float32")
    count = embedding.num_register_tokens
    if count:
        prefix = ops.concatenate([prefix, ops.cast(embedding.register_tokens, "float32")], axis=1)
    tokens, _ = encoder.encoder(_with_prefix(prefix, tokens), training=training)
    return encoder.layernorm(tokens)[:, 1 + count :]


def rotations(grid_hw: tuple[Any, Any], head_channels: int, theta: float) -> tuple[Any, Any]:
    """Return the cosines and sines of DINOv3's rotary position embedding.

    An angle is a coordinate of the patch's centre times a frequency. The coordinates run from -1 to 1, down and right
    over the image; the `C / 4` frequencies are `2 pi theta^(-4 k / C)`, k = 0, 1 ... keras-hub computes the same, but
    only for sizes that are known when the graph is built.

    Args:
        grid_hw: `(h, w)`, each an integer or a scalar tensor.
        head_channels: C, the channels of one head.
        theta: Base of the frequencies.

    Returns:
        Cosines and sines, each `(h * w, C)` float32: the angles down, then right, and then both again.

    References:
        Siméoni et al., DINOv3, 2025.
    """
    frequencies = (2 * np.pi * theta ** -np.arange(0, 1, 4 / head_channels)).astype(np.float32)
    down, right = (
        (2 * (ops.arange(n, dtype="float32") + 0.5) / ops.cast(n, "float32") - 1)[:, None] * frequencies
        for n in grid_hw
    )
    height, width = grid_hw
    angles = ops.concatenate([ops.repeat(down, width, axis=0), ops.tile(right, (height, 1))], axis=1)
    angles = ops.tile(angles, (1, 2))
    return ops.cos(angles), ops.sin(angles)


def _dinov3(encoder: keras.Model, images: Any, grid_hw: tuple[Any, Any], training: Any) -> Any:
    count = 1 + encoder.num_register_tokens
    tokens = encoder.embeddings(images)
    turns = rotations(grid_hw, encoder.hidden_dim // encoder.num_heads, encoder.rope_theta)
    tokens, _ = encoder.encoder(
        tokens,
        position_embeddings=tuple(ops.cast(turn, tokens.dtype) for turn in turns),
        num_prefix_tokens=count,
        training=training,
    )
    return encoder.layernorm(tokens)[:, count:]


TOKENS = {"clip": _clip, "siglip": _siglip, "dinov2": _dinov2, "dinov3": _dinov3}


def patch_tokens(
    family: str, encoder: keras.Model, images: Any, grid_hw: tuple[Any, Any], training: Any = False
) -> Any:
    """Return the normalised patch tokens of the last block, without class and register tokens.

    Args:
        family: A key of `wsseg.layers.hub_architecture.FAMILIES`.
        encoder: The network.
        images: `(B, h * patch, w * patch, 3)`, preprocessed.
        grid_hw: `(h, w)`, each an integer or a scalar tensor.
        training: Whether the network runs in training mode, as in a Keras layer.

    Returns:
        `(B, h, w, C)`.
    """
    tokens = TOKENS[family](encoder, images, grid_hw, training)
    return ops.reshape(tokens, (-1, *grid_hw, tokens.shape[-1]))
