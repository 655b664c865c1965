"""Outlines in an object's own frame: x to the right along its axis, y down; an object is about 2 long."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outline:
    """A filled polygon, or a line of constant width.

    Attributes:
        points_xy: `(N, 2) float`: corners of the polygon, or nodes of the line.
        width: Width of the line, in the object's units; None for a polygon.
    """

    points_xy: np.ndarray
    width: float | None = None


def ellipse(
    x: float, y: float, radius_x: float, radius_y: float, turn: float = 0.0, corners: int = 40
) -> Outline:
    """Return an ellipse with centre (x, y), rotated by `turn` radians."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    along, across = radius_x * np.cos(angle), radius_y * np.sin(angle)
    cos, sin = np.cos(turn), np.sin(turn)
    return Outline(np.stack([x + along * cos - across * sin, y + along * sin + across * cos], axis=1))


def line(*points_xy: tuple[float, float], width: float) -> Outline:
    """Return a line through the points."""
    return Outline(np.array(points_xy, float), width)


def polygon(*points_xy: tuple[float, float]) -> Outline:
    """Return a filled polygon with these corners."""
    return Outline(np.array(points_xy, float))


def ragged(
    rng: np.random.Generator, start: tuple[float, float], end: tuple[float, float], teeth: int, depth: float
):
    """Return `(2 * teeth + 1, 2)` points of a torn edge from `start` to `end`.

    Each tooth has a depth of its own. Teeth of positive `depth` stick out to the left, seen from `start` to `end`
    (y down).
    """
    start, end = np.array(start, float), np.array(end, float)
    way = end - start
    normal = np.array([way[1], -way[0]]) / (np.hypot(*way) + 1e-9)
    share = np.linspace(0, 1, 2 * teeth + 1)
    out = np.zeros(2 * teeth + 1)
    out[1::2] = depth * rng.uniform(0.5, 1.2, teeth)
    return start + share[:, None] * way + out[:, None] * normal
