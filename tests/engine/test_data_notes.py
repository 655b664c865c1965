"""What a dataset cannot read as it is written is said by the run, and stands in manifests and report."""

import json

import numpy as np
import pytest
from PIL import Image

from wsseg.artifacts import Manifest
from wsseg.engine import run as engine
from wsseg.recipe.reading import load_recipe
from wsseg.stages.report.stage import warnings_of


@pytest.fixture
def coco(tmp_path):
    """Two splits of one image; in val, one of two objects has no outline."""
    outline = [[1, 1, 9, 1, 9, 9, 1, 9]]
    for split in ("train", "valid"):
        (tmp_path / "coco" / split).mkdir(parents=True)
        pixels = np.random.default_rng(list(split.encode())).integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "coco" / split / "a.png")
        objects = [
            {"id": number, "image_id": 1, "category_id": 1, "bbox": [1, 1, 8, 8], "segmentation": outline}
            for number in (1, 2)
        ]
        if split == "valid":
            objects[1]["segmentation"] = []
        content = {
            "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 30}],
            "annotations": objects,
            "categories": [{"id": 1, "name": "cat"}],
        }
        (tmp_path / "coco" / split / "_annotations.coco.json").write_text(json.dumps(content))
    return tmp_path / "coco"


def test_objects_without_an_outline_are_said(fakes, coco, tmp_path):
    recipe = load_recipe(overrides=["--name=test", "--dataset.name=coco", f"--dataset.root={coco}"])
    said = []
    engine.run(recipe, tmp_path / "run", say=said.append)
    notes = [line for line in said if line.startswith("note: ")]
    assert len(notes) == 1 and notes[0].startswith(
        "note: split `val`: 1 object without a usable outline or box: "
    )
    assert "annotation 2 of image 1: it has no segmentation" in notes[0]
    manifests = {folder.name: Manifest.load(folder) for folder in sorted((tmp_path / "run").glob("[1-9]_*"))}
    warned = [
        name for name, manifest in manifests.items() if notes[0].removeprefix("note: ") in manifest.warnings
    ]
    assert any("evaluate" in name for name in warned) and len(warned) > 1
    assert [text for _, text in warnings_of(manifests)] == [notes[0].removeprefix("note: ")]
