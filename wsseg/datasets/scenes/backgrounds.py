"""Backgrounds: grass, gravel, wood and smooth walls, in muted colours, with light and shadow on them."""

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree


def noise(rng: np.random.Generator, size: int, cells_hw: tuple[int, int]) -> np.ndarray:
    """Return smooth noise: random numbers on a coarse grid, interpolated bicubically.

    Args:
        rng: The random stream.
        size: Side of the result, pixels.
        cells_hw: Height and width of the coarse grid; fewer cells give longer waves.

    Returns:
        `(size, size) float32`, in about [-1, 1].
    """
    coarse = rng.uniform(-1, 1, cells_hw).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def _mix(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0, 1)[..., None]
    return first * (1 - share) + second * share


def _grass(rng: np.random.Generator, size: int) -> np.ndarray:
    fine = int(rng.integers(44, 64))
    blades = noise(rng, size, (fine // 4, fine)) + 0.7 * noise(rng, size, (fine // 3, fine + 9))
    tone = 0.5 + 0.32 * blades + 0.25 * noise(rng, size, (5, 5))
    palettes = [((0.23, 0.29, 0.16), (0.50, 0.55, 0.33)), ((0.36, 0.32, 0.20), (0.66, 0.60, 0.42))]
    dark, light = palettes[rng.integers(2)]
    return _mix(np.array(dark, np.float32), np.array(light, np.float32), tone)


def _gravel(rng: np.random.Generator, size: int) -> np.ndarray:
    stones = int(rng.integers(90, 260))
    centres = rng.uniform(-0.05, 1.05, (stones, 2))
    half = (size + 1) // 2  # The stones are computed at half the size, which is four times as fast.
    grid = (np.arange(half) + 0.5) / half
    points = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    distance, nearest = cKDTree(centres).query(points, k=2)
    gap = np.clip((distance[:, 1] - distance[:, 0]) * np.sqrt(stones) * 2.2, 0, 1).reshape(half, half)
    tone = rng.uniform(0.25, 1.0, stones)[nearest[:, 0]].reshape(half, half) * (0.35 + 0.65 * gap)
    tone = np.asarray(
        Image.fromarray(tone.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    )
    warmth = rng.uniform(-0.04, 0.05)
    light = np.array([0.74 + warmth, 0.71, 0.68 - warmth], np.float32)
    return _mix(light * 0.25, light, tone + 0.08 * noise(rng, size, (48, 48)))


def _wood(rng: np.random.Generator, size: int) -> np.ndarray:
    axis = np.linspace(0, 1, size, dtype=np.float32)
    along, across = (axis[None, :], axis[:, None]) if rng.random() < 0.5 else (axis[:, None], axis[None, :])
    warp = 0.08 * noise(rng, size, (4, 4)) + 0.02 * noise(rng, size, (12, 12))
    grain = np.sin(2 * np.pi * (rng.uniform(7, 15) * (across + warp) + 0.4 * along))
    planks = np.mod(across * rng.integers(2, 5), 1)
    tone = 0.55 + 0.25 * grain + 0.12 * noise(rng, size, (64, 64))
    tone = np.where(planks < 0.03, 0.05, tone)
    palettes = [((0.36, 0.25, 0.17), (0.67, 0.53, 0.39)), ((0.42, 0.40, 0.38), (0.74, 0.72, 0.68))]
    dark, light = palettes[rng.integers(2)]
    return _mix(np.array(dark, np.float32), np.array(light, np.float32), tone)


def _wall(rng: np.random.Generator, size: int) -> np.ndarray:
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None]
    tone = 0.5 + 0.35 * slope + 0.22 * noise(rng, size, (4, 4)) + 0.05 * noise(rng, size, (40, 40))
    first = rng.uniform(0.30, 0.50) + rng.uniform(-0.06, 0.06, 3)
    second = rng.uniform(0.60, 0.85) + rng.uniform(-0.06, 0.06, 3)
    return _mix(first.astype(np.float32), second.astype(np.float32), tone)


BACKGROUNDS = {"grass": _grass, "gravel": _gravel, "wood": _wood, "wall": _wall}


def sample_background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a background.

    Args:
        rng: The random stream.
        size: Side of the image, pixels.

    Returns:
        `(size, size, 3) float32` RGB, in about [0, 1].
    """
    paint = BACKGROUNDS[str(rng.choice(list(BACKGROUNDS)))]
    image = paint(rng, size)
    shadow = np.clip(4 * (noise(rng, size, (3, 3)) - rng.uniform(0.0, 0.5)), 0, 1)
    image = image * (1 - rng.uniform(0.1, 0.35) * shadow)[..., None]
    return image * np.float32(rng.uniform(0.8, 1.15))
