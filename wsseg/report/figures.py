"""Curves as PNG bytes. Only matplotlib's Figure objects are used, not pyplot, so no global state and no display."""

import io
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.figure import Figure

SERIES_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's palette: colour-blind people can distinguish the colours; readable on light and dark pages."""

DOTS_PER_INCH = 192
"""Resolution of figures: twice the 96 of CSS, so that they are sharp on high-density screens."""

LIGHT = {"text": "#24292f", "grid": "#d8dee4"}
DARK = {"text": "#d6dce4", "grid": "#3a424d"}


@dataclass(frozen=True)
class ThresholdCurve:
    """The mIoU at each background level, and the level that was chosen.

    Attributes:
        title: Title that names the scored maps or masks, and the split.
        points: `(level, mIoU)`, by rising level.
        level: Level that the run uses.
        rule: Rule that chose the level without the masks of the scored images: fixed, otsu, calibration.
        miou: mIoU at `level`, or None if it was not measured; then it is interpolated between the neighbouring points.
    """

    title: str
    points: Sequence[tuple[float, float]]
    level: float
    rule: str
    miou: float | None = None

    @property
    def oracle(self) -> tuple[float, float] | None:
        """The `(level, mIoU)` with the highest mIoU; None without points."""
        points = [point for point in self.points if math.isfinite(point[1])]
        return max(points, key=lambda point: point[1]) if points else None


def history_figure(history: Mapping[str, Sequence[float]], dark: bool = False) -> bytes:
    """Draw a training history: one panel for losses, one for the other measures, one for the learning rate.

    Args:
        history: Column name -> values, as `wsseg.training.history.read_history` returns them; `epoch` gives the
            horizontal axis.
        dark: Whether the figure is for a dark page.

    Returns:
        A PNG with a transparent background.
    """
    panels: dict[str, list[str]] = {"loss": [], "score": [], "learning rate": []}
    for name in history:
        if name in ("epoch", "seconds"):
            continue
        is_rate = name in ("lr", "learning_rate")
        panels["learning rate" if is_rate else "loss" if "loss" in name else "score"].append(name)
    shown = {title: names for title, names in panels.items() if names} or {"loss": []}
    theme = DARK if dark else LIGHT
    with rc_context(style(theme)):
        figure = Figure(figsize=(3.6 * len(shown), 2.7), layout="constrained")
        for axes, (title, names) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items()):
            for colour, name in zip(_colours(len(names)), names):
                values = history[name]
                epochs = history.get("epoch", range(1, len(values) + 1))
                known = [(epoch, value) for epoch, value in zip(epochs, values) if math.isfinite(value)]
                marker = "o" if len(known) <= 30 else ""
                course = [
                    [point[axis] for point in known] for axis in (0, 1)
                ]  # a line through the measured epochs
                axes.plot(*course, color=colour, marker=marker, markersize=3, label=name)
            axes.set_title(names[0].replace("_", " ") if len(names) == 1 else title)
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            if len(names) > 1:
                axes.legend(frameon=False)
            if title == "score" and all(0 <= v <= 1 for n in names for v in history[n] if math.isfinite(v)):
                axes.set_ylim(0, 1.02)
            elif title == "loss":
                axes.set_ylim(bottom=0)
        return png(figure)


def threshold_figure(curve: ThresholdCurve, dark: bool = False) -> bytes:
    """Draw mIoU over the background level, with the level in use and the oracle marked.

    Args:
        curve: Curve to draw.
        dark: Whether the figure is for a dark page.

    Returns:
        A PNG with a transparent background.
    """
    theme = DARK if dark else LIGHT
    points = [point for point in curve.points if math.isfinite(point[1])]
    with rc_context(style(theme)):
        figure = Figure(figsize=(4.8, 3.0), layout="constrained")
        axes = figure.subplots()
        axes.set_xlabel("background level")
        axes.set_ylabel("mIoU, %")
        if points:
            levels, scores = [p[0] for p in points], [100 * p[1] for p in points]
            axes.plot(levels, scores, color=SERIES_COLOURS[0], marker="o", markersize=3, zorder=2)
            chosen = _miou_at(curve, points)
            axes.axvline(curve.level, color=SERIES_COLOURS[1], linewidth=1, linestyle=":", zorder=1)
            axes.plot(
                [curve.level],
                [100 * chosen],
                linestyle="",
                marker="o",
                markersize=8,
                color=SERIES_COLOURS[1],
                zorder=3,
                label=f"in use ({curve.rule}): {curve.level:.3g}, {100 * chosen:.1f} %",
            )
            level, best = curve.oracle
            axes.plot(
                [level],
                [100 * best],
                linestyle="",
                marker="D",
                markersize=8,
                markerfacecolor="none",
                markeredgecolor=theme["text"],
                markeredgewidth=1.4,
                zorder=4,
                label=f"oracle: {level:.3g}, {100 * best:.1f} %",
            )
            axes.set_ylim(0, max(*scores, 100 * chosen) * 1.12 + 1e-6)
            figure.legend(frameon=False, loc="outside lower center", ncols=2)
        return png(figure)


def _miou_at(curve: ThresholdCurve, points: Sequence[tuple[float, float]]) -> float:
    """Return the mIoU at the level in use: the measured one, or an interpolation between the neighbouring points."""
    if curve.miou is not None:
        return curve.miou
    points = sorted(points)
    for (low, left), (high, right) in itertools.pairwise(points):
        if low <= curve.level <= high:
            return left + (right - left) * (curve.level - low) / (high - low)
    return points[0][1] if curve.level < points[0][0] else points[-1][1]


def _colours(count: int) -> list[str]:
    return [SERIES_COLOURS[i % len(SERIES_COLOURS)] for i in range(count)]


def style(theme: Mapping[str, str]) -> dict[str, object]:
    """Return matplotlib's settings for a theme, `LIGHT` or `DARK`."""
    text = {f"{name}.color": theme["text"] for name in ("text", "xtick", "ytick")}
    return text | {
        "axes.edgecolor": theme["grid"],
        "axes.labelcolor": theme["text"],
        "axes.titlecolor": theme["text"],
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.labelsize": 9,
        "grid.color": theme["grid"],
        "grid.linewidth": 0.6,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "lines.linewidth": 1.6,
        "font.size": 9,
        "font.family": "DejaVu Sans",  # included in matplotlib, so pictures are the same on every machine
    }


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG with a transparent background."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH, transparent=True, metadata={"Software": None})
    return file.getvalue()
