"""Tiny networks of keras-hub with random weights."""

import keras
import numpy as np

TINY = "hidden_dim=16, intermediate_dim=32, num_heads=2, num_layers=2"
TEXTS = {
    "dinov2": f"dinov2({TINY}, patch_size=14, image_shape=(42, 42, 3), position_embedding_shape=(42, 42, 3))",
    "registers": f"dinov2({TINY}, patch_size=14, image_shape=(42, 42, 3), position_embedding_shape=(42, 42, 3), "
    "num_register_tokens=2, antialias_in_interpolation=True)",
    "dinov3": f"dinov3({TINY}, patch_size=16, image_shape=(48, 48, 3))",
    "clip": f"clip({TINY}, patch_size=16, image_shape=(48, 48, 3))",
    "siglip": f"siglip({TINY}, patch_size=16, image_shape=(48, 48, 3))",
}
CLIP = f"hub:{TEXTS['clip']}"


def shake(network, seed=0):
    """Give every weight a value that shows (biases, tokens and scales start as 0 or 1)."""
    generator = np.random.default_rng(seed)
    for weight in network.weights:
        if "float" in keras.backend.standardize_dtype(weight.dtype):
            centre = 1 if weight.name in ("gamma", "logit_scale") else 0
            weight.assign(generator.normal(centre, 0.3, weight.shape))
        elif weight.name == "position_ids":  # CLIP's are 0 until weights are loaded
            weight.assign(np.arange(weight.shape[1])[None])


def images(size_hw, count=2, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, *size_hw, 3)).astype("float32")
