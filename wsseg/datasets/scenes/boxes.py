"""Boxes of the objects in scenes, read from the index file."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsseg.artifacts import read_json
from wsseg.datasets.record import Record
from wsseg.objects.instances import Instances


@dataclass(frozen=True)
class SceneBoxes:
    """Reader of boxes. It holds the path of the index, not its content, so that little is sent to worker processes.

    Attributes:
        index: The file `objects.json`.
        classes: Classes of the dataset, in mask-id order.
        size: Side of the square images, pixels.
    """

    index: Path
    classes: tuple[str, ...]
    size: int

    def read(self, record: Record) -> Instances:
        """Return the boxes of the visible parts of the objects of the dataset's classes."""
        objects = [found for found in _objects(self.index)[record.id] if found["label"] in self.classes]
        ids = [self.classes.index(found["label"]) + 1 for found in objects]
        return Instances(ids, [found["box_xyxy"] for found in objects], (self.size, self.size))


@functools.lru_cache(maxsize=2)
def _objects(index: Path) -> dict[str, list[dict[str, Any]]]:
    return read_json(index)["scenes"]
