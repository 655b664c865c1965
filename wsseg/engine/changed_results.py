"""Versions of wsseg since which a stage gives other results for the same options and data."""

import re
from collections.abc import Mapping

CHANGED_IN: Mapping[str, tuple[str, ...]] = {}
"""Version -> stages whose results differ from those of the version before; its line in the changelog says how.

A stage that an earlier version made is then made again. A release that changes results without a new option adds itself
here, and rounding alone does not count.
"""


def changed_since(made_by: str, stage: str, changed_in: Mapping[str, tuple[str, ...]] = CHANGED_IN) -> str:
    """Return the first version after the one that made a stage which gives other results; empty if there is none.

    Args:
        made_by: Version that made the stage.
        stage: Name of the stage.
        changed_in: See `CHANGED_IN`.

    Example:
        >>> table = {"0.2.0": ("label",), "0.10.0": ("label", "segment")}
        >>> [changed_since(version, "label", table) for version in ("0.1.0", "0.2.0", "0.10.1")]
        ['0.2.0', '0.10.0', '']
    """
    later = [
        version
        for version, stages in changed_in.items()
        if stage in stages and _numbers(version) > _numbers(made_by)
    ]
    return min(later, key=_numbers, default="")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
