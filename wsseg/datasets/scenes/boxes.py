"""Boxes of the scenes' objects, from their index."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsseg.artifacts import read_json
from wsseg.datasets.record import Record
from wsseg.objects.instances import Instances


@dataclass(frozen=True)
class SceneBoxes:
    """Reads boxes; it holds the index's path and not its content, so that worker processes are sent little.

    Attributes:
        index: The file `objects.json`.
        classes: The dataset's, in mask-id order.
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
