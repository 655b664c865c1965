"""Score segments in COCO's panoptic format."""

from collections.abc import Sequence
from pathlib import Path

from wsseg.commands.panoptic_files import read_panoptic
from wsseg.commands.score_objects import as_text
from wsseg.errors import InputError
from wsseg.metrics import PanopticQuality, Segments
from wsseg.progress import bar


def score_panoptic(
    predictions: Path | None, truth: Path | None, classes: Sequence[str] | None = None
) -> dict:
    """Score predicted segments by panoptic quality and print the scores as JSON.

    Args:
        predictions: Panoptic JSON file, with its PNGs in the folder of the same name beside it. All segments of an
            image of the truth that is missing in it are missed; a further image is an error.
        truth: Panoptic JSON file of the true segments; it names the classes.
        classes: Must be None.

    Returns:
        `images`, `images_not_in_predictions`, and the other scores of `PanopticQuality.result`.

    Raises:
        InputError: A file is missing or broken, or the two do not fit; the message names the file.
    """
    if predictions is None or truth is None or classes:
        raise InputError(
            "--panoptic needs --predictions and --truth, each a panoptic JSON file; remove --classes"
        )
    true, found = read_panoptic(truth), read_panoptic(predictions)
    if not true.categories or not true.annotations:
        raise InputError(f"{truth} has no categories or no annotations; nothing to score")
    for image_id in found.annotations:
        if image_id not in true.annotations:
            raise InputError(
                f"{predictions}: {truth} has no image {image_id!r}; it has {len(true.annotations)} images, such as "
                f"{next(iter(true.annotations))!r}"
            )
    class_ids = {category: index for index, category in enumerate(true.categories)}
    measure = PanopticQuality(list(true.categories.values()), true.things)
    with bar("scoring", len(true.annotations)) as advance:
        for image_id in true.annotations:
            wanted = true.segments(image_id, class_ids)
            there = image_id in found.annotations
            segments = found.segments(image_id, class_ids) if there else Segments(0 * wanted.numbers, {})
            try:
                measure.update(segments, wanted)
            except InputError as error:
                raise InputError(f"{predictions}, image {image_id!r}: {error}") from error
            advance()
    result = measure.result()
    absent = len(set(true.annotations) - set(found.annotations))
    scores = {"images": result.pop("images"), "images_not_in_predictions": absent} | result
    print(as_text(scores))
    return scores
