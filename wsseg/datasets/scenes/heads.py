"""The six classes: each has a body, and a head whose shape and pattern alone distinguish the two of a pair."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wsseg.datasets.scenes.bodies import Body
from wsseg.datasets.scenes.outlines import Outline, ellipse, polygon


def _horned(body: Body) -> tuple[Outline, ...]:
    """A broad head with two curved horns."""
    x, y = body.head_xy
    size = body.head_size
    horns = []
    for side in (-1, 1):
        tip = [
            (0.30, 0.55),
            (0.55, 0.95),
            (0.95, 0.90),
            (1.35, 0.45),
            (0.98, 0.58),
            (0.72, 0.50),
            (0.55, 0.15),
        ]
        horns.append(Outline(np.array([(x + size * a, y + side * size * b) for a, b in tip])))
    return (ellipse(x + 0.14 * size, y, size * 0.66, size), *horns)


def _snouted(body: Body) -> tuple[Outline, ...]:
    """A round head that narrows to a blunt snout."""
    x, y = body.head_xy
    size = body.head_size
    snout = polygon(
        (x, y - 0.80 * size), (x + 0.75 * size, y - 0.42 * size), (x + 1.40 * size, y - 0.27 * size),
        (x + 1.40 * size, y + 0.27 * size), (x + 0.75 * size, y + 0.42 * size), (x, y + 0.80 * size),
    )  # fmt: skip
    return (ellipse(x + 0.14 * size, y, size * 0.72, size * 0.95), snout)


def _billed(body: Body) -> tuple[Outline, ...]:
    """A head drawn out into a long thin bill."""
    x, y = body.head_xy
    size = body.head_size
    bill = polygon(
        (x - 0.2 * size, y - size), (x + 0.9 * size, y - 0.42 * size), (x + 2.3 * size, y - 0.06 * size),
        (x + 2.3 * size, y + 0.06 * size), (x + 0.9 * size, y + 0.36 * size), (x - 0.2 * size, y + size),
    )  # fmt: skip
    return (ellipse(x - 0.05 * size, y, size * 0.72, size * 1.02), bill)


def _blunt(body: Body) -> tuple[Outline, ...]:
    """A round blunt head, a little higher than the body."""
    x, y = body.head_xy
    size = body.head_size
    return (ellipse(x + 0.12 * size, y, size * 0.88, size * 1.12),)


def _disc(body: Body) -> tuple[Outline, ...]:
    """A round disc."""
    return (ellipse(*body.head_xy, body.head_size, body.head_size),)


def _scalloped(body: Body) -> tuple[Outline, ...]:
    """A disc with a scalloped edge."""
    disc = ellipse(0, 0, body.head_size, body.head_size, corners=64)
    wave = 1 + 0.07 * np.cos(8 * np.linspace(0, 2 * np.pi, 64, endpoint=False))
    return (Outline(disc.points_xy * wave[:, None] + body.head_xy),)


# Patterns: x and y in units of the head's size from its centre, phase in radians -> mark (True) or ground (False).
Pattern = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


def _bars(x, y, phase):
    return np.sin(2 * np.pi * (y / 0.62) + phase) > 0


def _dots(x, y, phase):
    period = 0.62
    a = np.mod(x / period + phase, 1) - 0.5
    b = np.mod(y / period, 1) - 0.5
    return a * a + b * b < 0.085


def _chevrons(x, y, phase):
    return np.sin(2 * np.pi * ((x + 0.7 * np.abs(y)) / 0.66) + phase) > 0


def _band(x, y, phase):
    """One broad band across the head."""
    return np.abs(x - 0.06) < 0.34


def _rings(x, y, phase):
    return np.sin(2 * np.pi * np.sqrt(x * x + y * y) / 0.62 + 0.4) > 0


def _checks(x, y, phase):
    period = 0.84
    return (np.sin(2 * np.pi * x / period + phase) > 0) ^ (np.sin(2 * np.pi * y / period + phase) > 0)


@dataclass(frozen=True)
class Species:
    """Definition of a class: the body is shared with the other class of the pair; head and pattern are its own."""

    body: str
    head: Callable[[Body], tuple[Outline, ...]]
    pattern: Pattern


SPECIES = {
    "beetle": Species("bug", _horned, _bars),
    "weevil": Species("bug", _snouted, _dots),
    "swordfish": Species("fish", _billed, _chevrons),
    "clownfish": Species("fish", _blunt, _band),
    "daisy": Species("flower", _disc, _rings),
    "sunflower": Species("flower", _scalloped, _checks),
}

CLASSES = tuple(SPECIES)
"""The classes of the scenes, in mask-id order: `beetle` is mask id 1."""
