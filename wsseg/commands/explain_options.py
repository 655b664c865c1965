"""Options of `wsseg explain`. It imports nothing heavy: every command line reads it."""

import argparse
from pathlib import Path


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options to a command."""
    command.add_argument("photographs", nargs="+", type=Path, metavar="PHOTO", help="image files")
    command.add_argument(
        "--model",
        required=True,
        help="run folder (its classifier), path of a .keras classifier, or name of a keras.applications network",
    )
    command.add_argument(
        "--weights",
        help="weights of a network given by name: `imagenet`, or a weights file with the 1000-class top",
    )
    command.add_argument(
        "--method",
        action="append",
        help="name of an explainer, such as cam or rise:samples=1000; may be repeated; default: grad_cam",
    )
    command.add_argument(
        "--top", type=int, default=3, help="number of classes to explain, the most likely first; default: 3"
    )
    command.add_argument(
        "--class",
        action="append",
        dest="wanted",
        help="name of a class to explain instead of the most likely ones; may be repeated",
    )
    command.add_argument("--class-names", type=Path, help="text file with one class name per line")
    command.add_argument(
        "--preprocess",
        help="preprocessing that a .keras file expects: none (the default), unit, tf, or the name of a network",
    )
    command.add_argument(
        "--sheet",
        action="append",
        help="kind of picture: methods, classes, scales or features (channels of the layer); may be repeated; "
        "default: methods",
    )
    command.add_argument("--out", type=Path, default=Path("explanations"), help="folder for the pictures")
