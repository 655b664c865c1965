"""Evaluate the maps of several explainers on the same images, and write the results after each explainer."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np

from wsseg import explainers
from wsseg.artifacts import digest, read_json, write_json
from wsseg.commands.classifiers import LoadedModel, check_method
from wsseg.commands.evaluate_maps.class_outputs import class_outputs
from wsseg.commands.evaluate_maps.measures import COLUMNS, Measures
from wsseg.commands.evaluate_maps.options import LOCALISATION, Options, chosen
from wsseg.commands.evaluate_maps.samples import Samples, draw, gather, photographs
from wsseg.commands.gray_depth import with_depth
from wsseg.commands.load_classifier import InputOptions, load_classifier, warn
from wsseg.commands.photographs import ANY_SIZE
from wsseg.commands.protected_files import ProtectedFiles
from wsseg.engine.definitions import weights_fingerprint
from wsseg.engine.run import versions
from wsseg.errors import InputError, nearest
from wsseg.explainers import as_text
from wsseg.faithfulness import ParameterRandomisation, Scorer
from wsseg.faithfulness.baselines import BASELINES
from wsseg.faithfulness.parameter_randomisation import Method
from wsseg.progress import bar
from wsseg.recipe import Recipe
from wsseg.supervision.splits import Splits


def run(options: Options, recipe: Recipe, class_names: list[str] | None = None) -> dict[str, Any]:
    """Evaluate every method; write the JSON file after each method, and print the table at the end.

    Methods that are already in the file, with the same settings, are not measured again.

    Args:
        options: Options of the command.
        recipe: Recipe that names the dataset; not used if `options.photographs` is given.
        class_names: Names of the model's outputs, or None.

    Returns:
        Content of the file: `settings`, `images`, `set_aside`, `versions`, and `methods`: name -> measures.

    Raises:
        InputError: An option is wrong, no image can be used, or the file has results of other settings.
    """
    _check_out(options.out)
    inputs = [options.model, options.weights, options.class_names, options.class_map]
    ProtectedFiles(inputs, options.out).check(options.out)
    more = InputOptions(
        options.mean, options.std, options.scale, None, options.outputs, options.custom_objects
    )
    classifier = load_classifier(options.model, options.weights, class_names, options.preprocess, more)
    warn(classifier.remarks)
    scorer = Scorer(classifier.model, classifier.preprocess, options.batch_size, classifier.scorer_outputs)
    for name in options.methods:
        _method(name, classifier, options.layer)  # an error here would occur for every image
    dataset = records = outputs = None
    if options.photographs is not None:
        records = photographs(options.photographs)
        if options.targets != "top":
            options = dataclasses.replace(options, targets="top")  # photographs have no labels
    else:
        dataset = Splits(recipe).open(options.split or recipe.dataset.val, masks=True)
        records = list(dataset)
    masked = [record for record in records if record.mask is not None]
    names = chosen(options, bool(masked))
    localised = bool(set(names) & set(LOCALISATION))
    Measures(names, options, scorer)  # built only to check the options, as is the next object
    if "parameter_randomisation" in names:
        ParameterRandomisation(classifier.model, lambda model: None, options.stages, options.seed)
    if options.targets == "labels":
        side_hw = [side or ANY_SIZE for side in scorer.size_hw]
        count = scorer([np.full((*side_hw, classifier.channels), 127, np.float32)]).shape[1]
        outputs = class_outputs(dataset.classes, count, classifier.class_names, options.class_map)
    drawn = draw(masked if localised else records, options.images, options.seed)
    classifier, deep, text = with_depth(classifier, (record.image for record in drawn))
    warn([f"{deep[0]}: {text}"] if deep else [])
    samples = gather(drawn, scorer, outputs, classifier, dataset if localised else None)
    settings = _settings(options, recipe, scorer, names, samples)
    content = _earlier(options.out, settings) or {
        "settings": settings,
        "images": _counts(samples, len(records), localised)
        | {"set_aside_by_the_dataset": 0 if dataset is None else len(dataset.set_aside)},
        "set_aside": samples.set_aside,
        "versions": versions(),
        "methods": {},
    }
    for id, reason in samples.set_aside.items():
        print(f"set aside: {id}: {reason}")
    for name in options.methods:
        if name in content["methods"]:
            print(f"{name}: measured before, see {options.out}")
            continue
        content["methods"][name] = _measure(name, options, names, classifier, scorer, samples)
        write_json(options.out, content)
    write_json(options.out, content)
    print_table(content)
    print(f"{options.out}: {content['images']['maps']} maps of {content['images']['used']} images per method")
    return content


def _measure(
    name: str,
    options: Options,
    names: list[str],
    classifier: LoadedModel,
    scorer: Scorer,
    samples: Samples,
) -> dict[str, Any]:
    """Measure one method on all samples. An image for which the method cannot make a map is set aside for it."""
    start = time.monotonic()
    method = _method(name, classifier, options.layer)
    measures, set_aside = Measures(names, options, scorer), {}
    localised = bool(set(names) & set(LOCALISATION))
    if set(names) != {"parameter_randomisation"}:
        with bar(name, len(samples.items)) as advance:
            for sample in samples.items:
                try:
                    image = samples.image(sample)
                    places = samples.places(sample) if localised else []
                    maps = np.asarray(
                        method(classifier.preprocess(image[None].copy()), np.array([sample.targets]))
                    )[0]
                    if not np.isfinite(maps).all():
                        raise InputError(f"the maps of `{name}` have NaN or infinity")
                    measures.update(sample, image, maps, places)
                except InputError as error:
                    set_aside[sample.record.id] = str(error)
                    print(f"{name}: set aside: {sample.record.id}: {error}")
                advance()
    found = measures.result()
    if "parameter_randomisation" in names:
        del method
        found["parameter_randomisation"] = _randomise(name, options, classifier, samples)
    return {"measures": found, "set_aside": set_aside, "seconds": round(time.monotonic() - start, 1)}


def _randomise(name: str, options: Options, classifier: LoadedModel, samples: Samples) -> dict[str, Any]:
    check = ParameterRandomisation(
        classifier.model,
        lambda model: _method(name, dataclasses.replace(classifier, model=model), options.layer),
        options.stages,
        options.seed,
    )
    used = samples.items[: options.randomised_images]

    def inputs():
        for sample in used:
            yield classifier.preprocess(samples.image(sample)[None])[0], np.array(sample.targets)

    return check(inputs) | {"images": len(used)}


def _method(name: str, classifier: LoadedModel, layer: str | None) -> Method:
    """Return the explainer or baseline of this name, as a function of images and targets."""
    if name in BASELINES:
        return BASELINES[name]
    if as_text.read(name)[0] not in explainers.EXPLAINERS:
        hint = nearest(name, [*explainers.EXPLAINERS, *BASELINES])
        raise InputError(f"--method {name}: there is no such explainer or baseline; {hint}")
    check_method(classifier.model, name)
    try:
        more = {} if layer is None else {"layer": layer}
        return as_text.create(name, classifier.model, classifier.preprocess, **more)
    except InputError as error:
        raise InputError(f"--method {name}: {error}") from error


def _settings(
    options: Options, recipe: Recipe, scorer: Scorer, names: list[str], samples: Samples
) -> dict[str, Any]:
    """Return everything that decides the results of a method."""
    config = recipe.dataset
    if options.photographs is not None:
        source: dict[str, Any] = {"photographs": str(options.photographs)}
    else:
        source = {
            "dataset": config.name,
            "split": options.split or config.val,
            "classes": list(config.classes) if config.classes else None,
            "options": dict(config.options),
        }
    rows = [[s.record.id, s.targets, s.record.image.stat().st_size] for s in samples.items]
    path = samples.classifier.path
    identity = weights_fingerprint(str(path) if path is not None and path.is_file() else options.weights)
    settings = {
        "model": options.model,
        "weights": options.weights,
        "weights_fingerprint": identity,
        "preprocess": options.preprocess or ("none" if options.model.endswith(".keras") else options.model),
        "outputs": scorer.outputs,
        "layer": options.layer,
        "data": source | {"images": options.images, "fingerprint": digest(rows)},
        "targets": options.targets,
        "class_map": None if options.class_map is None else options.class_map.read_text(),
        "measures": list(names),
        "seed": options.seed,
        "batch_size": options.batch_size,
    }
    further = {"mean": options.mean, "std": options.std, "scale": options.scale}
    settings |= {name: _plain(value) for name, value in further.items() if value is not None}
    if samples.classifier.reader.bits != 16:
        settings["bits"] = samples.classifier.reader.bits
    if "parameter_randomisation" in names:
        settings |= {"stages": options.stages, "randomised_images": options.randomised_images}
    if "insertion_deletion" in names:
        settings |= {"steps": options.steps, "fill": _plain(options.fill), "start": _plain(options.start)}
    if "road" in names:
        settings["shares"] = list(options.shares)
    if "pointing_game" in names:
        settings["tolerance"] = options.tolerance
    return settings


def _counts(samples: Samples, there: int, localised: bool) -> dict[str, Any]:
    scores = [score for sample in samples.items for score in sample.scores]
    return {
        "there": there,
        "used": len(samples.items),
        "set_aside": len(samples.set_aside),
        "maps": len(scores),
        "mean_probability": float(np.mean(scores)),
        "with_masks": localised,
        "boxes": "one per connected component of a class in the mask, so objects that touch share a box"
        if localised
        else None,
    }


def _check_out(out: Path) -> None:
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise InputError(f"--out {out} must be a file in an existing folder; try maps.json")


def _earlier(out: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the results of an earlier run with the same settings, or None if there is no file.

    Raises:
        InputError: The file has results of other settings, or is not a file of this command.
    """
    if not out.exists():
        return None
    content = read_json(out)
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), dict) for key in ("settings", "methods")
    ):
        raise InputError(f"--out {out} exists and is not a file of this command; choose another --out")
    # Compared in their JSON form, where a tuple and a list are equal.
    differ = [key for key in settings if digest(content["settings"].get(key)) != digest(settings[key])]
    differ += [key for key in content["settings"] if key not in settings]
    if differ:
        raise InputError(
            f"--out {out} has results of other settings ({', '.join(differ)} differ); delete it, or choose another"
        )
    return content


def print_table(content: dict[str, Any]) -> None:
    """Print a table with one row per method."""
    from rich.console import Console
    from rich.table import Table

    taken = content["settings"]["measures"]
    columns = [column for column in COLUMNS if column[0] in taken]
    table = Table("method", *[heading for _, _, heading, _ in columns], "s")
    for column in table.columns:
        column.no_wrap = True
    for name, row in content["methods"].items():
        values = [row["measures"].get(measure, {}).get(key) for measure, key, _, _ in columns]
        cells = ["-" if v is None else f"{v:.{c[3]}f}" for v, c in zip(values, columns)]
        table.add_row(name, *cells, f"{row['seconds']:.0f}")
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 180)  # a log has no width
    console.print(table)
    print("+ higher is better, - lower is better")


def _plain(fill: Any) -> Any:
    return list(fill) if isinstance(fill, tuple) else fill
