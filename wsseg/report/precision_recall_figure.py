"""A figure of precision over recall of detections, for each class."""

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from wsseg.report.figures import DARK, LIGHT, SERIES_COLOURS, png, style


def precision_recall_figure(curves: Mapping[str, np.ndarray | None], dark: bool = False) -> bytes:
    """Draw one curve per class, and their mean if there are several classes.

    If there are more classes than colours, only the worst classes have a colour; the others are gray.

    Args:
        curves: Class name -> `(R,)` precision in [0, 1] at R evenly spaced recalls from 0 to 1, 0 where a recall is not
            reached; None for a class without true objects, which is skipped.
        dark: Whether the figure is for a dark page.

    Returns:
        A PNG with a transparent background.
    """
    known = {name: np.asarray(curve) for name, curve in curves.items() if curve is not None}
    worst_first = sorted(known, key=lambda name: known[name].mean())
    named = [name for name in known if name in worst_first[: len(SERIES_COLOURS)]]
    theme = DARK if dark else LIGHT
    with rc_context(style(theme)):
        figure = Figure(figsize=(4.8, 3.9), layout="constrained")
        axes = figure.subplots()
        axes.set_xlabel("recall, %")
        axes.set_ylabel("precision, %")
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 104)
        for name, curve in known.items():
            if name not in named:
                _draw(axes, curve, color=theme["grid"], linewidth=0.8)
        for colour, name in zip(SERIES_COLOURS, named):
            _draw(axes, known[name], color=colour, label=f"{name}: {100 * known[name].mean():.1f}")
        if len(known) > 1:
            mean = np.mean(list(known.values()), axis=0)
            _draw(axes, mean, color=theme["text"], linewidth=2.4, label=f"mean: {100 * mean.mean():.1f}")
        if known:
            shown = figure.legend(frameon=False, loc="outside lower center", ncols=2, title="AP50, %")
            for text in shown.get_texts():
                text.set_parse_math(False)
        return png(figure)


def _draw(axes, precision: np.ndarray, **look) -> None:
    """Draw a curve, down to the axis at the highest recall that is reached."""
    recalls = np.linspace(0, 100, len(precision))
    reached = int((precision > 0).sum())
    shown = np.append(precision[:reached], 0) if reached < len(precision) else precision
    at = np.append(recalls[:reached], recalls[max(reached - 1, 0)]) if reached < len(precision) else recalls
    axes.plot(at, 100 * shown, **look)
