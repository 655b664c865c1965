"""The report: one self-contained HTML page, filled from plain dataclasses."""

import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from wsseg.artifacts import write_atomically
from wsseg.errors import InputError
from wsseg.report.figures import DOTS_PER_INCH, ThresholdCurve, history_figure, threshold_figure
from wsseg.report.overlay import legend
from wsseg.report.pictures import data_uri, picture_uri
from wsseg.report.precision_recall_figure import precision_recall_figure
from wsseg.report.search_figure import search_figure


@dataclass(frozen=True)
class ScoreRow:
    """One row of the score table. Scores are in [0, 1]; None prints as a dash.

    Attributes:
        name: What is scored: class maps, pseudo-masks, segmenter, ceiling (fully supervised).
        split: The images it is scored on.
        images: How many.
        miou: Mean IoU.
        iou: By class name, the background included.
        pixel_accuracy: Share of scored pixels that are right.
        mean_class_accuracy: Mean of the classes' recalls.
        frequency_weighted_iou: IoU weighted by the classes' pixels.
        oracle_miou: mIoU at the background level that is best on the scored images themselves.
        oracle_level: That level.
        level: The background level in use.
        rule: How it was chosen.
        supervision: What a segmenter was trained on: pseudo_masks or masks.
    """

    name: str
    split: str
    images: int
    miou: float | None
    iou: Mapping[str, float | None]
    pixel_accuracy: float | None
    mean_class_accuracy: float | None
    frequency_weighted_iou: float | None
    oracle_miou: float | None = None
    oracle_level: float | None = None
    level: float | None = None
    rule: str | None = None
    supervision: str | None = None

    @classmethod
    def from_scores(cls, name: str, scores: Mapping[str, Any]) -> "ScoreRow":
        """Take a row from an entry of `scores.json`; keys that the page does not show are passed over."""
        oracle = scores.get("oracle") or {}
        wanted = (
            "split",
            "images",
            "miou",
            "iou",
            "pixel_accuracy",
            "mean_class_accuracy",
            "frequency_weighted_iou",
        )
        return cls(
            name=name,
            **{key: scores[key] for key in wanted},
            oracle_miou=oracle.get("miou"),
            oracle_level=oracle.get("threshold"),
            level=scores.get("threshold"),
            rule=scores.get("rule"),
            supervision=scores.get("supervision"),
        )


@dataclass(frozen=True)
class ObjectScores:
    """How well objects were found: one table and one figure.

    Attributes:
        title: What is scored on which images, such as "masks, val".
        scores: As `wsseg.metrics.InstanceAveragePrecision.result` returns them.
        precision: Class name -> precision over recall, as its `precision_at_recalls` returns them; empty for no figure.
    """

    title: str
    scores: Mapping[str, Any]
    precision: Mapping[str, np.ndarray | None] = field(default_factory=dict)


@dataclass(frozen=True)
class StageRow:
    """What a stage took.

    Attributes:
        name: The stage.
        seconds: Wall time, resumed parts included.
        memory_mb: Highest resident memory in MiB, or None.
        made: What it made, in a few words.
    """

    name: str
    seconds: float
    memory_mb: float | None = None
    made: str = ""


@dataclass(frozen=True)
class Curve:
    """A training history: `columns` as `figures.read_history` returns them."""

    title: str
    columns: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery.

    Attributes:
        picture: `(H, W, 3) uint8`, or `(H, W)` integers: a mask, shown in the VOC palette. None: a dash.
        iou: mIoU of this very picture in [0, 1], or None.
        note: A few words below it.
    """

    picture: np.ndarray | None
    iou: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One image of a gallery.

    Attributes:
        id: The image.
        labels: Its class names.
        tiles: One for each column of the gallery.
        iou: What the rows are ordered by, the worst first; None goes last.
    """

    id: str
    labels: Sequence[str]
    tiles: Sequence[Tile]
    iou: float | None = None


@dataclass(frozen=True)
class Gallery:
    """Images side by side with what was made of them.

    Attributes:
        title: Such as "Training images".
        columns: Headings, such as image, class maps, pseudo-mask, ground truth.
        rows: In any order.
        note: How the rows were picked.
        legend: `(name, "#rrggbb")` of the colours in the pictures; None for those of the classes.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    note: str = ""
    legend: Sequence[tuple[str, str]] | None = None


@dataclass(frozen=True)
class Page:
    """Everything in the report. Empty sections are left out.

    Attributes:
        title: The recipe's name.
        facts: `(name, value)` of the run: dataset, seed, device, versions ...
        class_names: In id order, the background first.
        stages: In order of running.
        scores: Rows of the score table.
        share_of_ceiling: Segmenter's mIoU divided by its ceiling's; None where there is no such pair.
        objects: Scores of detections.
        curves: Training histories.
        thresholds: Threshold curves.
        search: Trials of the CRF search, see `search_figure`.
        galleries: Images.
        set_aside: `(image id, reason)` of the inputs that were left out.
        warnings: `(stage, text)`: what looks wrong in the run.
        notes: `(term, convention)`: how the scores are to be read.
        recipe: The recipe as text.
    """

    title: str
    class_names: Sequence[str]
    facts: Sequence[tuple[str, str]] = ()
    stages: Sequence[StageRow] = ()
    scores: Sequence[ScoreRow] = ()
    share_of_ceiling: float | None = None
    objects: Sequence[ObjectScores] = ()
    curves: Sequence[Curve] = ()
    thresholds: Sequence[ThresholdCurve] = ()
    search: Sequence[Mapping[str, Any]] = ()
    galleries: Sequence[Gallery] = ()
    set_aside: Sequence[tuple[str, str]] = ()
    warnings: Sequence[tuple[str, str]] = ()
    notes: Sequence[tuple[str, str]] = ()
    recipe: str = ""


def write_page(path: Path, page: Page) -> None:
    """Write the report: one HTML file without scripts and without a reference to anything outside it.

    Args:
        path: The HTML file.
        page: What is in it. Names, ids and reasons may be any text: they are escaped.

    Raises:
        InputError: A gallery's row has not as many tiles as there are columns, a picture is no image, or the
            file cannot be written.
    """
    for gallery in page.galleries:
        for row in gallery.rows:
            if len(row.tiles) != len(gallery.columns):
                raise InputError(
                    f"gallery `{gallery.title}`, image {row.id}: {len(row.tiles)} tiles for "
                    f"{len(gallery.columns)} columns"
                )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "level": lambda value: "–" if value is None else f"{value:.3g}",
        "duration": duration,
        "picture": picture_uri,
        "worst_first": worst_first,
    }
    html = environment.get_template("page.html").render(
        page=page,
        colours=dict(legend(page.class_names)),
        curves=[(c.title, _drawn(lambda dark, c=c: history_figure(c.columns, dark))) for c in page.curves],
        thresholds=[(t.title, _drawn(lambda dark, t=t: threshold_figure(t, dark))) for t in page.thresholds],
        precision=[
            (o.title, _drawn(lambda dark, o=o: precision_recall_figure(o.precision, dark)))
            for o in page.objects
            if any(curve is not None for curve in o.precision.values())
        ],
        search=_drawn(lambda dark: search_figure(page.search, dark)) if page.search else None,
    )
    write_atomically(Path(path), lambda file: file.write(html.encode()))


def percent(value: float | None) -> str:
    """Format a share in percent with one decimal, or a dash for None and nan.

    Example:
        >>> percent(0.4831), percent(None)
        ('48.3', '–')
    """
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def duration(seconds: float) -> str:
    """Format seconds as people read them.

    Example:
        >>> duration(4.24), duration(75), duration(7384)
        ('4.2 s', '1:15 min', '2:03 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
    hours, minutes = divmod(timedelta(seconds=seconds) // timedelta(minutes=1), 60)
    return f"{hours}:{minutes:02d} h"


def worst_first(rows: Iterable[Row]) -> list[Row]:
    """Order rows by rising IoU; those without one go last, in the order given."""
    return sorted(rows, key=lambda row: math.inf if row.iou is None or math.isnan(row.iou) else row.iou)


def _drawn(draw: Callable[[bool], bytes]) -> dict[str, Any]:
    """The figure for a light and for a dark page, and its width in CSS pixels."""
    light, dark = draw(False), draw(True)
    width = round(Image.open(io.BytesIO(light)).width * 96 / DOTS_PER_INCH)
    return {"light": data_uri("image/png", light), "dark": data_uri("image/png", dark), "width": width}
