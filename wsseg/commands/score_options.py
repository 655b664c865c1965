"""Options of `wsseg evaluate` that score files from any source; it imports nothing heavy, as all commands read it."""

import argparse
from pathlib import Path


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options to the command."""
    command.add_argument(
        "--predictions",
        type=Path,
        help="folder of predicted masks, ID.png; or detections: a COCO results file, or a folder with "
        "one file per image",
    )
    command.add_argument(
        "--truth",
        type=Path,
        help="folder of true masks, ID.png; for detections, a COCO annotation file",
    )
    command.add_argument(
        "--panoptic",
        action="store_true",
        help="score segments: predictions and truth are files in COCO's panoptic format, each with its folder "
        "of PNGs beside it",
    )
    command.add_argument(
        "--classes", nargs="+", help="names of the foreground classes of masks, for ids 1, 2, ..."
    )
    command.add_argument(
        "--mask-values",
        nargs="+",
        metavar="VALUE=CLASS",
        help="meaning of the values of true masks that are no ids: 255=cat, 0=road 1=car, 7=ignore",
    )
    command.add_argument(
        "--mask-level",
        type=int,
        metavar="LEVEL",
        help="of masks of one class as gray levels: pixels above this level (0 to 254) belong to it",
    )
    command.add_argument(
        "--prediction-values",
        nargs="+",
        metavar="VALUE=CLASS",
        help="meaning of the values of predicted masks that are no ids",
    )
