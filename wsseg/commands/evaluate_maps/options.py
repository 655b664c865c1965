"""The options of `wsseg evaluate-maps`. Light: the command line reads them without TensorFlow."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

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
    """What `wsseg evaluate-maps` is asked for.

    Attributes:
        model: As of `wsseg explain`, as are `weights`, `class_names` and `preprocess`.
        methods: Explainers, or baselines: centre, edges, random.
        layer: The layer that all explainers explain, or None for their own choice.
        measures: Some of `MEASURES`, or None for all that the data allow.
        split: Of the dataset; None for the recipe's validation split.
        photographs: A folder of images without masks, in place of a dataset.
        images: How many, drawn by the seed; 0 for all.
        targets: The classes that are explained: `labels` (those of the image) or `top` (the model's first one).
        class_map: A text file that says which outputs of the model mean a class of the dataset.
        outputs: What the model gives; see `wsseg.faithfulness.Scorer`.
        batch_size: Images a pass, of perturbed images.
        seed: Of all that is random.
        tolerance: Pixels, of the pointing game.
        steps: Of insertion and deletion.
        fill: What deletion puts in the place of pixels.
        start: What insertion puts pixels into.
        shares: Of the pixels that ROAD removes.
        stages: Of parameter randomisation.
        randomised_images: Images of parameter randomisation, the first of those drawn.
        out: The JSON file.
    """

    model: str
    weights: str | None = None
    class_names: Path | None = None
    preprocess: str | None = None
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
    """Add the command's own options to its parser; those of the dataset are the recipe's."""

    def add(name: str, text: str, **options) -> None:
        default = Options.__dataclass_fields__[options.get("dest", name).replace("-", "_")].default
        if isinstance(default, (str, int, float)):
            text += f"; default: {default}"
        command.add_argument(f"--{name}", default=default, help=text, **options)

    command.add_argument("recipe", nargs="?", help="a recipe in YAML, for its dataset")
    command.add_argument("--model", required=True, help="a .keras classifier, or a keras.applications name")
    add("weights", "for a name: `imagenet`, or a weights file with the 1000-class top")
    add("class-names", "text file, one class name a line", type=Path)
    add("preprocess", "of a .keras file: none (the default), unit, tf, or a network's name")
    command.add_argument(
        "--method",
        action="append",
        help="an explainer, such as cam or rise:samples=1000, or a baseline: centre, edges, random; may be repeated; "
        "default: grad_cam",
    )
    add("layer", "explain this layer with every method")
    command.add_argument(
        "--measure",
        action="append",
        help=f"{', '.join(MEASURES)}; may be repeated; default: all that the data allow but the slow road and "
        "parameter_randomisation",
    )
    add("split", "of the dataset; default: the recipe's validation split (dataset.val)")
    add("photographs", "a folder of images without masks, in place of a dataset", type=Path)
    add("images", "how many, drawn by the seed; 0 for all", type=int)
    add("targets", "explain the image's `labels`, or the model's `top` class", choices=TARGETS)
    add(
        "class-map", "text file: `class: outputs` a line, outputs by name, number or range 151-268", type=Path
    )
    add("outputs", "what the model gives: auto, probabilities, softmax or sigmoid (to be applied)")
    add("batch-size", "perturbed images a pass", type=int)
    add("seed", "of all that is random", type=int)
    add("tolerance", "of the pointing game, pixels", type=float)
    add("steps", "of insertion and deletion", type=int)
    add("fill", "where pixels are deleted: mean, blur, black, grey, or R,G,B", type=_fill)
    add("start", "what pixels are inserted into, as --fill", type=_fill)
    add("shares", "of the pixels that ROAD removes: 0.1,0.5,0.9", type=_numbers)
    add("stages", "of parameter randomisation", type=int)
    add("randomised-images", "of parameter randomisation", type=int)
    add("out", "JSON file; a file of the same settings is continued", type=Path)


def from_arguments(arguments: argparse.Namespace) -> Options:
    """Return the options that were given.

    Raises:
        InputError: One is out of range.
    """
    given = {f.name: getattr(arguments, f.name) for f in fields(Options) if hasattr(arguments, f.name)}
    given["methods"] = tuple(arguments.method or Options.methods)
    given["measures"] = tuple(arguments.measure) if arguments.measure else None
    return Options(**given)


def is_own(name: str) -> bool:
    """Tell the command's own options from the recipe's, of which it takes those of the dataset."""
    return not name.startswith("--dataset.")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.1,0.5,0.9; got {text!r}") from None


def _fill(text: str) -> str | tuple[float, ...]:
    return _numbers(text) if "," in text else text


def chosen(options: Options, masks: bool) -> Sequence[str]:
    """Return the measures to take, in the order of `MEASURES`.

    Args:
        options: The options.
        masks: Whether there are masks to score with.

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
