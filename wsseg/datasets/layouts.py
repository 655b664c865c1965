"""Tell the layouts of dataset folders apart: each dataset's file says its own (`LAYOUT`)."""

import functools
import importlib
from pathlib import Path

from wsseg.datasets import DATASETS
from wsseg.datasets.layout import Layout
from wsseg.errors import InputError


@functools.cache
def layouts() -> tuple[Layout, ...]:
    """Return the layouts of all datasets that read files, in the order of `DATASETS`. The first that fits is taken."""
    modules = [importlib.import_module(reader.split(":")[0]) for reader in DATASETS.values()]
    return tuple(module.LAYOUT for module in modules if hasattr(module, "LAYOUT"))


def layout_of(name: str) -> Layout:
    """Return the layout of a dataset.

    Raises:
        InputError: The dataset does not exist, or has no layout because it is generated.
    """
    for layout in layouts():
        if layout.name == name:
            return layout
    names = ", ".join(layout.name for layout in layouts())
    raise InputError(f"dataset `{name}` has no files of yours to check; choose one of: {names}")


def detect(root: Path) -> Layout:
    """Return the layout of a folder.

    Raises:
        InputError: The folder does not exist or has no known layout. The message describes each layout, and names
            a subfolder that has one.
    """
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; give the folder that holds a dataset")
    for layout in layouts():
        if layout.fits(root):
            return layout
    below = sorted(path for path in [*root.glob("*"), *root.glob("*/*")] if path.is_dir())
    inner = next((path for path in below if any(layout.fits(path) for layout in layouts())), None)
    if inner is not None:
        raise InputError(f"{root} is no dataset itself; did you mean {inner}?")
    marks = "".join(f"\n  {layout.name}: {layout.marks}" for layout in layouts())
    raise InputError(
        f"{root} has no known layout; expected the files of one dataset:{marks}\nname the dataset with --name"
    )
