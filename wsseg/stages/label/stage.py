"""Stage 4: make pseudo-masks from class maps, with a background level (chosen without training masks) and a CRF."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wsseg.artifacts import read_json, read_mask, unfinished, write_json
from wsseg.file_names import INSTANCES, MAPS, MASKS, THRESHOLD
from wsseg.processes import in_processes
from wsseg.recipe import Recipe
from wsseg.remembered import remembered
from wsseg.stages import Outcome
from wsseg.stages.crf import worker_count
from wsseg.stages.label import pseudo_instances
from wsseg.stages.label.annotations import annotation_of, write_annotations
from wsseg.stages.label.background_level import choose_threshold, with_searched_crf
from wsseg.stages.label.corrected import write_corrected_masks
from wsseg.stages.label.given_masks import write_given_masks
from wsseg.stages.label.pseudo_masks import foreground_share, write_pseudo_mask
from wsseg.stages.warning_signs import foreground_out_of_range
from wsseg.supervision.corrected_masks import counted
from wsseg.supervision.splits import Splits
from wsseg.supervision.training_images import training_data


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Label every training image; write `masks/ID.png`, `threshold.json` and, with instance maps, `instances/ID.json`.

    The records have no masks, so no mask of the training split is read. There are two exceptions, by request of the
    section `supervision`: `given_masks` copies the given masks, and `annotations` simulates annotations from masks. An
    image without labels becomes all background. Masks that the user has corrected are taken as they are
    (`wsseg.stages.label.corrected`), also where the true mask is given. Existing files are kept.
    """
    config = recipe.label
    train, set_aside = training_data(splits, inputs)
    (out / MASKS).mkdir(exist_ok=True)
    corrected = write_corrected_masks(splits, train, out)
    given, reasons = write_given_masks(splits, train, out, corrected.ids)
    set_aside = corrected.set_aside | set_aside | reasons
    by_hand = f", {counted(len(corrected.ids))}" if corrected.ids else ""
    counts: dict[str, Any] = {"corrected_masks": len(corrected.ids)} if corrected.ids else {}
    true = len(given)
    given |= corrected.ids
    if "propagate" not in inputs:
        line = f"{true} true masks{by_hand}, no pseudo-masks"
        return Outcome(line, {"given_masks": true} | counts, set_aside, corrected.warnings)
    maps = inputs["propagate"] / MAPS
    threshold = remembered(out / THRESHOLD, dict, lambda known: {"level", "rule"} <= known.keys())
    if threshold is None:
        write_json(out / THRESHOLD, choose_threshold(recipe, splits, inputs["propagate"], train, out))
        threshold = read_json(out / THRESHOLD)
    config = with_searched_crf(config, threshold)
    counts |= {"images": len(train), "level": threshold["level"], "rule": threshold["rule"]}
    counts |= {"given_masks": true} if true else {}
    if recipe.supervision.annotations != "labels":
        rest = train.subset(record.id for record in train if record.id not in given)
        counts["annotated"], reasons = write_annotations(splits, rest, out)
        set_aside = set_aside | reasons
    left = unfinished(train, out / MASKS, ".png")
    waiting = {record.id for record in left}
    done = [record for record in train if record.id not in waiting and record.id not in given]
    known = {record.id: foreground_share(read_mask(out / MASKS / f"{record.id}.png")) for record in done}
    jobs = (
        (
            write_pseudo_mask,
            config,
            threshold["level"],
            record,
            maps,
            out / MASKS / f"{record.id}.png",
            annotation_of(out, record),
        )
        for record in left
    )
    workers = worker_count(config, (record.image for record in left))
    shares = in_processes(jobs, "pseudo-masks", len(train), len(train) - len(left), workers)
    known |= dict(zip((record.id for record in left), shares))
    labelled = [known[record.id] for record in train if record.labels and record.id in known]
    if left and len(shares) == len(train):
        counts["foreground_share"] = round(float(np.mean(shares)), 4)
    if (inputs["propagate"] / INSTANCES).is_dir():
        counts["instances"] = pseudo_instances.write_all(config, threshold["level"], train, inputs, out)
    line = f"{len(train) - len(given)} pseudo-masks, background level {threshold['level']:.2f} ({threshold['rule']})"
    if "crf" in threshold:
        line += ", CRF " + ", ".join(f"{name} {value:g}" for name, value in threshold["crf"].items())
    line += (f", {true} true masks" if true else "") + by_hand
    if "annotated" in counts:
        line += f", {recipe.supervision.annotations} in {counts['annotated']} images"
    return Outcome(line, counts, set_aside, foreground_out_of_range(labelled) + corrected.warnings)
