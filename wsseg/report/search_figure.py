"""A figure of the CRF search: the mIoU at each value of each parameter."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from wsseg.report.figures import DARK, LIGHT, SERIES_COLOURS, png, style


def search_figure(trials: Sequence[Mapping[str, Any]], dark: bool = False) -> bytes:
    """Draw one panel per parameter: every trial, and the best mIoU at each value.

    Args:
        trials: Trials from the label stage's `crf_search.json`, with `parameters` and `miou`.
        dark: Whether the figure is for a dark page.

    Returns:
        A PNG with a transparent background.
    """
    best = max(trials, key=lambda trial: trial["miou"])
    names = list(best["parameters"])
    with rc_context(style(DARK if dark else LIGHT)):
        figure = Figure(figsize=(3.0 * len(names), 2.6), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False, sharey=True)[0], names):
            highest: dict[float, float] = {}
            for trial in trials:
                value = trial["parameters"][name]
                highest[value] = max(highest.get(value, 0), trial["miou"])
                axes.plot(value, 100 * trial["miou"], ".", color=SERIES_COLOURS[0], alpha=0.35, markersize=5)
            values = sorted(highest)
            axes.plot(values, [100 * highest[value] for value in values], color=SERIES_COLOURS[0])
            chosen = best["parameters"][name]
            axes.plot(chosen, 100 * best["miou"], "o", color=SERIES_COLOURS[1], markersize=8)
            axes.set_title(f"{name.replace('_', ' ')}: {chosen:g}")
            axes.set_xscale("log")
            axes.set_xticks(values, [f"{value:g}" for value in values], rotation=45)
            axes.xaxis.set_minor_formatter(NullFormatter())
        figure.axes[0].set_ylabel("mIoU, %")
        return png(figure)
