"""Render scenes: photograph-like pictures of bugs, fish and flowers with exact masks, from random numbers alone.

The six classes form three pairs. The two classes of a pair have the same distribution of body shape, colour
and texture. They differ in the head alone, which is about a quarter of the object. So a classifier has to look
at the head, its class maps find the head, and a good method finds the whole object.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from wsseg.datasets.scenes.backgrounds import noise, sample_background
from wsseg.datasets.scenes.bodies import BODIES
from wsseg.datasets.scenes.colours import sample_colour
from wsseg.datasets.scenes.heads import CLASSES, SPECIES
from wsseg.datasets.scenes.outlines import Outline
from wsseg.datasets.scenes.painting import (
    HEAD,
    NOTHING,
    Frame,
    Painted,
    extent,
    paint_distractor,
    paint_object,
)

VERSION = 2
"""Increased whenever the same seed gives other pixels, so that stored scenes are rendered again."""

SUPERSAMPLING = 3
"""Canvas pixels per image pixel along each side; odd, so that a pixel has a sample at its centre."""

_TRIES = 12
_VISIBLE = 0.75
"""Share of an object, and of its head, that must stay visible when later objects are painted over it."""
_LENGTHS = {1: (0.50, 0.66), 2: (0.46, 0.60), 3: (0.40, 0.50)}
"""Range of an object's long side as a share of the image's side, by the number of objects."""


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene.

    Attributes:
        instance: Value of the object in the instance map, from 1.
        label: Name of its class.
        colour: Name of its colour.
        box_xyxy: Bounding box of its visible pixels: left, top, right, bottom; right and bottom exclusive.
        area: Number of its visible pixels.
        head_area: Number of its visible pixels that belong to the head.
    """

    instance: int
    label: str
    colour: str
    box_xyxy: tuple[int, int, int, int]
    area: int
    head_area: int


@dataclass(frozen=True)
class Scene:
    """A rendered scene.

    Attributes:
        image: `(size, size, 3) uint8` RGB.
        mask: `(size, size) uint8`: 0 = background, 1..6 = `CLASSES`.
        instances: `(size, size) uint8`: 0 = background, else `SceneObject.instance`.
        objects: The objects, by instance.
    """

    image: np.ndarray
    mask: np.ndarray
    instances: np.ndarray
    objects: tuple[SceneObject, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes with visible pixels, in the order of `CLASSES`."""
        present = {item.label for item in self.objects}
        return tuple(name for name in CLASSES if name in present)


def render(seed: int, split: str, index: int, size: int = 128) -> Scene:
    """Render a scene; the same arguments always give the same pixels.

    Args:
        seed: Random seed, 0 or more.
        split: Name of the split, any text; scenes of different splits are independent.
        index: Number of the scene in its split, from 0.
        size: Side of the square image, pixels.

    Returns:
        The scene, with 1 to 3 objects.

    Example:
        >>> scene = render(seed=0, split="train", index=3)
        >>> scene.image.shape, len(scene.objects) in (1, 2, 3)
        ((128, 128, 3), True)
    """
    rng = np.random.default_rng([seed, zlib.crc32(split.encode()), index])
    canvas = size * SUPERSAMPLING
    background = sample_background(rng, size)
    rgb = np.zeros((canvas, canvas, 3), np.float32)
    owner = np.full((canvas, canvas), _FREE, np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        _put(rgb, owner, _distractor(rng, canvas), _BLOB)
    placed, heads = _place_objects(rng, rgb, owner, size)
    cover = _shrink(owner != _FREE)
    image = _with_shadow(rng, background, cover) * (1 - cover[..., None]) + _shrink(rgb)
    image = _photograph(rng, image)
    instances = _majority(owner, len(placed))
    objects = []
    head_pixels = _shrink(heads) > 0.5
    for number, (label, colour) in enumerate(placed, start=1):
        visible = instances == number
        rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
        box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        objects.append(
            SceneObject(number, label, colour, box, int(visible.sum()), int((visible & head_pixels).sum()))
        )
    ids = np.array([0, *(CLASSES.index(label) + 1 for label, _ in placed)], np.uint8)
    return Scene(image, ids[instances], instances, tuple(objects))


_FREE, _BLOB = 255, 254


def _place_objects(rng, rgb, owner, size) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Paint the objects back to front; an object that would hide too much of another is moved, or finally dropped."""
    canvas = len(owner)
    wanted = int(rng.choice([1, 2, 3], p=[0.40, 0.40, 0.20]))
    placed: list[tuple[str, str]] = []
    areas: list[np.ndarray] = []
    heads = np.zeros_like(owner, bool)
    for _ in range(wanted):
        label = str(rng.choice(CLASSES))
        colour, shade = sample_colour(rng)
        species = SPECIES[label]
        body = BODIES[species.body](rng)
        low, high = extent((*body.outlines, *species.head(body)))
        length = rng.uniform(*_LENGTHS[wanted]) * canvas
        unit = length / float((high - low).max())
        for _ in range(_TRIES):
            frame = _frame(rng, low, high, unit, canvas)
            painted = paint_object(
                rng, body, species, shade, frame, canvas, thin=1.4 * SUPERSAMPLING * size / 128
            )
            if not _hides_too_much(owner, heads, painted, areas):
                break
        else:
            continue
        placed.append((label, colour))
        areas.append(np.array([(painted.parts != NOTHING).sum(), (painted.parts == HEAD).sum()]))
        _put(rgb, owner, painted, len(placed))
        window = heads[painted.window]
        window[painted.parts != NOTHING] = painted.parts[painted.parts != NOTHING] == HEAD
    return placed, heads


def _frame(rng, low, high, unit, canvas) -> Frame:
    """Draw a random position such that at most a small part of the object lies outside the image."""
    turn, flip = rng.uniform(0, 2 * np.pi), int(rng.choice([-1, 1]))
    frame = Frame((0.0, 0.0), unit, turn, flip)
    corners = np.array([(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])])
    reach_low, reach_high = frame.to_canvas(corners).min(axis=0), frame.to_canvas(corners).max(axis=0)
    slack = 0.06 * (reach_high - reach_low)
    first, last = -reach_low - slack, canvas - reach_high + slack
    centre = np.where(
        first < last, rng.uniform(np.minimum(first, last), np.maximum(first, last)), (first + last) / 2
    )
    return Frame((float(centre[0]), float(centre[1])), unit, turn, flip)


def _hides_too_much(owner, heads, painted: Painted, areas) -> bool:
    covered = painted.parts != NOTHING
    # Counted over the whole canvas, so that the parts hidden by several later objects add up.
    for number, whole in enumerate(areas, start=1):
        mine = owner == number
        hidden = mine[painted.window] & covered
        if not hidden.any():
            continue
        left = np.array(
            [mine.sum() - hidden.sum(), (mine & heads).sum() - (hidden & heads[painted.window]).sum()]
        )
        if (left < _VISIBLE * whole).any():
            return True
    return False


def _distractor(rng: np.random.Generator, canvas: int) -> Painted:
    corners = int(rng.integers(3, 7)) if rng.random() < 0.4 else 24
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    radius = 1 + rng.uniform(-0.15, 0.15, corners)
    outline = Outline(
        np.stack([radius * np.cos(angle), rng.uniform(0.5, 1) * radius * np.sin(angle)], axis=1)
    )
    centre = rng.uniform(0, canvas, 2)
    frame = Frame(
        (float(centre[0]), float(centre[1])), rng.uniform(0.03, 0.075) * canvas, rng.uniform(0, 6.28), 1
    )
    return paint_distractor(rng, outline, sample_colour(rng)[1], frame, canvas)


def _put(rgb: np.ndarray, owner: np.ndarray, painted: Painted, number: int) -> None:
    covered = painted.parts != NOTHING
    rgb[painted.window][covered] = painted.rgb[covered]
    owner[painted.window][covered] = number


def _shrink(canvas: np.ndarray) -> np.ndarray:
    """Average each SUPERSAMPLING x SUPERSAMPLING block, as float32."""
    steps = range(SUPERSAMPLING)
    # Adding strided slices is several times faster than a reshape and a mean over two short axes.
    total = sum(
        canvas[row::SUPERSAMPLING, column::SUPERSAMPLING].astype(np.float32)
        for row in steps
        for column in steps
    )
    return total / np.float32(SUPERSAMPLING**2)


def _majority(owner: np.ndarray, objects: int) -> np.ndarray:
    """Return the object with the largest share of each pixel, or 0 where the background has the largest share."""
    shares = [_shrink(owner > objects)]
    shares += [_shrink(owner == number) for number in range(1, objects + 1)]
    return np.argmax(shares, axis=0).astype(np.uint8)


def _with_shadow(rng, background: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Darken the background beside the objects, on the side away from the light."""
    reach = len(cover) / 128
    shadow = gaussian_filter(cover, 2.2 * reach)
    shift = rng.uniform(-4, 4, 2) * reach
    shadow = np.roll(shadow, tuple(np.rint(shift).astype(int)), axis=(0, 1))
    return background * (1 - rng.uniform(0.2, 0.5) * shadow[..., None])


def _photograph(rng, image: np.ndarray) -> np.ndarray:
    """Apply uneven light, blur and sensor noise, and round to bytes."""
    size = len(image)
    image = image * (1 + 0.10 * noise(rng, size, (3, 3)))[..., None]
    blur = rng.uniform(0.3, 0.6) * size / 128
    image = gaussian_filter(image, (blur, blur, 0), truncate=3)
    image = image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0.008, 0.022))
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
