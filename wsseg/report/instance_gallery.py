"""A gallery of the report: images with their true objects, the detections, and the errors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wsseg.metrics.object_misses import ObjectMisses, find_misses
from wsseg.objects.instances import Instances
from wsseg.report.instance_overlay import draw_instances, instance_labels
from wsseg.report.overlay import in_gray
from wsseg.report.page import Gallery, Row, Tile

MISSED, FALSE_ALARM = (230, 159, 0), (86, 180, 233)
"""Okabe and Ito's orange and sky blue: colour-blind people can distinguish them, and they are bright on gray."""


@dataclass(frozen=True)
class ShownImage:
    """One image to show.

    Attributes:
        id: Name of the image.
        image: `(H, W, 3) uint8` RGB.
        predicted: Detections, with scores.
        true: True objects, or None if they are unknown.
    """

    id: str
    image: np.ndarray
    predicted: Instances
    true: Instances | None = None


def instance_gallery(
    title: str,
    shown: Iterable[ShownImage],
    class_names: Sequence[str],
    kind: str = "masks",
    score: float = 0.5,
    note: str = "",
) -> Gallery:
    """Show images with their true objects, detections and errors.

    Args:
        title: Title, such as "Detections on the validation images".
        shown: Images in the order of the page, for example from `wsseg.metrics.worst_images`. Either all images or none
            have true objects.
        class_names: Names of the class ids 1..K.
        kind: Kind of overlap that counts: masks or boxes. An object is found at an IoU of 0.5.
        score: Minimum score of a detection; others are not shown and do not count as false alarms.
        note: Note about how the images were selected.

    Raises:
        InputError: Objects and image differ in size, or scores or masks are missing.
    """
    rows, known = [], True
    for each in shown:
        gray = in_gray(each.image)  # in gray, because the image's colours could be mistaken for an object's
        sure = each.predicted.where(each.predicted.scores >= score)
        tiles = [Tile(each.image)]
        known = each.true is not None
        if each.true is not None:
            tiles.append(Tile(draw_instances(gray, each.true, class_names)))
        tiles.append(Tile(draw_instances(gray, sure, class_names), note=f"{len(sure)} detections"))
        if each.true is not None:
            tiles.append(misses_tile(each.image, sure, each.true, class_names, kind, score))
        labelled = sure if each.true is None else each.true
        labels = [class_names[number - 1] for number in np.unique(labelled.class_ids)]
        rows.append(Row(each.id, labels, tiles))
    columns = ("image", "true objects", "detections", "misses") if known else ("image", "detections")
    legend = (("missed", _hex(MISSED)), ("false alarm", _hex(FALSE_ALARM))) if known else ()
    note = f"{note} Detections with a score of {score:g} or more; found at an IoU of 0.5 by {kind}.".strip()
    return Gallery(title, columns, rows, note, legend)


def misses_tile(
    image: np.ndarray,
    predicted: Instances,
    true: Instances,
    class_names: Sequence[str],
    kind: str = "masks",
    score: float = 0.5,
) -> Tile:
    """Draw only the missed objects and the false alarms over the image, which is shown in gray.

    Args:
        image: `(H, W, 3) uint8` RGB.
        predicted: Detections, with scores.
        true: True objects.
        class_names: Names of the class ids 1..K.
        kind: Kind of overlap: masks or boxes, see `find_misses`.
        score: Minimum score of a detection; others are ignored.
    """
    misses = find_misses(predicted, true, kind, score=score)
    missed, alarms = true.where(misses.missed), predicted.where(misses.false_alarms)
    both = Instances(
        np.concatenate([missed.class_ids, alarms.class_ids]),
        np.concatenate([missed.boxes_xyxy, alarms.boxes_xyxy]),
        true.size_hw,
        None
        if missed.masks is None or alarms.masks is None
        else np.concatenate([missed.masks, alarms.masks]),
    )
    colours = np.array([MISSED] * len(missed) + [FALSE_ALARM] * len(alarms), np.uint8).reshape(-1, 3)
    labels = instance_labels(missed, class_names) + instance_labels(alarms, class_names)
    return Tile(draw_instances(in_gray(image), both, class_names, colours, labels), note=_in_words(misses))


def _in_words(misses: ObjectMisses) -> str:
    alarms = int(misses.false_alarms.sum())
    return f"{misses.found} found, {int(misses.missed.sum())} missed, {alarms} false alarm" + "s" * (
        alarms != 1
    )


def _hex(colour: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
