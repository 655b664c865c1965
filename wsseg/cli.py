"""The `wsseg` command: run a recipe, look at a run, explain a photograph, score predictions."""

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from wsseg.commands import datasets as datasets_command
from wsseg.commands.evaluate_maps import options as evaluate_maps_options
from wsseg.errors import InputError
from wsseg.file_names import OWNER, PAGE
from wsseg.stages import STAGES, plan

DESCRIPTION = """Weakly supervised semantic segmentation from image-level labels.

Every option of a recipe can be given after it, such as `--segment.epochs 3`; `wsseg options` lists them."""

OWN_OPTIONS = ("--run", "--recipe", "--predictions", "--truth", "--classes", "--help")
"""Of the commands that take a recipe; all others are the recipe's."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; words it does not know are options of the recipe."""
    parser = argparse.ArgumentParser(
        prog="wsseg", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str, function: Callable) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(function=function)
        return command

    def add_run(name: str, text: str) -> argparse.ArgumentParser:
        command = add(name, text, run_recipe)
        command.add_argument(
            "recipe", nargs="?", help="a recipe in YAML; without one, the run folder's, or the defaults"
        )
        command.add_argument("--run", type=Path, help="run folder; default: runs/NAME of the recipe")
        return command

    add_run("run", "run all stages of a recipe that are not done")
    status = add(
        "status", "show where each stage of a run stands: done, stale (and why), or next", show_status
    )
    status.add_argument("run", type=Path, help="a run folder")
    status.add_argument("--recipe", help="compare with this recipe instead of the one the run was made with")
    explain = add("explain", "explain what a classifier sees in photographs", explain_photographs)
    explain.add_argument("photographs", nargs="+", type=Path, metavar="PHOTO")
    explain.add_argument("--model", required=True, help="a .keras classifier, or a keras.applications name")
    explain.add_argument(
        "--weights", help="for a name: `imagenet`, or a weights file with the 1000-class top"
    )
    explain.add_argument(
        "--method",
        action="append",
        help="an explainer, such as cam or rise:samples=1000; may be repeated; default: grad_cam",
    )
    explain.add_argument(
        "--top", type=int, default=3, help="how many classes, the likeliest first; default: 3"
    )
    explain.add_argument(
        "--class", action="append", dest="wanted", help="explain this class instead; may be repeated"
    )
    explain.add_argument("--class-names", type=Path, help="text file, one class name a line")
    explain.add_argument(
        "--preprocess", help="of a .keras file: none (the default), unit, tf, or a network's name"
    )
    explain.add_argument(
        "--sheet",
        action="append",
        help="methods, classes, scales or features (of each layer's channels); may be repeated; default: methods",
    )
    explain.add_argument("--out", type=Path, default=Path("explanations"), help="folder for the pictures")
    evaluate_maps_options.add_arguments(
        add(
            "evaluate-maps",
            "measure how well explainers' maps fit the objects and the model; the images are of a dataset "
            "(--dataset.name voc --dataset.root ROOT) or a folder of photographs",
            evaluate_maps,
        )
    )
    for name in STAGES:
        command = add_run(name, f"run the stage `{name}` alone; its inputs must be done")
        if name == "evaluate":
            command.description += "; or, with --predictions, score masks or detections made by anybody"
            command.add_argument(
                "--predictions",
                type=Path,
                help="folder of predicted masks, ID.png; or detections: a COCO results file, or a folder of "
                "one file an image",
            )
            command.add_argument(
                "--truth",
                type=Path,
                help="folder of true masks, ID.png; of detections, a COCO annotation file",
            )
            command.add_argument(
                "--classes", nargs="+", help="foreground class names of masks, for ids 1, 2, ..."
            )
    options = add("options", "list the options of a recipe: type, range, default and help", show_options)
    options.add_argument("word", nargs="?", help="only options with this in their name or help")
    datasets_command.add_arguments(
        add("datasets", "list the datasets and their options, or check one's files", datasets_command.run)
    )
    imported = add("import-weights", "turn torchvision's weights into a file to start from", import_file)
    imported.add_argument("file", type=Path, help="a state dict: .safetensors, .pth or .pt (needs PyTorch)")
    imported.add_argument(
        "--network", required=True, help="fcn_resnet50, deeplab_v3_resnet50, resnet50_torch, vgg16 ..."
    )
    imported.add_argument(
        "--out", type=Path, required=True, help="a segmenter's .keras file, or a backbone's .weights.h5"
    )
    imported.add_argument("--classes", type=int, help="fail unless the weights are for this many classes")
    models = add("models", "list the segmentation networks and what each costs", show_models)
    models.add_argument("network", nargs="*", help="only these networks")
    models.add_argument("--backbone", action="append", help="only on this backbone; may be repeated")
    models.add_argument("--size", type=int, default=512, help="side of the image in pixels; default: 512")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        words: The arguments; None for the process's own.

    Returns:
        Exit status: 0 done, 2 bad input, 130 interrupted.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
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
    except InputError as error:
        print(f"wsseg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nwsseg: stopped; nothing is lost, resume with: wsseg {shlex.join(words)}", file=sys.stderr)
        return 130
    return 0


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
    from wsseg.commands.score_masks import score_folders
    from wsseg.commands.score_objects import score_instances
    from wsseg.engine import run as engine
    from wsseg.engine import run_folder
    from wsseg.recipe import load_recipe
    from wsseg.stages.evaluate.score_table import print_table

    only = None if arguments.command == "run" else arguments.command
    if only == "evaluate" and (arguments.predictions or arguments.truth or arguments.classes):
        if arguments.recipe or overrides:
            raise InputError(
                "--predictions takes no recipe and no recipe options; give --truth and --classes"
            )
        if arguments.truth and arguments.truth.suffix == ".json":
            score_instances(arguments.predictions, arguments.truth, arguments.classes)
            return
        score_folders(arguments.predictions, arguments.truth, arguments.classes)
        return
    source = (arguments.recipe, overrides)
    if arguments.recipe is None and arguments.run is not None and (arguments.run / OWNER).exists():
        source = run_folder.source_of(arguments.run, overrides)
    recipe = load_recipe(*source)
    run = arguments.run or Path("runs") / recipe.name
    engine.run(recipe, run, only, source=source)
    if only in (None, "evaluate"):
        print_table(run)
    if "report" in plan(recipe) and only in (None, "report"):
        print(f"report: {(run / STAGES['report'].folder / PAGE).resolve()}")


def show_status(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Print a line a stage."""
    from wsseg.engine import run as engine
    from wsseg.engine import run_folder
    from wsseg.recipe import load_recipe

    if arguments.recipe:
        recipe = load_recipe(arguments.recipe, overrides)
    else:
        recipe = load_recipe(*run_folder.source_of(arguments.run, overrides))
    for state in engine.states(recipe, arguments.run):
        why = f"  ({state.why})" if state.why else ""
        print(f"{state.stage:<10} {state.status}{why}")


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


def explain_photographs(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Print the top classes and write a picture for each photograph; a broken one is reported, not fatal."""
    from wsseg.commands.photographs import load_classifier, look
    from wsseg.commands.sheets import write_sheets
    from wsseg.image_files import check_image

    if arguments.top < 1:
        raise InputError(f"--top must be at least 1; got {arguments.top}")
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
        labels = ", ".join(f"{label} {score:.2f}" for _, label, score in sight.classes)
        print(f"{photograph}: {labels}; {', '.join(map(str, paths))}")
    if len(failed) == len(arguments.photographs) == 1:
        raise InputError(failed[0])
    if failed:
        raise InputError(
            f"{len(failed)} of {len(arguments.photographs)} photographs left out:\n  " + "\n  ".join(failed)
        )


def evaluate_maps(arguments: argparse.Namespace, overrides: list[str]) -> None:
    """Measure the maps of several explainers on a dataset or a folder of photographs; end with a table."""
    from wsseg.recipe import load_recipe

    options = evaluate_maps_options.from_arguments(arguments)
    if options.photographs is not None and (arguments.recipe or overrides or options.split):
        raise InputError(
            "--photographs takes no dataset beside it; leave the recipe, --dataset and --split out"
        )
    recipe = load_recipe(arguments.recipe, overrides)
    from wsseg.commands.evaluate_maps.command import run

    run(options, recipe, read_class_names(options.class_names))


def read_class_names(path: Path | None) -> list[str] | None:
    """Read one class name a line.

    Raises:
        InputError: The file can't be read.
    """
    if path is None:
        return None
    try:
        return path.read_text().strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--class-names {path} cannot be read ({error}); give a text file, one name a line"
        ) from error
