"""Boxes of VOC images, from the devkit's XML files."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from wsseg.datasets.record import Record
from wsseg.errors import InputError
from wsseg.image_files import image_size_hw
from wsseg.objects.instances import Instances

FARTHEST = 1e7
"""Coordinate from which a box is taken for broken, in pixels."""


@dataclass(frozen=True)
class VocBoxes:
    """Reader of the boxes of an image.

    Attributes:
        folder: The devkit's folder `Annotations`.
        classes: Classes of the dataset, in mask-id order.
        difficult: Whether boxes marked difficult count.
    """

    folder: Path
    classes: tuple[str, ...]
    difficult: bool = True

    def read(self, record: Record) -> Instances:
        """Return the boxes of the dataset's classes, in pixels from edge to edge.

        The XML counts pixels from 1, and its maxima are inclusive: xmin 1 and xmax 1 is the first column, 0 to 1 here.

        Raises:
            InputError: The XML is missing or broken, or a box has no area; the message names the file.
        """
        return self.read_file(self.folder / f"{record.id}.xml", record.image)

    def read_file(self, path: Path, image: Path) -> Instances:
        """Return the boxes in a file, of an image; see `read`."""
        ids, boxes = [], []
        for item in annotated_objects(path, self.difficult):
            name = (item.findtext("name") or "").strip()
            if name not in self.classes:
                continue
            try:
                left, top, right, bottom = (
                    float(item.findtext(f"bndbox/{side}") or "") for side in ("xmin", "ymin", "xmax", "ymax")
                )
            except ValueError:
                raise InputError(f"annotation {path}: a `{name}` has no bndbox of four numbers") from None
            if not all(abs(side) < FARTHEST for side in (left, top, right, bottom)):  # nan is not either
                raise InputError(
                    f"annotation {path}: the box {left, top, right, bottom} of a `{name}` has a side that is no number "
                    "of pixels; correct or remove it"
                )
            if not (left <= right and top <= bottom):
                raise InputError(
                    f"annotation {path}: the box {left, top, right, bottom} of a `{name}` is empty"
                )
            ids.append(self.classes.index(name) + 1)
            boxes.append((left - 1, top - 1, right, bottom))
        return Instances(ids, boxes, image_size_hw(image))


def image_name(path: Path) -> str:
    """Return the name of the image that an annotation file states; empty if it states none."""
    try:
        return (ElementTree.parse(path).getroot().findtext("filename") or "").strip()
    except (OSError, ElementTree.ParseError, ValueError, LookupError):
        return ""


def annotated_objects(path: Path, difficult: bool) -> list[ElementTree.Element]:
    """Return the objects of an annotation file, without their parts, which have names and boxes too.

    Raises:
        InputError: The file is missing or broken.
    """
    try:
        tree = ElementTree.parse(path)
    except FileNotFoundError:
        raise InputError(f"annotation {path} does not exist") from None
    except OSError as error:
        raise InputError(f"annotation {path} cannot be read ({error.strerror or error})") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # an encoding that does not exist
        raise InputError(f"annotation {path} is not valid XML ({error})") from error
    objects = tree.getroot().findall("object")
    return [item for item in objects if difficult or (item.findtext("difficult") or "0").strip() != "1"]
