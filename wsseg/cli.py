"""The `wsseg` command: run a recipe, look at a run, segment or explain photographs, score predictions."""

import argparse
import errno
import os
import select
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from wsseg import __version__
from wsseg.commands import correct_options, explain_options, predict_options, score_options
from wsseg.commands import datasets as datasets_command
from wsseg.commands.evaluate_maps import options as evaluate_maps_options
from wsseg.errors import InputError
from wsseg.quiet_start import hide_start_up_lines
from wsseg.stages import STAGES
from wsseg.stopping import said

DESCRIPTION = """Weakly supervised semantic segmentation from image-level labels.

Options of a recipe can be given on the command line, such as `--segment.epochs 3`; `wsseg options` lists them all."""

OWN_OPTIONS = (
    "--run", "--recipe", "--predictions", "--truth", "--classes", "--mask-values", "--mask-level",
    "--prediction-values", "--panoptic", "--help",
)  # fmt: skip
"""Options of the commands that take a recipe; all others belong to the recipe."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; words it does not know are options of the recipe."""
    parser = argparse.ArgumentParser(
        prog="wsseg", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"wsseg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, function: Callable) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(function=function)
        return command

    def add_run(name: str, text: str) -> argparse.ArgumentParser:
        command = add(name, text, run_recipe)
        command.add_argument(
            "recipe",
            nargs="?",
            help="recipe in YAML, or a name of `wsseg recipes`; default: the recipe of the run folder, or the "
            "default options",
        )
        command.add_argument("--run", type=Path, help="run folder; default: runs/NAME of the recipe")
        return command

    initial = add(
        "init",
        "look at a folder of images with image-level labels, say what is in it, and write a recipe for it",
        init_recipe,
    )
    initial.add_argument("path", type=Path, metavar="PHOTOS", help="folder of the images")
    initial.add_argument("--out", type=Path, help="recipe to write; default: PHOTOS.yaml beside the folder")
    initial.add_argument(
        "--name", help="dataset that reads the folder, such as voc; default: told by its files"
    )
    add("recipes", "list the built-in recipes, whose names stand for files", show_recipes)
    add_run("run", "run all stages of a recipe that are not done")
    status = add(
        "status",
        "show the state of each stage of a run: done, stale (and why), next, or waiting",
        show_status,
    )
    status.add_argument("run", type=Path, help="run folder")
    status.add_argument(
        "--recipe",
        help="recipe to compare with, file or name; default: the recipe that the run was made with",
    )
    correct_options.add_correct_arguments(
        add(
            "correct",
            "take masks that you have corrected into a run, where they replace its pseudo-masks",
            correct_masks,
        )
    )
    correct_options.add_export_arguments(
        add(
            "export-masks",
            "write a run's masks as files to correct, for CVAT or in COCO's form",
            export_masks,
        )
    )
    predict_options.add_arguments(
        add(
            "predict",
            "write the masks that a trained segmenter predicts for photographs",
            predict_photographs,
        )
    )
    explain_options.add_arguments(
        add("explain", "explain what a classifier sees in photographs", explain_photographs)
    )
    evaluate_maps_options.add_arguments(
        add(
            "evaluate-maps",
            "measure how well the maps of explainers fit the objects and the model, on images of a dataset "
            "(--dataset.name voc --dataset.root ROOT) or of a folder",
            evaluate_maps,
        )
    )
    for name in STAGES:
        command = add_run(name, f"run the stage `{name}` alone; its inputs must be done")
        if name == "evaluate":
            command.description += "; or, with --predictions, score masks or detections from any source"
            score_options.add_arguments(command)
    options = add("options", "list the options of a recipe: type, range, default and help", show_options)
    options.add_argument("word", nargs="?", help="list only options with this word in their name or help")
    datasets_command.add_arguments(
        add(
            "datasets", "list the datasets and their options, or check the files of one", datasets_command.run
        )
    )
    imported = add(
        "import-weights",
        "convert weights of torchvision for a network of this package",
        import_file,
    )
    imported.add_argument("file", type=Path, help="state dict: .safetensors, .pth or .pt (needs PyTorch)")
    imported.add_argument(
        "--network",
        required=True,
        help="fcn_resnet50, deeplab_v3_resnet50, resnet50_torch, vgg16 ...",
    )
    imported.add_argument(
        "--out",
        type=Path,
        required=True,
        help="file to write: .keras for a segmenter, .weights.h5 for a backbone",
    )
    imported.add_argument("--classes", type=int, help="number of classes that the weights must have")
    models = add("models", "list the segmentation networks with their parameters and cost", show_models)
    models.add_argument("network", nargs="*", help="list only these networks")
    models.add_argument(
        "--backbone", action="append", help="list only networks on this backbone; may be repeated"
    )
    models.add_argument("--size", type=int, default=512, help="side of the image in pixels; default: 512")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        words: The arguments; None for the process's own.

    Returns:
        Exit status: 0 done, 2 bad input, 130 stopped by Ctrl-C (see `wsseg.stopping` for others), 141 nobody reads
        the output any more.
    """
    hide_start_up_lines()
    words = list(sys.argv[1:] if words is None else words)
    parser = build_parser()
    takes_recipe = bool(words) and words[0] in ("run", "status", *STAGES)
    own, overrides = recipe_options(words) if takes_recipe else (words, [])
    if words[:1] == ["evaluate-maps"]:
        own, overrides = recipe_options(words, evaluate_maps_options.is_own)
    arguments, unknown = parser.parse_known_args(own)
    if unknown:
        parser.error(f"unknown argument {unknown[0]}; see wsseg {arguments.command} --help")
    try:
        arguments.function(arguments, overrides)
        sys.stdout.flush()
    except BrokenPipeError:
        if not output_is_closed():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        return 141  # as a process that SIGPIPE ends
    except InputError as error:
        print(f"wsseg: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            raise
        print(
            f"wsseg: no file can be called {error.filename} ({error.strerror}); give another name",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt as stop:
        return said(stop, words)
    return 0


def output_is_closed() -> bool:
    """Return whether standard output is a pipe that nobody reads any more, as after `wsseg options | head -1`."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def recipe_options(
    words: Sequence[str], is_own: Callable[[str], bool] = lambda name: name in OWN_OPTIONS
) -> tuple[list[str], list[str]]:
    """Part the options of the recipe, values joined to them, from the command's own words.

    argparse would take the value of an option that it does not know for the recipe's file.

    Args:
        words: The arguments.
        is_own: Tells whether an option is the command's own.

    Example:
        >>> recipe_options(["run", "--segment.epochs", "3", "voc.yaml", "--run", "my run"])
        (['run', 'voc.yaml', '--run', 'my run'], ['--segment.epochs=3'])
    """
    own: list[str] = []
    options: list[str] = []
    waits = False  # for the value of the last option
    for word in words:
        name = word.split("=")[0]
        if word.startswith("--") and not is_own(name) and word != "--":
            options.append(word)
            waits = "=" not in word
        elif waits:
            options[-1] += f"={word}"
            waits = False
        else:
            own.append(word)
    return own, options


def run_recipe(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Run a recipe, or one stage of it; end with the table of scores."""
    from wsseg.commands.run import run_recipe

    run_recipe(arguments, overrides)


def show_status(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Print one line per stage."""
    from wsseg.commands.run import show_status

    show_status(arguments, overrides)


def init_recipe(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Look at a folder of photographs, and write a recipe for it."""
    from wsseg.commands.init import run

    run(arguments)


def show_recipes(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Print the names of the built-in recipes, and what each is."""
    from wsseg.recipe.built_in import listing

    print(listing())


def show_options(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Print the options of a recipe with type, range, default and help."""
    from wsseg.recipe.listing import list_options

    print(list_options(arguments.word, min(shutil.get_terminal_size((100, 24)).columns, 120)))


def show_models(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Print a line for each network and backbone as soon as it is counted."""
    from wsseg.segmenters.model_table import HEADINGS, line, rows

    print(line(HEADINGS))
    for row in rows(arguments.network, arguments.backbone or (), arguments.size):
        print(line(row), flush=True)


def import_file(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Import a file of weights; say what is in it and how to use it."""
    from wsseg.imported_weights.importing import import_weights

    done = import_weights(arguments.file, arguments.network, arguments.out, arguments.classes)
    print(f"{done.path}: {arguments.network}, {done.describe()}")


def predict_photographs(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Write a mask for each photograph."""
    from wsseg.commands.predict import run

    run(arguments)


def correct_masks(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Take corrected masks into a run, list them, or take them out."""
    from wsseg.commands.correct import run

    run(arguments)


def export_masks(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Write a run's masks in a form that other programs read."""
    from wsseg.commands.export_masks import run

    run(arguments)


def explain_photographs(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Print the top classes and write a picture for each photograph."""
    from wsseg.commands.explain import run

    run(arguments)


def evaluate_maps(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Measure the maps of several explainers on a dataset or a folder of photographs; end with a table."""
    from wsseg.recipe import load_recipe

    options = evaluate_maps_options.from_arguments(arguments)
    if options.photographs is not None and (arguments.recipe or overrides or options.split):
        raise InputError(
            "--photographs takes no dataset beside it; leave the recipe, --dataset and --split out"
        )
    recipe = load_recipe(arguments.recipe, overrides)
    from wsseg.commands.class_names import read_class_names
    from wsseg.commands.evaluate_maps.command import run

    run(options, recipe, read_class_names(options.class_names))
