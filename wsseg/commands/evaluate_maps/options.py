"""The options of `wsseg evaluate-maps`. The command line reads them without importing TensorFlow."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from wsseg.commands import input_options
from wsseg.errors import InputError, nearest

LOCALISATION = ("max_box_acc", "pxap", "pointing_game", "energy_pointing_game")
"""Measures that need masks."""
MEASURES = (
    *LOCALISATION,
    "sparseness",
    "insertion_deletion",
    "average_drop",
    "road",
    "parameter_randomisation",
)
"""All measures, in the order of the table."""
TARGETS = ("labels", "top")


@dataclass(frozen=True)
class Options:
    """Options of `wsseg evaluate-maps`.

    Attributes:
        model: Model to explain, see `wsseg explain`.
        weights: Weights of the model, see `wsseg explain`.
        class_names: Text file with the names of the model's outputs, see `wsseg explain`.
        preprocess: Preprocessing of the model's input, see `wsseg explain`.
        mean: Means to subtract, see `wsseg explain`.
        std: Deviations to divide by, see `wsseg explain`.
        scale: Number that stored values are multiplied by, see `wsseg explain`.
        custom_objects: Classes and functions that the model file needs, see `wsseg explain`.
        methods: Names of explainers, or of baselines: centre, edges, random.
        layer: Layer that all explainers explain, or None for each explainer's default.
        measures: Names from `MEASURES`, or None for all that the data allow, except the slow ones.
        split: Split of the dataset; None for the recipe's validation split.
        photographs: Folder of images without masks, instead of a dataset.
        images: Number of images, drawn by the seed; 0 for all.
        targets: Classes that are explained: `labels` (the image's labels) or `top` (the model's most likely class).
        class_map: Text file that names the model's outputs for each class of the dataset.
        outputs: Kind of the model's outputs, see `wsseg.faithfulness.Scorer`.
        batch_size: Number of perturbed images per forward pass.
        seed: Random seed of the drawn images and of all measures.
        tolerance: Tolerance of the pointing game, pixels.
        steps: Number of steps of insertion and deletion.
        fill: Fill of deleted pixels.
        start: Image into which insertion inserts pixels.
        shares: Shares of the pixels that ROAD removes.
        stages: Number of stages of parameter randomisation.
        randomised_images: Number of images for parameter randomisation: the first of the drawn images.
        out: JSON file of the results.
    """

    model: str
    weights: str | None = None
    class_names: Path | None = None
    preprocess: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: float | None = None
    custom_objects: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("grad_cam",)
    layer: str | None = None
    measures: tuple[str, ...] | None = None
    split: str | None = None
    photographs: Path | None = None
    images: int = 100
    targets: str = "labels"
    class_map: Path | None = None
    outputs: str = "auto"
    batch_size: int = 16
    seed: int = 0
    tolerance: float = 15.0
    steps: int = 50
    fill: str | tuple[float, ...] = "mean"
    start: str | tuple[float, ...] = "blur"
    shares: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    stages: int = 5
    randomised_images: int = 20
    out: Path = Path("maps.json")

    def __post_init__(self) -> None:
        for name in ("images", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name} must be a whole number from 0; got {getattr(self, name)}")
        if self.randomised_images < 1:
            raise InputError(f"--randomised-images must be at least 1; got {self.randomised_images}")
        for measure in self.measures or ():
            if measure not in MEASURES:
                raise InputError(
                    f"--measure {measure}: there is no such measure; {nearest(measure, MEASURES)}"
                )
        for option in ("methods", "measures"):
            given = getattr(self, option) or ()
            if repeated := next((name for name in given if given.count(name) > 1), None):
                raise InputError(f"--{option.rstrip('s')} {repeated} is given twice; give it once")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the command's own options to its parser. The options of the dataset come from the recipe."""

    def add(name: str, text: str, **options) -> None:
        default = Options.__dataclass_fields__[options.get("dest", name).replace("-", "_")].default
        if isinstance(default, (str, int, float)):
            text += f"; default: {default}"
        command.add_argument(f"--{name}", default=default, help=text, **options)

    command.add_argument(
        "recipe", nargs="?", help="recipe that names the dataset: a YAML file, or a name of `wsseg recipes`"
    )
    command.add_argument(
        "--model",
        required=True,
        help="a run folder, .keras or .h5 classifier, SavedModel folder, or keras.applications name",
    )
    add("weights", "weights for a keras.applications name: `imagenet`, or a file with the 1000-class top")
    add("class-names", "text file with one class name per line", type=Path)
    add("preprocess", input_options.PREPROCESS)
    input_options.add_arguments(command, pictures=False)
    command.add_argument(
        "--method",
        action="append",
        help="explainer, such as cam or rise:samples=1000, or baseline: centre, edges, random; may be repeated; "
        "default: grad_cam",
    )
    add("layer", "layer that all explainers explain; default: each explainer's own")
    command.add_argument(
        "--measure",
        action="append",
        help=f"measure: {', '.join(MEASURES)}; may be repeated; default: all that the data allow, except the slow road "
        "and parameter_randomisation",
    )
    add("split", "split of the dataset; default: the recipe's validation split (dataset.val)")
    add("photographs", "folder of images without masks, instead of a dataset", type=Path)
    add("images", "number of images, drawn by the seed; 0 for all", type=int)
    add(
        "targets",
        "classes to explain: the image's `labels`, or the model's most likely class (`top`)",
        choices=TARGETS,
    )
    add(
        "class-map",
        "text file with one line `class: outputs` per class; outputs by name, number or range such as 151-268",
        type=Path,
    )
    add("outputs", "kind of the model's outputs: auto, probabilities, or logits for softmax or sigmoid")
    add("batch-size", "number of perturbed images per forward pass", type=int)
    add("seed", "random seed of the drawn images and of all measures", type=int)
    add("tolerance", "tolerance of the pointing game, pixels", type=float)
    add("steps", "number of steps of insertion and deletion", type=int)
    add("fill", "fill of deleted pixels: mean, blur, black, grey, or R,G,B", type=_fill)
    add("start", "image into which pixels are inserted; values as for --fill", type=_fill)
    add("shares", "shares of the pixels that ROAD removes, such as 0.1,0.5,0.9", type=_numbers)
    add("stages", "number of stages of parameter randomisation", type=int)
    add("randomised-images", "number of images for parameter randomisation", type=int)
    add("out", "JSON file of the results; an existing file with the same settings is continued", type=Path)


def from_arguments(arguments: argparse.Namespace) -> Options:
    """Return the options that the user gave.

    Raises:
        InputError: An option is out of range.
    """
    given = {f.name: getattr(arguments, f.name) for f in fields(Options) if hasattr(arguments, f.name)}
    given["methods"] = tuple(arguments.method or Options.methods)
    given["custom_objects"] = tuple(arguments.custom_objects or ())
    given["measures"] = tuple(arguments.measure) if arguments.measure else None
    return Options(**given)


def is_own(name: str) -> bool:
    """Return whether an option is the command's own. Of the recipe's options, it takes only `--dataset.*`."""
    return not name.startswith("--dataset.")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.1,0.5,0.9; got {text!r}") from None


def _fill(text: str) -> str | tuple[float, ...]:
    return _numbers(text) if "," in text else text


def chosen(options: Options, masks: bool) -> Sequence[str]:
    """Return the measures to compute, in the order of `MEASURES`.

    Args:
        options: Options of the command.
        masks: Whether the data have masks.

    Raises:
        InputError: A measure needs masks and there are none.
    """
    if options.measures is None:
        slow = ("road", "parameter_randomisation")
        return [name for name in MEASURES if name not in slow and (masks or name not in LOCALISATION)]
    for name in options.measures:
        if name in LOCALISATION and not masks:
            raise InputError(
                f"--measure {name} needs masks, and there are none; give a dataset that has some, or one of "
                f"{', '.join(m for m in MEASURES if m not in LOCALISATION)}"
            )
    return [name for name in MEASURES if name in options.measures]
