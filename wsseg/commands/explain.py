"""`wsseg explain`: what a classifier sees in photographs, as pictures."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from wsseg.artifacts import write_json
from wsseg.commands.class_names import read_class_names
from wsseg.commands.photographs import load_classifier, look
from wsseg.commands.sheets import write_sheets
from wsseg.datasets.visible_files import pictures_of_explain
from wsseg.errors import InputError
from wsseg.file_names import EXPLAINED
from wsseg.image_files import check_image


def run(arguments: argparse.Namespace) -> None:
    """Print the top classes and write a picture for each photograph; a broken one is reported, not fatal."""
    if arguments.top < 1:
        raise InputError(f"--top must be at least 1; got {arguments.top}")
    check_overwriting(arguments.photographs, arguments.out)
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out {arguments.out} cannot be written ({error.strerror}); choose another folder"
        ) from error
    classifier = load_classifier(
        arguments.model, arguments.weights, read_class_names(arguments.class_names), arguments.preprocess
    )
    methods = arguments.method or ["grad_cam"]
    for method in methods:
        classifier.explainer(method)  # what is wrong with it is wrong for every photograph
    failed: list[str] = []
    taken: set[str] = set()
    for photograph in arguments.photographs:
        try:
            check_image(photograph, minimum_side=1)
        except InputError as error:
            failed.append(str(error))
            continue
        sight = look(photograph, classifier, arguments.top, arguments.wanted or ())
        name = photograph.stem
        while name in taken:  # photographs of one name from several folders
            name += "_"
        taken.add(name)
        kinds = arguments.sheet or ["methods"]
        paths = write_sheets(sight, classifier, kinds, methods, arguments.out, name)
        remember_pictures(arguments.out, paths)
        labels = ", ".join(f"{label} {score:.2f}" for _, label, score in sight.classes)
        print(f"{photograph}: {labels}; {', '.join(map(str, paths))}")
    if len(failed) == len(arguments.photographs) == 1:
        raise InputError(failed[0])
    if failed:
        raise InputError(
            f"{len(failed)} of {len(arguments.photographs)} photographs left out:\n  " + "\n  ".join(failed)
        )


def remember_pictures(out: Path, paths: Sequence[Path]) -> None:
    """Write down which files in a folder are pictures of this command, so that none is taken for a photograph."""
    names = sorted(pictures_of_explain(out) | {path.name for path in paths})
    write_json(out / EXPLAINED, {"pictures": names})


def check_overwriting(photographs: Sequence[Path], out: Path) -> None:
    """Raise an error if a picture could take the place of a photograph; pictures are PNG files.

    Raises:
        InputError: The message names the photograph and another folder.
    """
    for photograph in photographs:
        if photograph.suffix.lower() == ".png" and photograph.parent.resolve() == out.resolve():
            raise InputError(
                f"--out {out} is the folder of {photograph}, which a picture of that name would overwrite; choose "
                f"another folder, such as {out / 'explanations'}"
            )
