"""The three kinds of body. Each is shared by two classes, which differ in their heads alone.

The shape of a body does not depend on which of the two classes it is for, so the bodies of a pair of classes
have the same distribution.
"""

from dataclasses import dataclass

import numpy as np

from wsseg.datasets.scenes.outlines import Outline, ellipse, line, polygon, ragged


@dataclass(frozen=True)
class Body:
    """A body without its head.

    Attributes:
        outlines: Outlines of the body, thin parts included.
        creases: Lines painted on the body in a darker shade (wing case, gills, veins).
        head_xy: Position of the head.
        head_size: Half the head's width across the axis.
    """

    outlines: tuple[Outline, ...]
    creases: tuple[Outline, ...]
    head_xy: tuple[float, float]
    head_size: float


def bug(rng: np.random.Generator) -> Body:
    """A bug from above, its head to the right: an oval with six thin jointed legs."""
    half_length, half_width = rng.uniform(0.52, 0.60), rng.uniform(0.36, 0.43)
    outlines = []
    for side in (-1, 1):
        for hip_x, reach in ((-0.50, -0.26), (-0.15, -0.04), (0.12, 0.26)):
            knee = (hip_x + 0.5 * reach + rng.normal(0, 0.05), side * (half_width + rng.uniform(0.12, 0.20)))
            foot = (
                knee[0] + 0.9 * reach + rng.normal(0, 0.06),
                side * (half_width + rng.uniform(0.26, 0.38)),
            )
            outlines.append(line((hip_x, side * 0.2), knee, foot, width=0.06))
    case = ellipse(-0.22, 0, half_length, half_width)
    bumps = 1 + 0.035 * np.sin(np.arange(40) * np.pi + rng.uniform(0, 6)) + rng.normal(0, 0.02, 40)
    case = Outline((case.points_xy - (-0.22, 0)) * bumps[:, None] + (-0.22, 0))
    outlines.append(case)
    crease_x = 0.16
    creases = (
        line((-0.78, 0), (crease_x, 0), width=0.04),
        line((crease_x, -half_width * 0.72), (crease_x - 0.05, 0), (crease_x, half_width * 0.72), width=0.04),
    )
    return Body(tuple(outlines), creases, (half_length - 0.24, 0.0), half_width * 0.80)


def fish(rng: np.random.Generator) -> Body:
    """A fish from the side, its head to the right: a spindle, a ragged forked tail and spiny fins."""
    half_height = rng.uniform(0.30, 0.37)
    belly = ellipse(-0.02, 0, 0.56, half_height)
    spread, fork = rng.uniform(0.36, 0.46), rng.uniform(0.16, 0.26)
    upper = ragged(rng, (-1.0, -spread), (-1.0 + fork, 0.0), 4, -0.07)
    lower = ragged(rng, (-1.0 + fork, 0.0), (-1.0, spread), 4, -0.07)
    tail = Outline(np.concatenate([[(-0.44, -0.09)], upper, lower, [(-0.44, 0.09)]]))
    height = rng.uniform(0.20, 0.28)
    dorsal_x = np.linspace(-0.36, 0.16, 9)
    dorsal_y = -half_height * 0.85 - height * np.where(np.arange(9) % 2, 1.0, 0.45) * np.linspace(0.7, 1.0, 9)
    dorsal = Outline(np.concatenate([[(-0.38, 0)], np.stack([dorsal_x, dorsal_y], 1), [(0.20, 0)]]))
    sweep = rng.uniform(0.16, 0.26)
    ventral = polygon(
        (-0.02, 0.1), (0.10, half_height * 0.8), (-0.08, half_height + sweep), (-0.18, half_height * 0.8)
    )
    anal = polygon((-0.34, 0.1), (-0.22, half_height * 0.7), (-0.40, half_height + 0.6 * sweep), (-0.42, 0.1))
    creases = tuple(
        line((x - 0.05, -half_height * 0.5), (x + 0.02, 0), (x - 0.05, half_height * 0.5), width=0.035)
        for x in (-0.30, -0.12, 0.06)
    )
    return Body((tail, dorsal, ventral, anal, belly), creases, (0.36, 0.0), half_height * 0.84)


def flower(rng: np.random.Generator) -> Body:
    """A flower, its disc to the right: a ring of petals, a thin bent stem and two leaves."""
    petals = int(rng.integers(7, 10))
    centre, ring, offset = (0.30, 0.0), rng.uniform(0.40, 0.46), rng.uniform(0, 2 * np.pi)
    bend = rng.uniform(-0.25, 0.25)
    stem = line(centre, (-0.1, bend), (-0.5, bend * 0.9), (-0.85, 0.0), width=0.085)
    outlines = [stem]
    for side, x in ((-1, -0.40), (1, -0.58)):
        length, turn = rng.uniform(0.22, 0.28), side * rng.uniform(0.5, 0.9)
        middle = (x + length * np.cos(turn), bend * 0.85 + length * np.sin(turn))
        outlines.append(ellipse(*middle, length, 0.10, turn))
    creases = []
    for index in range(petals):
        turn = offset + 2 * np.pi * index / petals
        length = ring * rng.uniform(0.94, 1.08)
        middle = (centre[0] + length * np.cos(turn), centre[1] + length * np.sin(turn))
        outlines.append(ellipse(*middle, 0.27, 0.6 * np.pi * ring / petals, turn))
        gap = turn + np.pi / petals
        inner, outer = 0.62 * ring, 1.25 * ring
        creases.append(
            line(
                (centre[0] + inner * np.cos(gap), centre[1] + inner * np.sin(gap)),
                (centre[0] + outer * np.cos(gap), centre[1] + outer * np.sin(gap)),
                width=0.03,
            )
        )
    outlines.append(ellipse(*centre, ring * 0.9, ring * 0.9))
    return Body(tuple(outlines), tuple(creases), centre, ring * 0.64)


BODIES = {"bug": bug, "fish": fish, "flower": flower}
