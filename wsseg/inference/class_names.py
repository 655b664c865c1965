"""Class names of a saved model: its own, or, for a model saved before it knew them, those of the run around it."""

from pathlib import Path
from typing import Any

from wsseg.artifacts import Manifest, read_json
from wsseg.class_names import BACKGROUND
from wsseg.file_names import OWNER
from wsseg.stages import STAGES


def names_of_model(model: Any, path: Path, with_background: bool) -> tuple[str, ...] | None:
    """Return the class names of a model.

    Args:
        model: A model of this package.
        path: Its `.keras` file.
        with_background: Whether the background is one of its classes.

    Returns:
        A name per output of the model; None where neither the model nor a run around its file has them.
    """
    if getattr(model, "class_names", None):
        return tuple(model.class_names)
    found = names_of_run(path)
    if found is None:
        return None
    names = (BACKGROUND, *found) if with_background else tuple(found)
    return names if len(names) == model.num_classes else None


def names_of_run(path: Path) -> list[str] | None:
    """Return the foreground classes of the run that a model's file is in; None where it is in none.

    They stand in the manifest of the classify stage, or in the options of the dataset.
    """
    run = path.resolve().parent.parent
    for folder in (path.parent, run / STAGES["classify"].folder):
        manifest = Manifest.load(folder)
        if manifest is not None and manifest.counts.get("classes"):
            return manifest.counts["classes"]
    if not (run / OWNER).exists():
        return None
    owner = read_json(run / OWNER)
    for section in ("options", "dataset"):
        owner = owner.get(section) if isinstance(owner, dict) else None
    return owner.get("classes") if isinstance(owner, dict) else None
