"""Options of `wsseg predict`. It imports nothing heavy: every command line reads it."""

import argparse
from pathlib import Path


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options to a command."""
    command.add_argument(
        "model", metavar="RUN_OR_MODEL", help="run folder (its segmenter), or path of a .keras segmenter"
    )
    command.add_argument(
        "photographs",
        nargs="+",
        metavar="PHOTO",
        help="image files, folders of images (without their subfolders), or patterns such as 'photos/**/*.jpg'",
    )
    command.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for the masks ID.png, classes.txt and shares.csv (share of the pixels of each class); masks "
        "that are there already are kept",
    )
    command.add_argument(
        "--overlay", action="store_true", help="also write overlays/ID.jpg: the mask over the gray photograph"
    )
    command.add_argument(
        "--probabilities",
        action="store_true",
        help="also write ID.npz: `probabilities`, (height, width, classes) float16, and `classes`",
    )
    command.add_argument(
        "--labels",
        nargs="+",
        metavar="NAME",
        help="names of the only classes that may be predicted beside the background; default: all",
    )
    command.add_argument(
        "--crf",
        choices=("as_run", "none"),
        default="as_run",
        help="dense CRF: as_run, as the run's recipe says (a .keras file has none); or none; default: as_run",
    )
