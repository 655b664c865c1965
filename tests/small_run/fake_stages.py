"""Stages that compute nothing: they write a file and remember that they ran."""

from collections.abc import Mapping
from pathlib import Path

from wsseg.errors import InputError
from wsseg.recipe import Recipe
from wsseg.stages import Outcome
from wsseg.supervision.splits import Splits

RAN: list[str] = []
"""Folders of the stages that ran, in order."""

FAILING: dict[str, Exception] = {}
"""Folder -> what its stage raises after it has written a first file."""

WARNINGS: dict[str, tuple[str, ...]] = {}
"""Folder -> what its stage says that looks wrong."""


def run(recipe: Recipe, splits: Splits, inputs: Mapping[str, Path], out: Path) -> Outcome:
    """Write `first.txt` unless an earlier call did, then `second.txt`."""
    folder = out.name.removesuffix(".partial")
    RAN.append(folder)
    if not (out / "first.txt").exists():
        (out / "first.txt").write_text(str(len(RAN)))
    if folder in FAILING:
        raise FAILING[folder]
    missing = [name for name, path in inputs.items() if not (path / "second.txt").exists()]
    if missing:
        raise InputError(f"inputs {missing} are not there")
    (out / "second.txt").write_text(" ".join(inputs))
    return Outcome(
        f"made {folder}",
        {"images": 2},
        {"a": "broken"} if folder == "1_classify" else {},
        WARNINGS.get(folder, ()),
    )
