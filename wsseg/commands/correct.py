"""The command `wsseg correct`: masks that a person has mended become given masks of a run."""

import argparse
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from wsseg.artifacts import IGNORE, write_mask
from wsseg.class_names import BACKGROUND
from wsseg.commands.mask_sources import FoundMask, found_masks
from wsseg.commands.run_masks import ImageNames, RunMasks
from wsseg.datasets import Dataset, Record
from wsseg.engine.run_folder import locked
from wsseg.errors import InputError, nearest
from wsseg.file_names import CLASS_NAMES
from wsseg.palette import voc_palette
from wsseg.progress import bar
from wsseg.recipe.decisions import trains_detector
from wsseg.supervision.corrected_masks import (
    check_classes,
    classes_without_label,
    corrected_files,
    counted,
    describe_contradictions,
    read_corrected_mask,
    write_classes,
)


@dataclass
class Taken:
    """What became of the given masks.

    Attributes:
        ids: Images whose corrected mask was taken.
        as_made: Number of masks that were left out because they are as the run made them, or as already corrected.
        unknown: Number of pixels of unknown colour that became 255, for each image that has any.
        contradictions: Image -> classes of its mask that the image's labels lack.
    """

    ids: list[str] = field(default_factory=list)
    as_made: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    contradictions: dict[str, list[str]] = field(default_factory=dict)


def run(arguments: argparse.Namespace) -> None:
    """Take corrected masks into a run, list them, or take them out, and say what was done.

    Raises:
        InputError: A mask cannot be used; then none is taken.
    """
    wanted = [bool(arguments.sources), arguments.edited, bool(arguments.undo), arguments.show]
    if sum(wanted) != 1:
        raise InputError("give corrected masks, or one of --edited, --undo ID... and --show")
    masks = RunMasks(arguments.run)
    if arguments.show:
        print("\n".join(listing(masks)))
        return
    with locked(arguments.run):
        if arguments.undo:
            remove(masks, arguments.undo)
            print(f"{counted(len(set(arguments.undo)))} taken out; {_left(masks)}")
        else:
            sources = arguments.sources
            if arguments.edited:
                sources = list(masks.edited().values())
                if not sources:
                    raise InputError(
                        f"no mask in {arguments.run} was edited since its stage wrote it; give the masks: "
                        f"`wsseg correct {shlex.quote(str(arguments.run))} FILES`"
                    )
            taken = take(masks, sources, arguments.all, arguments.unknown == "ignore", arguments.empty)
            print("\n".join(report(masks, taken)))
    print(f"next: wsseg run --run {shlex.quote(str(arguments.run))}")


def take(
    masks: RunMasks, sources: Sequence[Path], also_as_made: bool, unknown_to_ignore: bool, empty: bool
) -> Taken:
    """Check all masks, and then put them into the run's folder; nothing is taken if one cannot be used.

    Args:
        masks: Masks of the run.
        sources: Files and folders of corrected masks; see `wsseg.commands.mask_sources`.
        also_as_made: Whether masks that are as the run made them are taken, too.
        unknown_to_ignore: Whether pixels of unknown colour become 255.
        empty: Whether images that a source lists without objects are taken as all background.

    Raises:
        InputError: A mask cannot be used, or none is left.
    """
    folder, train = masks.splits.corrected, masks.train
    known = corrected_files(folder)
    if known:
        check_classes(folder, train.classes)
    taken, refused = Taken(), []
    with (
        found_masks(sources, train.classes) as found,
        TemporaryDirectory(prefix=".corrected-", dir=masks.run) as new,
    ):
        given = [*found.masks, *(found.empty if empty else ())]
        left_out = 0 if empty else len(found.empty)
        if not given:
            raise InputError(
                f"the {left_out} listed images have no object; with --empty they are taken as all background"
            )
        with bar("checking masks", len(given), "masks") as advance:
            for one, record in _with_records(given, train, refused):
                try:
                    mask, unknown = one.read(train.size_hw(record), unknown_to_ignore)
                except InputError as error:
                    refused.append(str(error))
                else:
                    if record.id in known:
                        same = np.array_equal(mask, read_corrected_mask(known[record.id], train, record))
                    else:
                        same = not also_as_made and any(
                            np.array_equal(mask, made) for made in masks.made(record)
                        )
                    if same:
                        taken.as_made += 1
                    else:
                        _stage(Path(new), mask, unknown, record, train, taken)
                advance()
        if refused:
            more = (
                f"; {len(refused) - 1} more of the {len(given)} masks cannot be used" if refused[1:] else ""
            )
            raise InputError(f"{refused[0]}{more}; no mask was taken")
        if not taken.ids:
            raise InputError(
                f"none of the {len(given)} masks differs from what the run has; correct one, or give --all to take "
                "masks as found right"
            )
        folder.mkdir(exist_ok=True)
        if not known:
            write_classes(folder, train.classes)
        for id in taken.ids:
            (Path(new) / f"{id}.png").replace(folder / f"{id}.png")
    if left_out:
        print(
            f"{left_out} listed images have no object and were left out; --empty takes them as all background"
        )
    return taken


def _stage(new: Path, mask: np.ndarray, unknown: int, record: Record, train: Dataset, taken: Taken) -> None:
    write_mask(new / f"{record.id}.png", mask)
    taken.ids.append(record.id)
    if unknown:
        taken.unknown[record.id] = unknown
    if names := classes_without_label(mask, record, train.classes):
        taken.contradictions[record.id] = names


def _with_records(
    given: Sequence[FoundMask], train: Dataset, refused: list[str]
) -> Iterator[tuple[FoundMask, Record]]:
    """Yield each mask with its record. A mask without one, or the second of an image, goes into `refused`."""
    names = ImageNames(train)
    first: dict[str, str] = {}
    for one in given:
        record = names.find(one.image)
        if record is None:
            hint = nearest(one.image, [record.id for record in train])
            hint = hint if hint.startswith("did") else f"ids are such as `{train[0].id}`"
            refused.append(
                f"mask {one.name}: the training split `{train.split}` has no image `{one.image}`; {hint}"
            )
        elif record.id in first:
            refused.append(f"masks {first[record.id]} and {one.name} are of one image; give one of the two")
        else:
            first[record.id] = one.name
            yield one, record


def report(masks: RunMasks, taken: Taken) -> list[str]:
    """Return the lines that say what became of the given masks."""
    lines = [f"{counted(len(taken.ids))} taken; {_left(masks)}"]
    if taken.as_made:
        lines.append(
            f"{taken.as_made} masks are as the run has them and were left out; --all takes such masks as found right"
        )
    if taken.unknown:
        pixels = sum(taken.unknown.values())
        lines.append(f"{pixels:,} pixels of unknown colour in {len(taken.unknown)} masks became 255")
    if line := describe_contradictions(taken.contradictions, len(taken.ids)):
        lines.append(f"warning: {line}")
    if trains_detector(masks.recipe):
        lines.append("note: the detector learns from pseudo-instances, which corrected masks do not change")
    return lines


def _left(masks: RunMasks) -> str:
    folder = masks.splits.corrected
    return f"{folder} has {len(corrected_files(folder))} now"


def remove(masks: RunMasks, ids: Sequence[str]) -> None:
    """Take corrected masks out of the run.

    Raises:
        InputError: An image has no corrected mask; then nothing is removed.
    """
    folder = masks.splits.corrected
    known = corrected_files(folder)
    for id in ids:
        if id not in known:
            hint = nearest(id, known) if known else f"{folder} has none"
            raise InputError(f"--undo: image `{id}` has no corrected mask; {hint}")
    for id in dict.fromkeys(ids):
        known[id].unlink()
    if not corrected_files(folder):
        (folder / CLASS_NAMES).unlink(missing_ok=True)


def listing(masks: RunMasks) -> list[str]:
    """Return the classes with their colours, and a line for each corrected mask."""
    train, folder = masks.train, masks.splits.corrected
    palette = voc_palette()
    names = {0: BACKGROUND} | dict(enumerate(train.classes, start=1)) | {IGNORE: "ignore"}
    lines = ["id   red green blue  hex      class"]
    for id, name in names.items():
        red, green, blue = palette[id].tolist()
        lines.append(f"{id:<3}  {red:>3} {green:>5} {blue:>4}  #{red:02x}{green:02x}{blue:02x}  {name}")
    files = corrected_files(folder)
    lines.append(f"corrected masks: {len(files)}{f' in {folder}' if files else ''}")
    records = {record.id: record for record in train}
    for id, path in files.items():
        if id not in records:
            lines.append(f"  {id}: not used, as the training split has no such image")
            continue
        values, counts = np.unique(read_corrected_mask(path, train, records[id]), return_counts=True)
        shares = zip(values.tolist(), (100 * counts / counts.sum()).tolist())
        lines.append(f"  {id}: {', '.join(f'{names[one]} {share:.1f} %' for one, share in shares)}")
    return lines
