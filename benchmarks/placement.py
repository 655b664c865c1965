"""What is it worth to put class-map cells where they look (`wsseg.backbones.alignment`)?

The same classifier explains the same images twice: with every cell put where it looks, and spread evenly as
plain half-pixel resizing does. Both are scored at every background level, with no CRF.

    python benchmarks/placement.py RUN [--images 100]

RUN is a run folder whose classify stage is done and whose dataset has masks; validation images are scored,
with their image-level labels given.
"""

import argparse
import tempfile
from pathlib import Path

from wsseg import explainers
from wsseg.artifacts import ClassMaps
from wsseg.engine import run_folder
from wsseg.explainers.multi_scale import MultiScale
from wsseg.recipe import load_recipe
from wsseg.refiners import LevelSweep
from wsseg.saved_models import load_model
from wsseg.stages.localize import write_maps
from wsseg.supervision.splits import Splits


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--images", type=int, default=100)
    arguments = parser.parse_args()
    recipe = load_recipe(*run_folder.source_of(arguments.run))
    val = Splits(recipe).open(recipe.dataset.val, masks=True)
    step = max(len(val) // arguments.images, 1)
    val = val.subset(record.id for record in list(val)[::step][: arguments.images])
    model = load_model(arguments.run / "1_classify" / "classifier.keras")
    print("scales            placed by      best level   mIoU")
    for scales in ((1.0,), recipe.localize.scales):
        for placed in (False, True):
            explainer = explainers.create("cam", model=model)
            if not placed:
                explainer.grid = None
            sweep = LevelSweep([round(0.05 * i, 2) for i in range(1, 16)], len(val.classes) + 1)
            with tempfile.TemporaryDirectory() as folder:
                write_maps(MultiScale(explainer, scales, recipe.localize.flip), val, Path(folder), 8)
                for record in val:
                    sweep.update(ClassMaps.load(Path(folder) / f"{record.id}.npz"), val.read_mask(record))
            level, miou = sweep.best()
            print(
                f"{scales!s:<17} {'where it looks' if placed else 'half pixels':<14} {level:.2f}         {miou:.3f}"
            )


if __name__ == "__main__":
    main()
