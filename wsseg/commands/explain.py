"""`wsseg explain`: what a classifier sees in photographs, as pictures, maps and a table of scores."""

import argparse
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.artifacts import write_json
from wsseg.commands.class_names import read_class_names
from wsseg.commands.classifiers import LoadedModel, is_saved_model
from wsseg.commands.empty_maps import why_empty
from wsseg.commands.explanation_files import ExplanationFiles
from wsseg.commands.found_photographs import find_photographs, name_photographs
from wsseg.commands.gray_depth import with_depth
from wsseg.commands.load_classifier import InputOptions, load_classifier, warn
from wsseg.commands.photographs import Sight, class_index, look, maps_with_raw
from wsseg.commands.protected_files import ProtectedFiles
from wsseg.commands.said import Said
from wsseg.commands.sheets import OVERLAYS_SHEET, caption, check_sheets, painted, write_sheets
from wsseg.datasets.visible_files import pictures_of_explain
from wsseg.errors import InputError
from wsseg.file_names import CONTACT_SHEET, EXPLAINED, EXPLAINED_WITH
from wsseg.progress import bar
from wsseg.report.contact_sheet import ContactSheet
from wsseg.report.grid import Cell


def run(arguments: argparse.Namespace) -> None:
    """Print the classes and write the pictures of each photograph; a broken one is reported, not fatal."""
    if arguments.top is not None and arguments.top < 1:
        raise InputError(f"--top must be at least 1; got {arguments.top}")
    out = arguments.out.expanduser()
    given = find_photographs(arguments.photographs, without=out, arrays=True)
    photographs = name_photographs(given)
    kinds = tuple(arguments.sheet or (["overlays"] if len(given) > 1 else ["overlays", "methods"]))
    check_sheets(kinds)
    inputs = [*given, arguments.class_names, arguments.model, arguments.weights]
    files = ExplanationFiles(out, arguments.method or ["grad_cam"], ProtectedFiles(inputs, out))
    check_folder(out, arguments.photographs)
    files.check(list(photographs), kinds)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out {out} cannot be written ({error.strerror}); choose another folder"
        ) from error
    classifier = load_classifier(
        arguments.model,
        arguments.weights,
        read_class_names(arguments.class_names),
        arguments.preprocess,
        InputOptions(
            arguments.mean,
            arguments.std,
            arguments.scale,
            arguments.bands,
            arguments.outputs,
            tuple(arguments.custom_objects or ()),
        ),
    )
    warn(classifier.remarks)
    classifier, deep, text = with_depth(classifier, photographs.values())
    said = Said()
    for path in deep:
        said.add(str(path), text)
    methods = arguments.method or ["grad_cam"]
    if is_saved_model(classifier.model) and not arguments.method:
        said.add(
            str(arguments.model), "a SavedModel has no layers that can be reached: the method is occlusion"
        )
        methods = ["occlusion"]
        files = ExplanationFiles(out, methods, files.protected)
    wanted = wanted_classes(arguments.wanted or (), classifier.names())
    for method in methods:
        explainer = classifier.explainer(method)  # what is wrong with it is wrong for every photograph
        if explainer.at_layer and explainer.grid is None:
            said.add(
                method,
                f"it is not known where in the image layer `{explainer.layer}` looks; its maps are spread evenly over "
                "the image",
            )
    check_scores(classifier, arguments.threshold)
    write_json(out / EXPLAINED_WITH, made_with(arguments, classifier, methods))
    work = Work(classifier, methods, kinds, files, said, tuple(arguments.save or ()), len(given) > 1)
    failed: list[str] = []
    lines: list[str] = []
    scores: dict[str, tuple[Path, np.ndarray]] = {}
    with ExitStack() as stack:
        stack.callback(work.finish, lines, scores)  # also when it is interrupted
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings(
            "ignore", "where the cells of layer .* look in the image is not known"
        )  # said above
        advance = stack.enter_context(bar("explaining", len(photographs)))
        for id, photograph in photographs.items():
            try:
                sight = look(
                    photograph, classifier, arguments.top, wanted, arguments.threshold, arguments.size
                )
                written = work.explain(id, photograph, sight)
            except InputError as error:
                failed.append(str(error))
                advance()
                continue
            scores[id] = photograph, sight.scores
            labels = ", ".join(caption(classifier, one) for one in sight.classes)
            lines.append(f"{photograph}: {labels}; {listed(written)}")
            advance()
    if len(failed) == len(photographs) == 1:
        raise InputError(failed[0])
    if failed:
        raise InputError(
            f"{len(failed)} of {len(photographs)} photographs left out:\n  " + "\n  ".join(failed)
        )


@dataclass
class Work:
    """What is done with each photograph, by one classifier.

    Attributes:
        classifier: The classifier.
        methods: Names of explainers.
        kinds: Kinds of pictures.
        files: The files to write.
        said: What is said at the end.
        save: Forms in which maps are saved.
        many: Whether there are several photographs, which get a contact sheet.
    """

    classifier: LoadedModel
    methods: Sequence[str]
    kinds: Sequence[str]
    files: ExplanationFiles
    said: Said
    save: Sequence[str]
    many: bool
    sheet: ContactSheet | None = None

    def __post_init__(self) -> None:
        if self.many:
            self.sheet = ContactSheet(self.files.out / CONTACT_SHEET, self.files.protected.check)

    def explain(self, id: str, photograph: Path, sight: Sight) -> list[Path]:
        """Make the maps of a photograph, and write all that is made of them; return the pictures."""
        self.said.add(str(photograph), *sight.read.remarks)
        written: list[Path] = []
        cells = [Cell(sight.image, photograph.name)]
        all_maps = {}
        for method in self.methods:
            found = maps_with_raw(sight, self.classifier, method)
            all_maps[method] = found.maps
            if self.save:
                self.files.write_maps(id, method, photograph, sight, found, self.classifier)
            overlays = self.files.overlays(id, method, sight.classes)
            for one, shown, path in zip(
                sight.classes, painted(self.classifier, method, found.maps), overlays
            ):
                empty = not shown.any()
                if empty:
                    why = why_empty(sight, self.classifier, method, one[0])
                    self.said.add(f"{photograph} ({one[1]})", f"empty map by {method}: {why}")
                title = caption(self.classifier, one) + (", empty" if empty else "")
                picture = self.files.overlay(sight.image, shown)
                cells.append(Cell(picture, title if len(self.methods) == 1 else f"{method}: {title}"))
                if OVERLAYS_SHEET in self.kinds:
                    self.files.write_overlay(path, picture)
                    written.append(path)
        kinds = [kind for kind in self.kinds if kind != OVERLAYS_SHEET]
        written += write_sheets(sight, self.classifier, kinds, all_maps, self.files, id)
        remember_pictures(self.files.out, written)
        if self.sheet is not None:
            self.sheet.add(cells)
        return written

    def finish(self, lines: Sequence[str], scores: Mapping[str, tuple[Path, np.ndarray]]) -> None:
        """Print what has been found, and write the table of scores and the contact sheet."""
        for line in lines:
            print(line)
        self.said.tell()
        if not scores:
            return
        print(
            f"scores of all classes: {self.files.write_scores(scores, self.classifier.names(), self.classifier)}"
        )
        pages = self.sheet.close() if self.sheet is not None else ()
        remember_pictures(self.files.out, pages)
        for page in pages:
            print(f"contact sheet: {page}")


def remember_pictures(out: Path, paths: Sequence[Path]) -> None:
    """Write down which files in a folder are pictures of this command, so that none is taken for a photograph."""
    names = {path.name for path in paths if path.parent == out}
    if names:
        write_json(out / EXPLAINED, {"pictures": sorted(pictures_of_explain(out) | names)})


def listed(files: Sequence[Path]) -> str:
    """Return the files in words; many in one folder are counted.

    Example:
        >>> listed([Path("a/x.jpg"), Path("a/y.jpg"), Path("a/z.jpg"), Path("a/w.jpg"), Path("b.png")])
        '4 pictures in a, b.png'
    """
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file)
    parts = []
    for folder, inside in folders.items():
        parts += [f"{len(inside)} pictures in {folder}"] if len(inside) > 3 else map(str, inside)
    return ", ".join(parts) or "no picture"


def wanted_classes(wanted: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return the classes that the user names or numbers; `all` is every class.

    Raises:
        InputError: There is no such class.
    """
    if list(wanted) == ["all"] and "all" not in names:
        return list(range(len(names)))
    return [class_index(name, names) for name in wanted]


def check_scores(classifier: LoadedModel, threshold: float | None) -> None:
    """Warn if a classifier's outputs are not known to be probabilities, or become such.

    Raises:
        InputError: There is a threshold, which is a probability.
    """
    if classifier.kind.name != "score":
        return
    ways = "--outputs softmax (one class per image), sigmoid (several) or probabilities"
    unknown = "it is not known how the model's outputs become probabilities"
    if threshold is not None:
        raise InputError(f"--threshold is a probability, and {unknown}; state {ways}")
    warn([f"{unknown}: captions and scores.csv have the outputs themselves; state {ways}"])


def made_with(
    arguments: argparse.Namespace, classifier: LoadedModel, methods: Sequence[str]
) -> dict[str, Any]:
    """Return what decides the maps and scores beside the images, for `explain.json`."""
    names = ("preprocess", "mean", "std", "scale", "size", "top", "threshold", "wanted")
    return {
        "model": str(arguments.model),
        "methods": list(methods),
        "scores": classifier.kind.described,
        "bits_of_deep_gray": classifier.reader.bits,
        **{name: getattr(arguments, name) for name in names},
    }


def check_folder(out: Path, words: Sequence[str]) -> None:
    """Fail where pictures would lie among the photographs of a folder, and be taken for photographs the next time.

    Raises:
        InputError: The message names another folder.
    """
    for word in words:
        folder = Path(word).expanduser()
        if folder.is_dir() and folder.resolve() == out.resolve():
            raise InputError(
                f"--out {out} is the folder of the photographs, where pictures would be taken for photographs the next "
                f"time; choose another folder, such as {out / 'explanations'}"
            )
