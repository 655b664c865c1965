"""The named colours of objects and distractors."""

import colorsys

import numpy as np

# Hue in [0, 1), saturation, value. The colours differ enough to be distinguished by eye.
COLOURS = {
    "red": (0.995, 0.78, 0.90),
    "orange": (0.075, 0.86, 0.95),
    "yellow": (0.145, 0.85, 0.90),
    "green": (0.36, 0.68, 0.74),
    "blue": (0.59, 0.66, 0.92),
    "purple": (0.76, 0.56, 0.84),
    "pink": (0.91, 0.42, 0.97),
}


def sample_colour(rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """Draw a named colour at random, and a shade of it.

    Returns:
        The name, and the shade as `(3,) float32` RGB in [0, 1].
    """
    name = str(rng.choice(list(COLOURS)))
    hue, saturation, value = COLOURS[name]
    hue = (hue + rng.uniform(-0.012, 0.012)) % 1.0
    saturation = np.clip(saturation + rng.uniform(-0.10, 0.10), 0, 1)
    value = np.clip(value + rng.uniform(-0.10, 0.06), 0, 1)
    return name, np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32)


def darker(rgb: np.ndarray, amount: float) -> np.ndarray:
    """Mix RGB in [0, 1] with black; `amount` 1 is black."""
    return rgb * np.float32(1 - amount)
