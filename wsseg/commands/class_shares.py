"""`shares.csv`: which photograph each mask of a folder is of, and how much of it each class covers."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wsseg.artifacts import read_mask, write_atomically
from wsseg.errors import InputError
from wsseg.file_names import SHARES


def write_shares(out: Path, sources: Mapping[str, str], classes: Sequence[str]) -> None:
    """Write `shares.csv`: id, full path of the photograph, and the share of the pixels of each class.

    An image without a mask has empty shares.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["id", "photograph", *classes])
    known = _known_rows(out, classes)
    for id, source in sources.items():
        shares = known.get((id, source))
        if shares is None and (out / f"{id}.png").exists():
            mask = read_mask(out / f"{id}.png")
            counts = np.bincount(mask.ravel(), minlength=len(classes))[: len(classes)]
            shares = [f"{share:.6f}" for share in counts / mask.size]
        table.writerow([id, source, *(shares or [""] * len(classes))])
    write_atomically(out / SHARES, lambda file: file.write(text.getvalue().encode()))


def _known_rows(out: Path, classes: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """Return the shares that `shares.csv` has already, by id and photograph."""
    rows = _rows(out)
    if not rows or rows[0] != ["id", "photograph", *classes]:
        return {}
    return {(row[0], row[1]): row[2:] for row in rows[1:] if "" not in row[2:]}


def read_sources(out: Path) -> dict[str, str]:
    """Return which photograph each mask of the folder is of, by `shares.csv`: id -> full path."""
    rows = _rows(out)
    if rows and rows[0][:2] != ["id", "photograph"]:
        raise InputError(f"{out / SHARES} is not from `wsseg predict`; choose another --out")
    return {row[0]: row[1] for row in rows[1:]}


def _rows(out: Path) -> list[list[str]]:
    path = out / SHARES
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [row for row in csv.reader(file) if len(row) >= 2]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error}); delete it, or choose another --out") from error
