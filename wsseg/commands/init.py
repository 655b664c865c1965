"""The command `wsseg init`: look at a folder of photographs, and write a recipe for it."""

import argparse
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from wsseg import datasets
from wsseg.datasets.check import between_splits
from wsseg.datasets.check_report import described, option_lines
from wsseg.datasets.dataset import Dataset
from wsseg.datasets.layout import Layout
from wsseg.datasets.layouts import detect, layout_of
from wsseg.datasets.mask_agreement import fitting_order
from wsseg.datasets.split_check import BROKEN_IMAGES, CONTRADICTIONS, SplitCheck, check_split
from wsseg.errors import InputError
from wsseg.image_files import image_size_hw
from wsseg.recipe import built_in

RECIPE = "photographs"
"""The built-in recipe that is written."""

OWN_CLASSES = ("folder", "class_folders")
"""Datasets whose classes are those of the user's files; the recipe lists them."""


def run(arguments: argparse.Namespace) -> None:
    """Say what is in a folder, write a recipe for it, and print the next command.

    Args:
        arguments: `path` (the folder), `out` (the recipe to write, or None) and `name` (a dataset, or None).

    Raises:
        InputError: The folder has no known layout or no usable image, or the recipe exists already; or, when the recipe
            has been written, the splits share images.
    """
    root = arguments.path.expanduser().resolve()
    out = (arguments.out or root.parent / f"{root.name}.yaml").expanduser()
    if out.exists():
        raise InputError(f"{out} exists already; remove it, or write another recipe with --out FILE")
    layout = layout_of(arguments.name) if arguments.name else detect(root)
    print(f"{root}: {layout.name} ({layout.marks})")
    options = dict(layout.options(root))
    splits = splits_of(layout, root, options)
    if options:
        print("\n".join(["options in the recipe, as the files suggest:", *option_lines(layout, options)]))
    if splits[1] == "test":
        print("no split val: the recipe validates on test")
    opened = _opened(layout, root, splits, options)
    found = [check_split(dataset) for dataset in opened]
    order = _order_of_masks(opened, found)
    if order is not None:
        print(f"classes in the recipe, in the order in which the masks fit the labels: {', '.join(order)}")
        opened = _opened(layout, root, splits, options | {"classes": order})
        found = [check_split(dataset) for dataset in opened]
    sizes = [size for pair in zip(opened, found, strict=True) for size in usable_sizes(*pair)]
    for dataset, what in zip(opened, found, strict=True):
        print(f"\n{described(what, dataset)}")
    if not sizes:
        raise InputError(f"{root} holds no image that can be used")
    sides = sorted(max(size) for size in sizes)
    print(
        f"\nimage sizes: long side {sides[0]} to {sides[-1]} pixels, half of them at most {median(sides):.0f}"
    )
    text = recipe_text(root, layout, opened, options)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another --out FILE") from error
    shared = between_splits(list(zip(opened, found, strict=True)))
    print(f"written: {out}" + ("" if shared else f"\nnext:    wsseg run {shlex.quote(str(out))}"))
    if shared:
        lines = "\n".join(line for part in shared for line in part)
        raise InputError(f"{root}: a run of this recipe would not start:\n{lines}")


def splits_of(layout: Layout, root: Path, options: Mapping[str, Any]) -> tuple[str, str]:
    """Return the splits to train and to validate on."""
    there = layout.splits(root, options)
    val = "test" if layout.name == "class_folders" and "val" not in there and "test" in there else "val"
    return "trainaug" if "trainaug" in there else "train", val


def _opened(layout: Layout, root: Path, splits: tuple[str, str], options: Mapping[str, Any]) -> list[Dataset]:
    return [datasets.create(layout.name, split=split, root=root, **options) for split in splits]


def _order_of_masks(opened: list[Dataset], found: list[SplitCheck]) -> tuple[str, ...] | None:
    """Return the order of classes with which all masks fit the labels; None if the order is right or not clear."""
    if not any(CONTRADICTIONS in one.broken for one in found):
        return None
    return fitting_order([pair for one in found for pair in one.pairs], opened[0].classes)


def usable_sizes(dataset: Dataset, found: SplitCheck) -> list[tuple[int, int]]:
    """Return height and width of the images of a split that can be used."""
    broken = found.broken.get(BROKEN_IMAGES, {})
    return [image_size_hw(record.image) for record in dataset if record.id not in broken]


def recipe_text(root: Path, layout: Layout, opened: list[Dataset], options: dict) -> str:
    """Return the recipe `photographs` with the folder's dataset in it, and comments.

    Args:
        root: The folder.
        layout: Its layout, which names the dataset that reads it.
        opened: Its training and its validation split.
        options: Options of the dataset.
    """
    train, val = opened
    masks = [sum(record.mask not in (None, record.image) for record in dataset) for dataset in opened]
    name = yaml.safe_dump({"name": re.sub(r"[^\w.-]+", "_", root.name) or RECIPE})
    file = built_in.FOLDER / f"{RECIPE}.yaml"
    body = file.read_text().partition(f"\nname: {RECIPE}\n")[2]
    before, _, after = body.partition("dataset:\n")
    after = after[re.search(r"^\w", after, re.MULTILINE).start() :]  # from the next section
    dataset = {"name": layout.name, "root": str(root)}
    dataset |= {"classes": list(train.classes)} if layout.name in OWN_CLASSES else {}
    dataset |= {"train": train.split, "val": val.split}
    section = yaml.safe_dump(
        {"dataset": dataset}, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True
    )
    if options:
        section += "\n".join(["  options:", *option_lines(layout, options, 4), ""])
    if layout.name in OWN_CLASSES:
        masks_hold = (
            "the order is that of the values 1, 2, ... in masks; a label that is not listed is an error"
        )
        folders = (
            "folders of objects; a further folder is an error, unless options have `other_folders: ignore`"
        )
        order = masks_hold if layout.name == "folder" else folders
        section = section.replace("  classes:", f"  # {order}\n  classes:", 1)
    scored = (
        f"{masks[0]} training and {masks[1]} validation images have masks, which are read for the scores alone"
        if any(masks)
        else "no image has a mask, so nothing is scored; look at the report"
    )
    return f"""# {root.name}: {len(train)} training and {len(val)} validation images of {len(train.classes)} classes.
#
# Written by `wsseg init`.
# Command:   wsseg run THIS_FILE
# Method:    the recipe `{RECIPE}`, whose header says what to expect; `wsseg options` lists all options.
# Masks:     {scored}.
{name}{before}{section}{after}"""
