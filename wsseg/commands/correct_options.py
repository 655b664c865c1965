"""Options of `wsseg correct` and `wsseg export-masks`. It imports nothing heavy: every command line reads it."""

import argparse
from pathlib import Path


def add_correct_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of `wsseg correct` to a command."""
    command.add_argument("run", type=Path, metavar="RUN", help="run folder")
    command.add_argument(
        "sources",
        nargs="*",
        type=Path,
        metavar="MASKS",
        help="corrected masks: files ID.png, folders of them, CVAT's `Segmentation mask 1.1` (zip or folder), or a "
        "COCO annotation file (.json); masks that are still as the run made them are left out",
    )
    command.add_argument(
        "--edited", action="store_true", help="take the masks that were edited in the run folder itself"
    )
    command.add_argument(
        "--show", action="store_true", help="list the classes with their colours, and the corrected masks"
    )
    command.add_argument(
        "--undo", nargs="+", metavar="ID", help="take corrected masks of these images out again"
    )
    command.add_argument(
        "--all", action="store_true", help="also take masks that are as the run made them, as found right"
    )
    command.add_argument(
        "--unknown",
        choices=("refuse", "ignore"),
        default="refuse",
        help="pixels whose colour is no class's, as on smoothed edges: refuse the mask, or ignore (they become 255); "
        "default: refuse",
    )
    command.add_argument(
        "--empty",
        action="store_true",
        help="take images that a CVAT or COCO file lists without any object as all background; else they are left out",
    )


def add_export_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of `wsseg export-masks` to a command."""
    command.add_argument("run", type=Path, metavar="RUN", help="run folder whose masks are made")
    command.add_argument(
        "--format",
        choices=("png", "cvat", "coco"),
        required=True,
        help="png: a folder of ID.png in the palette of PASCAL VOC; cvat: a zip file in CVAT's form `Segmentation mask "
        "1.1`; coco: one JSON file with run lengths",
    )
    command.add_argument("--out", type=Path, required=True, help="folder or file to write; it must not exist")
    command.add_argument("--only", nargs="+", metavar="ID", help="ids of the images; default: all")
