"""Which annotations marked `iscrowd` are single objects: masks painted with a brush, as CVAT exports them.

COCO itself writes a region of many objects as run lengths and marks it `iscrowd: 1`. CVAT and Datumaro write every mask
that is no polygon in this way. Read as crowds, such objects would be ignored pixels, and whole classes would vanish.

The rule: an annotation with run lengths and `iscrowd: 1` is a single object if every annotation with run lengths in the
file is marked so, and
- no annotation of its category is unmarked, or the annotation has CVAT's attribute `occluded`; and
- its id is not one of COCO's own crowds, which begin with 9001 and have twelve digits.
"""

from typing import Any

from wsseg.objects.coco_values import is_marked, whole

COCO_CROWDS = range(900_100_000_000, 900_200_000_000)
"""Ids of crowds in COCO's own files: 9001 and eight digits of the image's id."""


def painted_objects(entries: list[Any]) -> set[int]:
    """Return the positions of the annotations that are marked as crowds but are single objects.

    Args:
        entries: The annotations of a whole file.

    Example:
        >>> runs = {"size": [1, 2], "counts": [1, 1]}
        >>> painted_objects([{"category_id": 1, "iscrowd": 1, "segmentation": runs}])
        {0}
    """
    marked, unmarked = [], set()
    for row, entry in enumerate(entries):
        if not isinstance(entry, dict):
            continue
        runs = isinstance(entry.get("segmentation"), dict)
        if not is_marked(entry.get("iscrowd")):
            if runs:
                return set()
            unmarked.add(whole(entry.get("category_id")))
        elif runs:
            marked.append(row)
    return {
        row
        for row in marked
        if whole(entries[row].get("id")) not in COCO_CROWDS
        and (whole(entries[row].get("category_id")) not in unmarked or _of_cvat(entries[row]))
    }


def _of_cvat(entry: dict[str, Any]) -> bool:
    attributes = entry.get("attributes")
    return isinstance(attributes, dict) and "occluded" in attributes
