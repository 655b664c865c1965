"""Write a dataset as a folder of photographs: images, labels.csv, classes.txt and masks, for dataset `folder`."""

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsseg.artifacts import IGNORE, write_atomically, write_mask
from wsseg.datasets.written_split import Copy, WrittenSplit
from wsseg.errors import InputError
from wsseg.file_names import CLASS_NAMES
from wsseg.progress import bar

_PLAIN = re.compile(r"[\w. -]+")
"""Names of classes that are written as they are."""


def write_folder(out: Path, parts: Sequence[WrittenSplit], copy: Copy) -> list[str]:
    """Write splits.

    Args:
        out: Empty folder.
        parts: The splits, all of the same classes.
        copy: Function that writes an image.

    Returns:
        Lines about what the files do not say: options with which they are to be read, and masks that are left out.
    """
    rows: list[tuple[str, str, str]] = []
    classes = parts[0].dataset.classes
    plain = all(_PLAIN.fullmatch(name) for name in classes)
    unlabelled = ambiguous = False
    broken: dict[str, str] = {}
    for part in parts:
        dataset = part.dataset
        with bar(f"writing {dataset.split}", len(dataset)) as advance:
            for record in dataset:
                name = part.names[record.id]
                file = copy(record, out / "images" / name)
                cell = (
                    "".join(f"{label}; " for label in record.labels).strip()
                    if plain
                    else _as_list(record.labels)
                )
                rows.append((file.name, cell if record.labels else "", dataset.split))
                unlabelled |= not record.labels
                if record.mask is not None:
                    try:
                        mask = dataset.read_mask(record)
                    except InputError as error:
                        broken[record.id] = str(error)
                    else:
                        path = out / "masks" / f"{name}.png"
                        path.parent.mkdir(exist_ok=True)
                        write_mask(path, mask)
                        values = set(np.unique(mask).tolist())
                        ambiguous |= bool(record.labels) and IGNORE in values and values <= {0, IGNORE}
                advance()
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows([("image", "labels", "split"), *rows])
    write_atomically(out / "labels.csv", lambda stream: stream.write(table.getvalue().encode()))
    names = "".join(f"{name}\n" for name in classes)
    write_atomically(out / CLASS_NAMES, lambda stream: stream.write(names.encode()))
    lines = _broken_lines(broken)
    if unlabelled:
        lines.append("some images have no label: read them with `allow_unlabelled: true`")
    if ambiguous:
        lines.append("some masks hold 0 and 255 alone: read them with `mask_values: {255: ignore}`")
    return lines


def _as_list(labels: Sequence[str]) -> str:
    return json.dumps(list(labels), ensure_ascii=False)


def _broken_lines(broken: dict[str, str]) -> list[str]:
    if not broken:
        return []
    first, why = next(iter(broken.items()))
    return [f"{len(broken):,} masks cannot be used and are not written; the first: {first}: {why}"]
