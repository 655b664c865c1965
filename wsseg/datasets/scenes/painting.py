"""Paint one object or distractor: outlines to supersampled pixels, with shading and patterns."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from wsseg.datasets.scenes.backgrounds import noise
from wsseg.datasets.scenes.bodies import Body
from wsseg.datasets.scenes.colours import darker
from wsseg.datasets.scenes.heads import Species
from wsseg.datasets.scenes.outlines import Outline

NOTHING, BODY, HEAD = 0, 1, 2
_CREASE, _MARK = 3, 4


@dataclass(frozen=True)
class Frame:
    """Position of an object's own frame on the canvas: mirrored, scaled, rotated and moved; in canvas pixels.

    Attributes:
        centre_xy: Origin of the frame.
        unit: Length of one unit.
        turn: Angle of the x axis, radians.
        flip: -1 to mirror the y axis, else 1.
    """

    centre_xy: tuple[float, float]
    unit: float
    turn: float
    flip: int

    def to_canvas(self, points_xy: np.ndarray) -> np.ndarray:
        """Convert `(N, 2)` points from the object's frame to the canvas."""
        x, y = points_xy[:, 0], points_xy[:, 1] * self.flip
        cos, sin = np.cos(self.turn) * self.unit, np.sin(self.turn) * self.unit
        return np.stack(
            [self.centre_xy[0] + x * cos - y * sin, self.centre_xy[1] + x * sin + y * cos], axis=1
        )

    def to_object(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Convert coordinates on the canvas to the object's frame."""
        x, y = x - self.centre_xy[0], y - self.centre_xy[1]
        cos, sin = np.cos(self.turn) / self.unit, np.sin(self.turn) / self.unit
        return x * cos + y * sin, (y * cos - x * sin) * self.flip


@dataclass(frozen=True)
class Painted:
    """A painted patch of the canvas.

    Attributes:
        corner_xy: Canvas pixel of the patch's top left pixel.
        parts: `(h, w) uint8`: NOTHING, BODY or HEAD.
        rgb: `(h, w, 3) float32` in about [0, 1].
    """

    corner_xy: tuple[int, int]
    parts: np.ndarray
    rgb: np.ndarray

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas that the patch covers."""
        (x, y), (height, width) = self.corner_xy, self.parts.shape
        return slice(y, y + height), slice(x, x + width)


def extent(outlines: Iterable[Outline]) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners of the outlines' bounding box: minimum `(2,)` and maximum `(2,)`."""
    points = np.concatenate([outline.points_xy for outline in outlines])
    return points.min(axis=0), points.max(axis=0)


class _Drawing:
    """Drawing of outlines as part numbers, on the patch of the canvas that contains them all."""

    def __init__(self, frame: Frame, outlines: Iterable[Outline], canvas: int) -> None:
        self.frame = frame
        points = np.concatenate([frame.to_canvas(outline.points_xy) for outline in outlines])
        low = np.clip(np.floor(points.min(axis=0)) - 4, 0, canvas - 1).astype(int)
        high = np.clip(np.ceil(points.max(axis=0)) + 5, low + 1, canvas).astype(int)
        self.corner = low
        self.image = Image.new("L", tuple(int(side) for side in high - low))
        self.draw = ImageDraw.Draw(self.image)

    def add(self, outlines: Iterable[Outline], part: int, thinnest: float = 1.0) -> None:
        for outline in outlines:
            points = [
                tuple(point) for point in (self.frame.to_canvas(outline.points_xy) - self.corner).tolist()
            ]
            if outline.width is None:
                self.draw.polygon(points, fill=part)
            else:
                width = max(round(thinnest), round(outline.width * self.frame.unit))
                self.draw.line(points, fill=part, width=width, joint="curve")

    def coordinates(self) -> tuple[np.ndarray, np.ndarray]:
        x = np.arange(self.image.width, dtype=np.float32)[None, :] + np.float32(self.corner[0] + 0.5)
        y = np.arange(self.image.height, dtype=np.float32)[:, None] + np.float32(self.corner[1] + 0.5)
        return self.frame.to_object(x, y)


def paint_object(
    rng: np.random.Generator,
    body: Body,
    species: Species,
    rgb: np.ndarray,
    frame: Frame,
    canvas: int,
    thin: float,
) -> Painted:
    """Paint a body with its head.

    Args:
        rng: The random stream of textures and light.
        body: The body.
        species: Class of the object, with the head's shape and pattern.
        rgb: `(3,) float32`: colour of the object, in [0, 1].
        frame: Position of the object on the canvas.
        canvas: Side of the supersampled canvas, pixels.
        thin: Width of the thinnest line, canvas pixels.

    Returns:
        The painted patch, with the part of each pixel.
    """
    head = species.head(body)
    drawing = _Drawing(frame, (*body.outlines, *head), canvas)
    drawing.add(body.outlines, BODY, thin)
    silhouette = np.array(drawing.image)
    drawing.add(body.creases, _CREASE, thin * 0.6)
    drawing.add(head, HEAD)
    painted = np.array(drawing.image)
    # A crease is painted on the body only: its pixels outside the body are cleared.
    painted[(painted == _CREASE) & (silhouette == NOTHING)] = NOTHING
    x, y = drawing.coordinates()
    on_head = painted == HEAD
    pattern = species.pattern(
        (x[on_head] - body.head_xy[0]) / body.head_size,
        (y[on_head] - body.head_xy[1]) / body.head_size,
        float(rng.uniform(0, 2 * np.pi)),
    )
    # The ground of the head has the body's colour, which links the two; only the marks have another colour.
    colours = np.stack([rgb, rgb, rgb, darker(rgb, 0.35), darker(rgb, 0.88)]).astype(np.float32)
    index = painted.copy()
    index[on_head] = np.where(pattern, _MARK, HEAD)
    parts = np.where(painted == _CREASE, np.uint8(BODY), painted)
    side = max(index.shape)
    height, width = index.shape
    mottle = noise(rng, side, (14, 14))[:height, :width]
    direction = rng.uniform(0, 2 * np.pi)
    light = 1 + rng.uniform(0.08, 0.24) * (np.cos(direction) * x + np.sin(direction) * y) + 0.07 * mottle
    return Painted(
        tuple(drawing.corner.tolist()), parts, colours[index] * light[..., None].astype(np.float32)
    )


def paint_distractor(
    rng: np.random.Generator, outline: Outline, rgb: np.ndarray, frame: Frame, canvas: int
) -> Painted:
    """Paint a coloured blob that belongs to no class; its pixels are BODY, but it becomes no object of the scene."""
    drawing = _Drawing(frame, (outline,), canvas)
    drawing.add((outline,), BODY)
    parts = np.array(drawing.image)
    x, y = drawing.coordinates()
    direction = rng.uniform(0, 2 * np.pi)
    light = 1 + 0.25 * (np.cos(direction) * x + np.sin(direction) * y)
    return Painted(tuple(drawing.corner.tolist()), parts, (rgb * light[..., None]).astype(np.float32))
