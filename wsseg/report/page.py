"""The report: one self-contained HTML page, made from plain dataclasses."""

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
    """One row of the score table. Scores are in [0, 1]; None is shown as a dash.

    Attributes:
        name: Name of the scored result: class maps, pseudo-masks, segmenter, ceiling (fully supervised).
        split: Split of the scored images.
        images: Number of scored images.
        miou: Mean IoU.
        iou: IoU by class name, background included.
        pixel_accuracy: Share of scored pixels with the right class.
        mean_class_accuracy: Mean of the classes' recalls.
        frequency_weighted_iou: Mean IoU, weighted by the classes' numbers of pixels.
        oracle_miou: mIoU at the oracle level.
        oracle_level: Background level that is best on the scored images themselves.
        level: Background level in use.
        rule: Rule that chose the background level.
        supervision: Masks on which a segmenter was trained: pseudo_masks or masks.
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
        """Make a row from an entry of `scores.json`. Keys that the page does not show are ignored."""
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
    """Scores of detections: one table and one figure.

    Attributes:
        title: Title that names the scored objects and the split, such as "masks, val".
        scores: Result of `wsseg.metrics.InstanceAveragePrecision.result`.
        precision: Class name -> precision over recall, the result of `precision_at_recalls`; empty for no figure.
    """

    title: str
    scores: Mapping[str, Any]
    precision: Mapping[str, np.ndarray | None] = field(default_factory=dict)


@dataclass(frozen=True)
class StageRow:
    """Time and memory of a stage.

    Attributes:
        name: Name of the stage.
        seconds: Wall time of the process that completed the stage, without the parts that earlier processes did.
        memory_mb: Highest resident memory, MiB, or None.
        made: Short description of what the stage made.
    """

    name: str
    seconds: float
    memory_mb: float | None = None
    made: str = ""


@dataclass(frozen=True)
class Curve:
    """A training history: `columns` is the result of `wsseg.training.history.read_history`."""

    title: str
    columns: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Tile:
    """One picture of a gallery.

    Attributes:
        picture: `(H, W, 3) uint8` RGB; a mask, `(H, W)` integers, shown in the VOC palette; or None, shown as a dash.
        iou: mIoU of this picture in [0, 1], or None.
        note: Short note below the picture.
    """

    picture: np.ndarray | None
    iou: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One image of a gallery.

    Attributes:
        id: Id of the image.
        labels: Class names of the image.
        tiles: Tiles, one per column of the gallery.
        iou: mIoU by which the rows are sorted, the worst first; None comes last.
    """

    id: str
    labels: Sequence[str]
    tiles: Sequence[Tile]
    iou: float | None = None


@dataclass(frozen=True)
class Gallery:
    """Images with their maps, masks or detections, side by side.

    Attributes:
        title: Title, such as "Training images".
        columns: Headings of the columns, such as image, class maps, pseudo-mask, true mask.
        rows: Rows in any order; the page sorts them.
        note: Note about how the rows were selected.
        legend: `(name, "#rrggbb")` of the colours in the pictures; None for the classes' colours.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    note: str = ""
    legend: Sequence[tuple[str, str]] | None = None


@dataclass(frozen=True)
class Page:
    """Everything in the report. Empty sections are omitted.

    Attributes:
        title: Name of the recipe.
        class_names: Class names in id order, background first.
        facts: `(name, value)` of facts about the run: dataset, supervision, seed, versions ...
        stages: Stages in the order in which they ran.
        scores: Rows of the score table.
        share_of_ceiling: Segmenter's mIoU divided by its ceiling's; None if one of them is missing.
        objects: Scores of detections.
        curves: Training histories.
        thresholds: Curves of mIoU over the background level.
        search: Trials of the CRF search, see `search_figure`.
        galleries: Galleries of images.
        set_aside: `(image id, reason)` of each input that was not used.
        warnings: `(stage, text)` of each sign that something went wrong.
        notes: `(term, convention)`: explanations of how the scores were computed.
        recipe: Recipe as text.
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
    """Write the report: one HTML file without scripts and without references to other files or sites.

    Args:
        path: HTML file to write.
        page: Content of the report. Names, ids and reasons may be any text; they are escaped.

    Raises:
        InputError: A gallery's row does not have one tile per column, a picture is not an image, or the file cannot be
            written.
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
    """Format a share in percent with one decimal; None and nan become a dash.

    Example:
        >>> percent(0.4831), percent(None)
        ('48.3', '–')
    """
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def duration(seconds: float) -> str:
    """Format a number of seconds as seconds, minutes or hours.

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
    """Sort rows by rising IoU. Rows without IoU come last, in their given order."""
    return sorted(rows, key=lambda row: math.inf if row.iou is None or math.isnan(row.iou) else row.iou)


def _drawn(draw: Callable[[bool], bytes]) -> dict[str, Any]:
    """Return the figure for a light and for a dark page, and its width in CSS pixels."""
    light, dark = draw(False), draw(True)
    width = round(Image.open(io.BytesIO(light)).width * 96 / DOTS_PER_INCH)
    return {"light": data_uri("image/png", light), "dark": data_uri("image/png", dark), "width": width}
