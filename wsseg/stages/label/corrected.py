"""The corrected masks of training images, which replace their pseudo-masks."""

from dataclasses import dataclass, field
from pathlib import Path

from wsseg.artifacts import read_json, write_json, write_mask
from wsseg.datasets import Dataset
from wsseg.file_names import CORRECTED_IDS, MASKS
from wsseg.supervision.corrected_masks import (
    check_classes,
    classes_without_label,
    corrected_files,
    describe_contradictions,
    read_corrected_mask,
)
from wsseg.supervision.splits import Splits


@dataclass(frozen=True)
class Corrected:
    """What `write_corrected_masks` wrote.

    Attributes:
        ids: Ids of the images with a corrected mask.
        set_aside: Images whose corrected mask is not used, `id -> reason`.
        warnings: A line on masks that contradict the images' labels, if there are any.
    """

    ids: frozenset[str] = frozenset()
    set_aside: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def write_corrected_masks(splits: Splits, train: Dataset, out: Path) -> Corrected:
    """Write the run's corrected masks as `masks/ID.png`, and the images' ids as `corrected_masks.json`.

    A mask in `out` that was corrected earlier and is no longer is removed, so that a pseudo-mask is made again.

    Args:
        splits: Splits of the dataset, with the run's folder of corrected masks.
        train: Usable training images, with the labels that the run uses.
        out: Folder of the label stage.

    Raises:
        InputError: A corrected mask cannot be read, or does not fit its image or the classes.
    """
    files = corrected_files(splits.corrected)
    for id in corrected_ids(out) - set(files):
        (out / MASKS / f"{id}.png").unlink(missing_ok=True)
    if not files:
        (out / CORRECTED_IDS).unlink(missing_ok=True)
        return Corrected()
    check_classes(splits.corrected, train.classes)
    records = [record for record in train if record.id in files]
    contradictions = {}
    for record in records:
        mask = read_corrected_mask(files[record.id], train, record)
        write_mask(out / MASKS / f"{record.id}.png", mask)
        if names := classes_without_label(mask, record, train.classes):
            contradictions[record.id] = names
    ids = frozenset(record.id for record in records)
    write_json(out / CORRECTED_IDS, [record.id for record in records])
    reason = f"its corrected mask is not used: split `{train.split}` has no usable image of this id"
    line = describe_contradictions(contradictions, len(ids))
    return Corrected(ids, {id: reason for id in files if id not in ids}, (line,) if line else ())


def corrected_ids(folder: Path) -> set[str]:
    """Return the ids of the images in a label stage's folder whose masks are corrected."""
    path = folder / CORRECTED_IDS
    return set(read_json(path, list)) if path.exists() else set()
