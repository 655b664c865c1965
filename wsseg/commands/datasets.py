"""The command `wsseg datasets`: list the datasets and their options, check the files of one, or convert it."""

import argparse
from pathlib import Path
from typing import Any

import yaml

from wsseg.errors import InputError

CHECK = """Read a whole dataset once, and print its layout and splits, the images and pixels of each class, and every
file that is missing or broken. The exit status is 2 if a file is missing or broken."""


CONVERT = """Write a dataset of any layout as a folder of photographs or in COCO's format, to look at what was
understood, or to read it with another program. Images are copied; nothing is written over."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `list`, `check` and `convert` to the command's parser."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="list the datasets and their options", allow_abbrev=False)
    check = actions.add_parser(
        "check", help="check the files of a dataset", description=CHECK, allow_abbrev=False
    )
    _add_dataset(check, "check")
    check.add_argument(
        "--fast",
        action="store_true",
        help="list the files and the images of each class, without decoding them",
    )

    convert = actions.add_parser(
        "convert",
        help="write a dataset as a folder of photographs or in COCO's format",
        description=CONVERT,
        allow_abbrev=False,
    )
    _add_dataset(convert, "write")
    convert.add_argument(
        "--to",
        required=True,
        help="folder (images, labels.csv, classes.txt, masks) or coco (images and a JSON file per split)",
    )
    convert.add_argument(
        "--out", type=Path, required=True, help="folder to write; it must not exist, or be empty"
    )
    convert.add_argument(
        "--gray-range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="values of deep gray images that become 0 and 255, such as 0 4095 of 12 bits",
    )


def _add_dataset(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument("path", type=Path, help="the dataset's folder")
    parser.add_argument(
        "--name", help="name of the dataset's reader, such as voc; default: detected from the files"
    )
    parser.add_argument("--split", action="append", help=f"split to {verb}; may be repeated; default: all")
    parser.add_argument("--classes", nargs="+", help="names of the classes to use; default: all")
    parser.add_argument(
        "--option", action="append", metavar="KEY=VALUE", help="option of the dataset; may be repeated"
    )


def run(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Run the action that the arguments name.

    Raises:
        InputError: An option is wrong, or something is wrong with the dataset.
    """
    if arguments.action == "list":
        from wsseg.datasets.listing import listing

        print(listing())
        return
    options = dataset_options(arguments.option or ())
    if arguments.classes:
        options["classes"] = arguments.classes
    root = arguments.path.expanduser()
    if arguments.action == "convert":
        from wsseg.datasets.convert import convert

        values = None if arguments.gray_range is None else tuple(arguments.gray_range)
        out = arguments.out.expanduser()
        convert(root, arguments.to, out, arguments.name, arguments.split, options, values)
        return
    from wsseg.datasets.check import check

    check(root, arguments.name, arguments.split, options, arguments.fast)


def dataset_options(words: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """Return `KEY=VALUE` words as a dictionary. The values are read as YAML.

    Raises:
        InputError: A word has no `=`, or its value is not YAML.

    Example:
        >>> dataset_options(["form=33", "labels=csv", "difficult=false"])
        {'form': 33, 'labels': 'csv', 'difficult': False}
    """
    options = {}
    for word in words:
        key, equals, value = word.partition("=")
        try:
            options[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date of no meaning
            raise InputError(f"--option {word}: the value cannot be read ({error})") from error
        if not (key and equals):
            raise InputError(f"--option {word} must be KEY=VALUE, such as --option labels=masks")
    return options
