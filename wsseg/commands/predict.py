"""`wsseg predict`: the masks of new photographs, by a trained segmenter."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wsseg.artifacts import read_json, read_mask, write_atomically, write_json, write_mask
from wsseg.commands.class_shares import read_sources, write_shares
from wsseg.commands.found_photographs import find_photographs, name_photographs
from wsseg.commands.protected_files import ProtectedFiles
from wsseg.errors import InputError
from wsseg.file_names import CLASS_NAMES, OVERLAYS, PREDICTED_WITH, SHARES
from wsseg.image_files import check_images, read_image
from wsseg.inference.load import load, model_of_run
from wsseg.inference.models import BATCH_SIZE, LoadedSegmenter
from wsseg.inference.photographs import Photographs
from wsseg.progress import bar
from wsseg.report.overlay import overlay


@dataclass(frozen=True)
class Files:
    """The files of the folder `--out`.

    Attributes:
        out: The folder.
        overlays: Whether each mask has an overlay.
        probabilities: Whether each mask has its probabilities.
    """

    out: Path
    overlays: bool
    probabilities: bool

    def mask(self, id: str) -> Path:
        """Return the file of a mask."""
        return self.out / f"{id}.png"

    def overlay(self, id: str) -> Path:
        """Return the file of an overlay."""
        return self.out / OVERLAYS / f"{id}.jpg"

    def values(self, id: str) -> Path:
        """Return the file of an image's probabilities."""
        return self.out / f"{id}.npz"

    def of(self, id: str) -> list[Path]:
        """Return all files that an image gets."""
        files = [self.mask(id)]
        files += [self.values(id)] if self.probabilities else []
        return files + ([self.overlay(id)] if self.overlays else [])


def run(arguments: argparse.Namespace) -> None:
    """Write a mask for each photograph; a broken one is reported at the end, and does not stop the rest."""
    out = arguments.out.expanduser()
    given = find_photographs(arguments.photographs, without=out)
    files = Files(out, arguments.overlay, arguments.probabilities)
    known = read_sources(out)
    photographs = name_photographs(given, known)
    check_overwriting(files, photographs, arguments.photographs, arguments.model)
    model = load(arguments.model, arguments.crf)
    if not isinstance(model, LoadedSegmenter):
        raise InputError(
            f"{arguments.model} holds a {model.kind}, and masks are predicted by a segmenter; give a run that has "
            f'trained one, or use wsseg.load("{arguments.model}").predict(...) in Python'
        )
    model.refinement(arguments.labels)  # fails where there is no such class
    if not model.named:
        note(f"the class names of {arguments.model} are not known; numbers stand for them")
    prepare_folder(files, photographs, model, arguments)
    for id, path in photographs.items():
        if id != path.stem:
            note(f"{path}: {path.stem}.png belongs to another photograph; its mask is {id}.png")
    failed = predict_all(model, photographs, files, arguments.labels)
    sources = {id: path for id, path in (known | full_paths(photographs)).items() if files.mask(id).exists()}
    write_shares(out, sources, model.classes)
    done = len(photographs) - len(failed)
    print(f"{done} {'mask' if done == 1 else 'masks'} in {out}")
    if len(failed) == len(photographs) == 1:
        raise InputError(failed[0])
    if failed:
        raise InputError(
            f"{len(failed)} of {len(photographs)} photographs left out:\n  " + "\n  ".join(failed)
        )


def note(text: str) -> None:
    """Print a remark to stderr."""
    print(f"note: {text}", file=sys.stderr)


def check_overwriting(
    files: Files, photographs: Mapping[str, Path], words: Sequence[str], model: str
) -> None:
    """Fail where an input would be overwritten, or masks would lie among the photographs of a folder.

    Raises:
        InputError: The message names the photograph, and another folder.
    """
    for word in words:
        folder = Path(word).expanduser()
        if folder.is_dir() and folder.resolve() == files.out.resolve():
            raise InputError(
                f"--out {files.out} is the folder of the photographs, where masks would be taken for photographs the "
                f"next time; choose another folder, such as {files.out / 'masks'}"
            )
    protected = ProtectedFiles([*photographs.values(), model], files.out)
    protected.check(*(files.out / name for name in (CLASS_NAMES, SHARES, PREDICTED_WITH)))
    protected.check(*(file for id in photographs for file in files.of(id)))


def prepare_folder(
    files: Files, photographs: Mapping[str, Path], model: LoadedSegmenter, arguments: argparse.Namespace
) -> None:
    """Make the folder and write the class names, unless its masks were predicted in another way.

    Raises:
        InputError: The folder cannot be written, its masks are of another model or of other options, or a file that
            would be taken for a mask is none of this command's.
    """
    out = files.out
    try:
        (out / OVERLAYS if files.overlays else out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out {out} cannot be written ({error.strerror}); choose another folder"
        ) from error
    labels = sorted(arguments.labels) if arguments.labels else None
    path = Path(arguments.model).expanduser().resolve()
    file = model_of_run(path) if path.is_dir() else path
    way = {
        "model": str(file),
        "modified": file.stat().st_mtime_ns,
        "classes": list(model.classes),
        "labels": labels,
        "crf": "none" if model.crf is None else str(model.crf),
        "scales": list(model.predictor.scales),
        "flip": model.predictor.flip,
        "fusion": model.predictor.fusion,
        "max_side": model.predictor.max_side,
    }
    if (out / PREDICTED_WITH).exists():
        earlier = read_json(out / PREDICTED_WITH, dict)
        if changed := [key for key, value in way.items() if earlier.get(key) != value]:
            differs = "; ".join(f"{key} was {earlier.get(key)!r}, now {way[key]!r}" for key in changed)
            raise InputError(
                f"--out {out} holds masks that were predicted in another way ({differs}); choose another folder, or "
                "delete it"
            )
    elif foreign := [file for id in photographs for file in files.of(id) if file.exists()]:
        raise InputError(
            f"--out {out} holds {foreign[0]}, which `wsseg predict` has not written; choose another folder"
        )
    write_json(out / PREDICTED_WITH, way)
    names = "".join(f"{name}\n" for name in model.classes)
    write_atomically(out / CLASS_NAMES, lambda file: file.write(names.encode()))


def predict_all(
    model: LoadedSegmenter, photographs: Mapping[str, Path], files: Files, labels: Sequence[str] | None
) -> list[str]:
    """Write the files of each photograph that are not there yet; return what is wrong with the broken ones.

    The sources of all photographs are written first, so that ids stay with their photographs when it is interrupted.
    """
    left = {id: path for id, path in photographs.items() if not all(f.exists() for f in files.of(id))}
    dataset = Photographs(list(left.values()))
    ids = dict(zip((record.id for record in dataset), left))
    write_shares(files.out, read_sources(files.out) | full_paths(photographs), model.classes)
    with bar("checking photographs", len(dataset)) as advance:
        usable, broken = check_images(dataset, minimum_side=1, progress=lambda record: advance())
    fresh = [record for record in usable if _needs_network(ids[record.id], files)]
    kept = [record for record in usable if not _needs_network(ids[record.id], files)]
    with bar("predicting", len(photographs), done=len(photographs) - len(left)) as advance:
        for record in kept:  # their overlays alone are missing
            write_overlay(files.overlay(ids[record.id]), record.image, read_mask(files.mask(ids[record.id])))
            advance()
        for record, mask, probabilities in predicted(model, dataset, fresh, files.probabilities, labels):
            id = ids[record.id]
            if probabilities is not None:
                write_probabilities(files.values(id), probabilities, model.classes)
            if files.overlays:
                write_overlay(files.overlay(id), record.image, mask)
            if not files.mask(id).exists():
                write_mask(files.mask(id), mask)
            advance()
    return list(broken.values())


def full_paths(photographs: Mapping[str, Path]) -> dict[str, str]:
    """Return id -> full path."""
    return {id: str(path.resolve()) for id, path in photographs.items()}


def _needs_network(id: str, files: Files) -> bool:
    return not files.mask(id).exists() or (files.probabilities and not files.values(id).exists())


def predicted(
    model: LoadedSegmenter,
    dataset: Photographs,
    records: Sequence,
    with_probabilities: bool,
    labels: Sequence[str] | None,
) -> Iterator[tuple]:
    """Yield record, mask and, where asked for, probabilities; masks alone take less memory."""
    refine = model.refinement(labels)
    if with_probabilities:
        for record, probabilities in model.predictor(dataset, records, BATCH_SIZE, refine):
            yield record, probabilities.argmax(-1).astype(np.uint8), probabilities
    else:
        for record, mask in model.predictor.masks(dataset, records, refine, BATCH_SIZE):
            yield record, mask, None


def write_overlay(path: Path, photograph: Path, mask: np.ndarray) -> None:
    """Write a mask painted over its photograph as JPEG."""
    picture = Image.fromarray(overlay(read_image(photograph), mask))
    write_atomically(path, lambda file: picture.save(file, format="JPEG", quality=90))


def write_probabilities(path: Path, probabilities: np.ndarray, classes: Sequence[str]) -> None:
    """Write probabilities `(H, W, K)` as compressed float16, and the class names."""
    values = {"probabilities": probabilities.astype(np.float16), "classes": np.array(classes)}
    write_atomically(path, lambda file: np.savez_compressed(file, **values))
