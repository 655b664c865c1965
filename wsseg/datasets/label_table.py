"""The CSV of image-level labels: header `image,labels`, optionally `split`; one image per row."""

import csv
from dataclasses import dataclass
from pathlib import Path

from wsseg.errors import InputError


@dataclass(frozen=True)
class LabelTable:
    """Content of a CSV of labels. The keys are image names as written in the file.

    Attributes:
        labels: Image name -> labels, in the order of the file; `()` for an empty cell.
        splits: Image name -> split; empty if the file has no such column.
        lines: Image name -> line in the file, counted from 1.
    """

    labels: dict[str, tuple[str, ...]]
    splits: dict[str, str]
    lines: dict[str, int]


def read_label_table(path: Path) -> LabelTable:
    """Read a CSV of image-level labels.

    Labels are separated by spaces. If any row has a semicolon among its labels, all rows are split at
    semicolons only, so that class names may contain spaces. The file is UTF-8, with or without a byte-order mark.

    Args:
        path: The file, with the header `image,labels` or `image,labels,split`; further columns are not read.

    Returns:
        The table.

    Raises:
        InputError: The file is missing, is not such a CSV, or lists an image twice; the message names the file
            and the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            header = [(name or "").strip() for name in reader.fieldnames or []]
            if not {"image", "labels"} <= set(header):
                raise InputError(
                    f"{path} must begin with the header line `image,labels` (or `image,labels,split`); "
                    f"got `{','.join(header)}`"
                )
            reader.fieldnames = header
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist; expected a CSV with the header `image,labels` and rows "
            "such as `photo 1.jpg,cat dog`"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a UTF-8 CSV file ({error})") from error
    semicolons = any(";" in (row["labels"] or "") for _, row in rows)
    table = LabelTable({}, {}, {})
    for number, row in rows:
        name = (row["image"] or "").strip()
        if not name:
            raise InputError(f"{path}, line {number}: no image name; expected `image,labels`")
        if row.get(None):
            raise InputError(
                f"{path}, line {number}: more cells than in the header; separate labels by spaces or "
                "semicolons, not commas, or quote the cell"
            )
        if name in table.labels:
            raise InputError(
                f"{path}, line {number}: image `{name}` is already on line {table.lines[name]}; join the rows"
            )
        cells = (row["labels"] or "").split(";" if semicolons else None)
        table.labels[name] = tuple(dict.fromkeys(cell.strip() for cell in cells if cell.strip()))
        table.lines[name] = number
        if "split" in header:
            table.splits[name] = (row["split"] or "").strip()
    if not table.labels:
        raise InputError(f"{path} lists no image; expected one row per image below the header")
    return table
