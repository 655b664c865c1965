"""Options of `wsseg explain`. It imports nothing heavy: every command line reads it."""

import argparse
from pathlib import Path

from wsseg.commands import input_options


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options to a command."""
    command.epilog = (
        "An image is resized to the model's input size; overlays and saved maps have the image's own size. Pictures "
        "are read as keras.utils.load_img reads them (the alpha channel is dropped), but upright (EXIF), and gray "
        "values of 16 bits are scaled; a classifier of wsseg gets its images as in its training. A model of other "
        "than 1, 3 or 4 channels takes TIFF stacks and .npy arrays (height, width, channels)."
    )
    command.add_argument(
        "photographs",
        nargs="+",
        metavar="PHOTO",
        help="image files, folders of images (without their subfolders), or patterns such as 'photos/**/*.png'; .npy "
        "arrays too",
    )
    command.add_argument(
        "--model",
        required=True,
        help="run folder (its classifier), .keras or .h5 file of a classifier, SavedModel folder (methods without "
        "layers), or name of a keras.applications network",
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
        "--top",
        type=int,
        help="largest number of classes to explain, the most likely first; default: 3, or all above the threshold if "
        "an image may have several classes (sigmoid)",
    )
    command.add_argument(
        "--threshold",
        type=float,
        help="lowest probability of a class to explain; if no class has it, the most likely one is explained; default: "
        "0.5 if an image may have several classes, else none",
    )
    command.add_argument(
        "--class",
        action="append",
        dest="wanted",
        help="name or number of a class to explain whatever its probability, or `all`; may be repeated",
    )
    command.add_argument(
        "--class-names",
        type=Path,
        help="text file with one class name per line, or CSV or JSON file with names, or with numbers and names",
    )
    command.add_argument(
        "--outputs",
        default="auto",
        help="what the model gives: auto, probabilities, or logits for softmax or sigmoid; default: auto",
    )
    command.add_argument("--preprocess", help=input_options.PREPROCESS)
    input_options.add_arguments(command)
    command.add_argument(
        "--size",
        type=input_options.input_side,
        help="input size for a model that takes any: the long side (both are rounded to multiples of 32), or exactly "
        "HEIGHTxWIDTH; default: 448",
    )
    command.add_argument(
        "--sheet",
        action="append",
        help="kind of picture: overlays (one per class), methods, classes, scales or features (channels of the layer); "
        "may be repeated; default: overlays, and methods for a single photograph",
    )
    command.add_argument(
        "--save",
        action="append",
        choices=("npz",),
        help="also save the maps as arrays: maps/ID.npz, at the image's size and as the method makes them",
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("explanations"),
        help="folder for the pictures, scores.csv (all images and classes), and contact_sheet.jpg for several images; "
        "default: explanations",
    )
