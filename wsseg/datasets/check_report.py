"""The report of `wsseg datasets check` as text: counts, tables of the classes, and the first problems of each kind."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from wsseg.datasets.dataset import Dataset
from wsseg.datasets.layout import Layout
from wsseg.datasets.mask_agreement import OWN_LABELS, advice
from wsseg.datasets.split_check import CONTRADICTIONS, SplitCheck

SHOWN = 3
"""Maximum number of problems shown per kind."""

FEW = 20
"""A class with fewer images in a split is named: it is hard to learn, or its score rests on few images."""


def option_lines(layout: Layout, options: Mapping[str, Any], indent: int = 2) -> list[str]:
    """Return options as lines of YAML, each with its meaning as a comment where the layout says it.

    Example:
        >>> layout = Layout("a", "", bool, list, remarks={"level": "gray level"})
        >>> print("\\n".join(option_lines(layout, {"level": 127, "names": ["b", "c"]})))
          level: 127   # gray level
          names: [b, c]
    """
    lines = []
    for key, value in options.items():
        flow = None if isinstance(value, list | dict) else False
        text = yaml.safe_dump({key: value}, default_flow_style=flow, allow_unicode=True, width=1000).strip()
        remark = layout.remarks.get(key)
        lines.append(" " * indent + text + (f"   # {remark}" if remark else ""))
    return lines


def described(found: SplitCheck, dataset: Dataset) -> str:
    """Return the report on a split as text: counts, tables of the classes, and the first problems of each kind."""
    images = f"{found.images:,} image{'s' if found.images != 1 else ''}"
    files = found.masks - found.without_object
    lines = [f"{dataset.split}: {images}, {files:,} with masks, {found.instances:,} with instances"]
    lines[0] += f", {found.unlabelled:,} without a label" if found.unlabelled else ""
    if found.without_object:
        lines[0] += f", {found.without_object:,} scored as background only without a mask"
    lines += _table(found, dataset)
    lines += _share_table(found, dataset)
    lines += _few(found, dataset)
    lines += _together(dataset)
    for kind, reasons in (*found.broken.items(), *found.notes.items()):
        lines += some_lines(f"{kind} ({len(reasons):,}):", reasons)
        if kind == CONTRADICTIONS:
            lines.append(f"    {advice(found.pairs, dataset.classes)}")
    return "\n".join(lines)


def _table(found: SplitCheck, dataset: Dataset) -> list[str]:
    total = sum(found.pixels.values())
    columns = ["class", "images"] + ["pixels"] * bool(total) + ["instances"] * bool(found.objects)
    rows = []
    around = (["background"], ["ignored"]) if total else ([], [])
    for name in (*around[0], *dataset.classes, *around[1]):
        is_class = name in dataset.classes
        row = [name, f"{found.labelled[name]:,}" if is_class else ""]
        if total:
            row.append(f"{100 * found.pixels[name] / total:.2f} %")
        if found.objects:
            row.append(f"{found.objects[name]:,}" if is_class else "")
        rows.append(row)
    if found.crowds:
        rows.append(["crowds", ""] + [""] * bool(total) + [f"{found.crowds:,}"] * bool(found.objects))
    return _aligned([columns, *rows])


def _share_table(found: SplitCheck, dataset: Dataset) -> list[str]:
    """Return how much of an image a class covers, by which scales are chosen; nothing if no mask was read."""
    rows = []
    for name in dataset.classes:
        if shares := found.shares.get(name):
            values = (min(shares), statistics.median(shares), max(shares))
            rows.append([name, f"{len(shares):,}", *(f"{100 * value:.2f} %" for value in values)])
    heading = ["share of an image", "masks", "smallest", "median", "largest"]
    return _aligned([heading, *rows]) if rows else []


def _few(found: SplitCheck, dataset: Dataset) -> list[str]:
    counts = [(name, found.labelled[name]) for name in dataset.classes]
    few = [f"{name} ({count})" for name, count in counts if 0 < count < FEW]
    none = [name for name, count in counts if not count]
    lines = [f"  fewer than {FEW} images: {', '.join(few)}"] if few else []
    return lines + ([f"  no image: {', '.join(none)}"] if none else [])


def _together(dataset: Dataset) -> list[str]:
    """Return a line about labels that no image has alone, as the words of a name that was split at its spaces."""
    images: dict[frozenset[str], list[str]] = {}
    for name in dataset.classes if dataset.name in OWN_LABELS else ():
        images.setdefault(frozenset(record.id for record in dataset if name in record.labels), []).append(
            name
        )
    found = [names for ids, names in images.items() if len(ids) > 1 and len(names) > 1]
    if not found:
        return []
    text = "; ".join(f"{' and '.join(names)}" for names in found[:SHOWN])
    return [f"  always together: {text}; if this is one name, separate labels by semicolons in labels.csv"]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]


def some_lines(heading: str, reasons: Mapping[str, str]) -> list[str]:
    """Return a heading and the first reasons, as lines."""
    lines = [f"  {heading}"]
    lines += [f"    {what}: {why}" for what, why in list(reasons.items())[:SHOWN]]
    if len(reasons) > SHOWN:
        lines.append(f"    ... and {len(reasons) - SHOWN:,} more")
    return lines
