"""Drawn scenes of two coloured shapes side by side or one above the other: what is where is known to the pixel."""

from dataclasses import dataclass

import numpy as np

SIDE = 32
COLOURS = {"red": (205, 45, 40), "green": (45, 165, 60), "blue": (55, 75, 205), "yellow": (225, 200, 50)}
SHAPES = ("circle", "square", "triangle")


@dataclass(frozen=True)
class Thing:
    """One shape of a scene.

    Attributes:
        colour, shape: Their names.
        mask: `(SIDE, SIDE) bool`: its pixels.
        box_xyxy: Left, top, right, bottom; right and bottom exclusive.
    """

    colour: str
    shape: str
    mask: np.ndarray
    box_xyxy: tuple[int, int, int, int]


@dataclass(frozen=True)
class ShapesScene:
    """A scene.

    Attributes:
        image: `(SIDE, SIDE, 3) uint8`.
        things: Two, of different colours and shapes; the left or the upper one first.
        beside: True where they lie side by side, False where the first is above the second.
    """

    image: np.ndarray
    things: tuple[Thing, Thing]
    beside: bool


def outline(shape, centre_xy, radius):
    """Return the mask of a shape."""
    y, x = np.mgrid[:SIDE, :SIDE]
    x, y = x - centre_xy[0], y - centre_xy[1]
    if shape == "circle":
        return x**2 + y**2 <= radius**2
    if shape == "square":
        return np.maximum(abs(x), abs(y)) <= 0.85 * radius
    return (y <= 0.8 * radius) & (abs(x) <= 0.55 * (y + radius))


def draw(seed):
    """Draw the scene of a seed; another seed, another scene."""
    rng = np.random.default_rng(seed)
    colours = [str(x) for x in rng.choice(list(COLOURS), 2, replace=False)]
    shapes = [str(x) for x in rng.choice(SHAPES, 2, replace=False)]
    beside = bool(rng.random() < 0.5)
    along, across = rng.uniform([6, 20], [11, 25]), rng.uniform(7, 24) + rng.uniform(-2, 2, 2)
    across = across.clip(6, 25)
    centres = np.stack([along, across] if beside else [across, along], axis=1)
    image = rng.uniform(70, 150) + 12 * rng.standard_normal((SIDE, SIDE, 3))
    things = []
    for colour, shape, centre in zip(colours, shapes, centres):
        mask = outline(shape, centre, rng.uniform(4.2, 5.4))
        image[mask] = COLOURS[colour] + 10 * rng.standard_normal(3) + 8 * rng.standard_normal((mask.sum(), 3))
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        things.append(Thing(colour, shape, mask, box))
    return ShapesScene(image.clip(0, 255).astype(np.uint8), tuple(things), beside)
