"""The command `wsseg export-masks`: a run's masks in a form that other programs read."""

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from wsseg.annotations.coco_masks import write_coco
from wsseg.annotations.cvat_masks import ignore_label, write_cvat
from wsseg.artifacts import write_mask
from wsseg.commands.run_masks import ImageNames, RunMasks
from wsseg.datasets import Record
from wsseg.errors import InputError
from wsseg.progress import bar
from wsseg.supervision.corrected_masks import write_classes


def run(arguments: argparse.Namespace) -> None:
    """Write the masks of training images, corrected ones included, and say how to bring corrections back.

    Raises:
        InputError: The run has no masks yet, an image does not exist or has no mask, or the target exists.
    """
    out, form = arguments.out, arguments.format
    suffix = {"cvat": ".zip", "coco": ".json", "png": ""}[form]
    if suffix and out.suffix.lower() != suffix:
        raise InputError(f"--out {out}: the form `{form}` is one file; give a name that ends in {suffix}")
    if out.exists():
        raise InputError(f"--out {out} exists already; choose another name, or remove it")
    masks = RunMasks(arguments.run)
    if not masks.stages:
        raise InputError(
            f"{arguments.run} has made no masks yet; call `wsseg run --run {shlex.quote(str(arguments.run))}` first"
        )
    train = masks.train.subset(arguments.only) if arguments.only else masks.train
    wanted = [record for record in train if masks.has(record)]
    if arguments.only and len(wanted) < len(train):
        missing = next(record.id for record in train if record not in wanted)
        raise InputError(f"--only: {arguments.run} has no mask of image `{missing}`, which could not be used")
    out.parent.mkdir(parents=True, exist_ok=True)
    classes, names = masks.train.classes, ImageNames(masks.train)
    with bar("writing masks", len(wanted), "masks") as advance:

        def read() -> Iterator[tuple[Record, np.ndarray]]:
            for record in wanted:
                yield record, masks.current(record)
                advance()

        if form == "cvat":
            write_cvat(out, classes, ((names.of(record), mask) for record, mask in read()))
        elif form == "coco":
            write_coco(
                out, classes, ((names.of(record) + record.image.suffix, mask) for record, mask in read())
            )
        else:
            _write_folder(out, classes, read())
    print(f"{len(wanted)} masks: {out}")
    if form != "png":
        print(f"pixels of 255 have the label `{ignore_label(classes)}`; the task needs it beside the classes")
    print(f"back with corrections: wsseg correct {shlex.quote(str(arguments.run))} {shlex.quote(str(out))}")


def _write_folder(out: Path, classes: tuple[str, ...], masks: Iterator[tuple[Record, np.ndarray]]) -> None:
    out.mkdir()
    write_classes(out, classes)
    for record, mask in masks:
        write_mask(out / f"{record.id}.png", mask)
