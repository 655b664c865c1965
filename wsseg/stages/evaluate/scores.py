"""The rows of `scores.json`, and the comparison of the segmenter with its ceiling."""

from collections.abc import Mapping
from typing import Any

SCORES = {
    "class_maps": "class maps",
    "walked_maps": "walked maps",
    "pseudo_masks": "pseudo-masks",
    "relabelled_masks": "relabelled masks",
    "segmenter": "segmenter",
    "ceiling": "ceiling (true masks)",
}
"""Key in `scores.json` -> title, in the order of the stages."""


def shown_scores(scores: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the rows of a table: key -> (title, scores). A fully supervised run has one segmenter, its ceiling.

    Args:
        scores: Content of `scores.json`.
    """
    shown = {key: (title, scores[key]) for key, title in SCORES.items() if scores.get(key)}
    if "segmenter" in shown and scores["segmenter"]["supervision"] == "masks":
        shown["segmenter"] = ("segmenter (true masks)", scores["segmenter"])
        shown.pop("ceiling", None)
    return shown


def share_of_ceiling(scores: Mapping[str, Any]) -> float | None:
    """Return the segmenter's mIoU divided by its ceiling's; None if one is missing, or the ceiling's mIoU is 0.

    Args:
        scores: Content of `scores.json`.
    """
    weak, full = scores.get("segmenter"), scores.get("ceiling")
    if not weak or not full or weak["supervision"] == "masks" or weak["miou"] is None or not full["miou"]:
        return None
    return weak["miou"] / full["miou"]
