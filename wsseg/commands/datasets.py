"""The command `wsseg datasets`: list the datasets and their options, or check the files of one."""

import argparse
from pathlib import Path
from typing import Any

import yaml

from wsseg.errors import InputError

CHECK = """Read a whole dataset once, and print its layout and splits, the images and pixels of each class, and every
file that is missing or broken. The exit status is 2 if a file is missing or broken."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `list` and `check` to the command's parser."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="list the datasets and their options", allow_abbrev=False)
    check = actions.add_parser(
        "check", help="check the files of a dataset", description=CHECK, allow_abbrev=False
    )
    check.add_argument("path", type=Path, help="the dataset's folder")
    check.add_argument(
        "--name", help="name of the dataset's reader, such as voc; default: detected from the files"
    )
    check.add_argument("--split", action="append", help="split to check; may be repeated; default: all")
    check.add_argument("--classes", nargs="+", help="names of the classes to use; default: all")
    check.add_argument(
        "--option", action="append", metavar="KEY=VALUE", help="option of the dataset; may be repeated"
    )
    check.add_argument(
        "--fast",
        action="store_true",
        help="list the files and the images of each class, without decoding them",
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
    from wsseg.datasets.check import check

    options = dataset_options(arguments.option or ())
    if arguments.classes:
        options["classes"] = arguments.classes
    check(arguments.path.expanduser(), arguments.name, arguments.split, options, arguments.fast)


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
        except yaml.YAMLError as error:
            raise InputError(f"--option {word}: the value cannot be read ({error})") from error
        if not (key and equals):
            raise InputError(f"--option {word} must be KEY=VALUE, such as --option labels=masks")
    return options
