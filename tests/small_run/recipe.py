"""The small recipe, as a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

TRAINING = {
    "backbone": "tiny",
    "output_stride": 8,
    "crop": 64,
    "long_side": [64, 72],
    "batch_size": 4,
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "head_multiplier": 1,
}
SMALL = {
    "name": "small",
    "dataset": {"options": {"size": 64, "train_images": 24, "val_images": 8}},
    "classify": TRAINING | {"epochs": 3},
    "localize": {"scales": [1.0]},
    "label": {"workers": 1},
    "segment": TRAINING
    | {"network": "deeplab_v3", "channels": 16, "optimizer": "sgd"}  # are traced sooner than the defaults
    | {"epochs": 2, "batch_size": 2, "flip": False},
    "evaluate": {"oracle_levels": [0.3]},
    "report": {"images": 4},
}


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` over it, section by section; options of datasets are taken as a whole."""
    result = dict(base)
    for name, value in changes.items():
        inner = name != "dataset" and isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = merged(result[name], value) if inner else value
    return result


def write_recipe(path: Path, changes: Mapping[str, Any] | None = None) -> Path:
    """Write the small recipe with some changes."""
    path.write_text(yaml.safe_dump(merged(SMALL, changes or {})))
    return path
