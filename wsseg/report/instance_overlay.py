"""Draw objects over a photograph: masks, boxes, class names and scores."""

import colorsys
import functools
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wsseg.errors import InputError
from wsseg.objects.instances import Instances
from wsseg.report.pictures import PICTURE_SIDE

FONT_SHARE = 1 / 22
"""Size of the font as a share of the picture's long side: 16 pixels for a side of 360."""

Box = tuple[float, float, float, float]


def draw_instances(
    image: np.ndarray,
    instances: Instances,
    class_names: Sequence[str],
    colours: np.ndarray | None = None,
    labels: Sequence[str] | None = None,
    side: int = PICTURE_SIDE,
    alpha: float = 0.45,
) -> np.ndarray:
    """Draw objects over a photograph.

    The photograph is first resized to the size at which it is shown. So letters and lines have the same size on
    photographs of 4,000 and of 100 pixels.

    Args:
        image: `(H, W, 3) uint8` RGB.
        instances: Objects of the image; masks and scores are drawn if they exist.
        class_names: Names of the class ids 1..K.
        colours: `(N, 3) uint8`, one colour per object; None for colours that differ clearly between successive objects.
        labels: Text at each object; None for its class and score.
        side: Long side of the picture, pixels.
        alpha: Opacity of masks, 0 to 1.

    Returns:
        `(h, w, 3) uint8` RGB with `max(h, w) = side`.

    Raises:
        InputError: The objects belong to another image size, a class has no name, or `image` is not an RGB image.

    Example:
        >>> cat = Instances([1], [[20, 20, 60, 50]], (80, 100), scores=[0.93])
        >>> draw_instances(np.zeros((80, 100, 3), np.uint8), cat, ["cat"]).shape
        (288, 360, 3)
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
        raise InputError(f"`image` must be (H, W, 3) uint8 RGB; got {image.shape} {image.dtype}")
    if instances.size_hw != image.shape[:2]:
        raise InputError(f"the objects belong to an image of (H, W) {instances.size_hw}; got {image.shape}")
    wrong = instances.class_ids[(instances.class_ids < 1) | (instances.class_ids > len(class_names))]
    if len(wrong):
        raise InputError(f"an object has class {wrong[0]}; `class_names` has {len(class_names)} names")
    colours = instance_colours(len(instances)) if colours is None else np.asarray(colours, np.uint8)
    scale = side / max(image.shape[:2])
    size = tuple(max(round(length * scale), 1) for length in image.shape[1::-1])
    canvas = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)).astype(np.float32)
    ratio = np.tile(size, 2) / np.tile(image.shape[1::-1], 2)
    boxes = instances.boxes_xyxy * ratio
    # Large objects first, so that small objects stay visible.
    order = np.argsort(-np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), kind="stable")
    if instances.masks is not None:
        for row in order:
            inside = _resized(instances.masks[row], size)
            canvas[inside] = (1 - alpha) * canvas[inside] + alpha * colours[row]
    picture = Image.fromarray(np.rint(canvas).astype(np.uint8))
    drawing = ImageDraw.Draw(picture)
    line = max(round(side / 180), 1)
    for row in order:
        left, top, right, bottom = boxes[row]
        corners = (left, top, max(right - 1, left), max(bottom - 1, top))
        drawing.rectangle(corners, outline=tuple(colours[row].tolist()), width=line)
    labels = instance_labels(instances, class_names) if labels is None else labels
    _write_labels(drawing, picture.size, boxes, labels, colours, side)
    return np.asarray(picture)


def instance_colours(count: int) -> np.ndarray:
    """Return `(count, 3) uint8` bright colours; successive colours have very different hues.

    Example:
        >>> instance_colours(2).tolist()
        [[255, 64, 64], [64, 120, 255]]
    """
    # Steps of the golden ratio never come near a recent hue.
    rows = [colorsys.hsv_to_rgb(number * 0.6180339887 % 1, 0.75, 1) for number in range(count)]
    return np.rint(255 * np.array(rows).reshape(-1, 3)).astype(np.uint8)


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a mask. A mask of a few pixels does not vanish."""
    shown = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX))
    return shown >= min(128, max(int(shown.max(initial=0)), 1))


def instance_labels(instances: Instances, class_names: Sequence[str]) -> list[str]:
    """Return the class of each object, with its score if there is one.

    Example:
        >>> instance_labels(Instances([2, 1], np.ones((2, 4)), (9, 9), scores=[0.934, 0.5]), ["cat", "dog"])
        ['dog 0.93', 'cat 0.50']
    """
    names = [class_names[number - 1] for number in instances.class_ids.tolist()]
    names = [f"{name} (crowd)" if crowd else name for name, crowd in zip(names, instances.crowd)]
    if instances.scores is None:
        return names
    return [f"{name} {score:.2f}" for name, score in zip(names, instances.scores.tolist())]


def _write_labels(
    drawing: ImageDraw.ImageDraw,
    size: tuple[int, int],
    boxes: np.ndarray,
    labels: Sequence[str],
    colours: np.ndarray,
    side: int,
) -> None:
    """Write each label inside the picture and not over another label, if there is enough space."""
    font = _font(max(round(side * FONT_SHARE), 6))
    taken: list[Box] = []
    for box, label, colour in zip(boxes.tolist(), labels, colours.tolist()):
        label = _shortened(label, font, size[0])
        place = _place(box, (font.getlength(label) + 4, sum(font.getmetrics())), size, taken)
        taken.append(place)
        drawing.rectangle(place, fill=tuple(colour))
        dark = np.dot(colour, (0.299, 0.587, 0.114)) > 110
        drawing.text((place[0] + 2, place[1]), label, font=font, fill=(0, 0, 0) if dark else (255, 255, 255))


def _place(box: Box, label: tuple[float, float], size: tuple[int, int], taken: Sequence[Box]) -> Box:
    """Return the first free position of a label: above its box, in it, or below it."""
    left, top, _, bottom = box
    width, height = label
    left = min(max(left, 0), max(size[0] - width, 0))
    starts = [top - height, top, bottom, bottom - height, top + height, bottom - 2 * height]
    if bottom - top < 2 * height:
        starts[1:3] = bottom, top  # a label inside a small box would hide the object
    places = []
    for start in starts:
        if start >= 0 and start + height <= size[1]:
            places.append((left, start, left + width, start + height))
    free = [place for place in places if not any(_meet(place, other) for other in taken)]
    highest = min(max(top, 0), max(size[1] - height, 0))
    return next(iter(free or places), (left, highest, left + width, highest + height))


def _meet(one: Box, two: Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _shortened(label: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    while font.getlength(label) + 4 > width and len(label) > 2:
        label = label[:-2] + "…"
    return label


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font that matplotlib includes, so pictures are the same on every machine."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", size)
