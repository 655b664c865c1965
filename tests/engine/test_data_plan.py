"""Options that are `auto` follow from the training images: by hand, said, kept, and the same again."""

import pytest
from PIL import Image

from wsseg.artifacts import read_json
from wsseg.datasets import create
from wsseg.engine import data_plan
from wsseg.engine import run as engine
from wsseg.engine.data_plan import Facts, facts_of, planned
from wsseg.errors import InputError
from wsseg.file_names import OWNER
from wsseg.recipe import load_recipe
from wsseg.supervision.splits import Splits

AUTO = [
    f"{section}.{name}=auto"
    for section in ("classify", "segment")
    for name in ("crop", "long_side", "epochs", "scale")
]
AUTO += ["localize.scales=auto", "segment.scales=auto", "relabel.scales=auto", "relabel.epochs=auto"]


@pytest.fixture
def folder(tmp_path):
    """Write a folder of images of these sizes, and return its path."""

    def write(*sizes_wh):
        root = tmp_path / "photos"
        (root / "images").mkdir(parents=True, exist_ok=True)
        rows = ["image,labels,split"]
        for index, size in enumerate(sizes_wh):
            Image.new("RGB", size).save(root / f"images/{index}.png")
            rows.append(f"{index}.png,cat,{'train' if index else 'val'}")
        (root / "labels.csv").write_text("\n".join(rows) + "\n")
        return root

    return write


def plan_of(root, *words):
    words = [f"--{word}" for word in words]
    recipe = load_recipe(overrides=["--dataset.name=folder", f"--dataset.root={root}", *words])
    return planned(recipe, Splits(recipe))


def test_facts_by_hand(folder):
    root = folder((5, 5), (100, 80), (40, 200), (300, 300))
    facts = facts_of(create("folder", split="train", root=root))
    assert (facts.images, facts.long_side) == (3, 200)
    assert facts.spread == pytest.approx(280 / 120)  # percentiles 10 and 90 of 100, 200, 300
    assert facts.factor == 1.6


def test_values_by_hand(folder):
    recipe, chosen = plan_of(folder((9, 9), *[(640, 480)] * 40), *AUTO)
    assert (recipe.classify.crop, recipe.classify.long_side, recipe.classify.scale) == (288, (256, 480), None)
    assert (recipe.segment.crop, recipe.segment.long_side, recipe.segment.scale) == (256, (256, 448), None)
    assert recipe.localize.scales == recipe.segment.scales == recipe.relabel.scales == (0.5, 0.75, 1.0)
    # 40 images in batches of 16: two steps an epoch
    assert (recipe.classify.epochs, recipe.segment.epochs, recipe.relabel.epochs) == (100, 112, 56)
    assert set(chosen) == {word.partition("=")[0] for word in AUTO}
    assert planned(recipe, None) == (recipe, {})  # nothing is left to plan


def test_images_of_many_sizes_are_scaled_by_a_factor(folder):
    recipe, _ = plan_of(folder((9, 9), (200, 100), (320, 200), (640, 90)), *AUTO)
    assert recipe.classify.scale == (0.8, 1.5) and recipe.segment.scale == (0.8, 1.4)


def test_many_images_get_more_steps_and_tiny_ones_are_enlarged_twice_at_most():
    facts = Facts(images=9000, long_side=50, spread=1.0)
    recipe = load_recipe()
    assert data_plan.PLANS["epochs"](recipe, "segment", facts) == 4
    assert facts.factor == 2
    assert data_plan.PLANS["crop"](recipe, "classify", facts) == 96  # 0.9 of 100, in steps of 32
    assert data_plan.PLANS["long_side"](recipe, "classify", facts) == (80, 150)


@pytest.mark.parametrize(
    ("images", "level"),
    # at 98 images half of the way from 48 to 200 is gone, in logarithms: sqrt(48 x 200) = 98
    [(3, 0.4), (48, 0.4), (98, 0.35), (200, 0.3), (424, 0.28), (900, 0.25), (10**6, 0.25)],
)
def test_few_images_get_a_higher_background_level(images, level):
    recipe, chosen = data_plan.planned_for(
        load_recipe(overrides=["--label.threshold.level=auto"]), Facts(images, long_side=320, spread=1)
    )
    assert recipe.label.threshold.level == level and chosen == {"label.threshold.level": level}


def test_an_exponent_is_not_planned():
    with pytest.raises(InputError, match=r"`label.threshold.level: auto` needs `label.background: constant`"):
        load_recipe(overrides=["--label.threshold.level=auto", "--label.background=power"])


def test_what_the_recipe_says_stays(folder):
    recipe, chosen = plan_of(folder((9, 9), (320, 240)), "segment.crop=64", "segment.epochs=auto")
    assert recipe.segment.crop == 64 and list(chosen) == ["segment.epochs"]
    assert recipe.classify.epochs == load_recipe().classify.epochs


def test_auto_is_refused_where_nothing_plans_it(folder):
    with pytest.raises(InputError, match=r"`propagate.epochs` must be a whole number; got auto"):
        plan_of(folder((9, 9), (320, 240)), "propagate.epochs=auto")


def test_the_run_says_and_keeps_what_was_planned(recipe, fakes, again, stale, tmp_path):
    run, words = tmp_path / "run", ["segment.epochs=auto", "segment.scales=auto"]
    said = again(run, *words)
    assert "planned from 3 training images with a median long side of 20 pixels:" in said
    assert "  segment: scales [2.0, 3.0, 4.0], epochs 224" in said
    kept = read_json(run / OWNER)
    assert kept["planned"] == {"segment.epochs": 224, "segment.scales": [2.0, 3.0, 4.0]}
    assert kept["options"]["segment"]["epochs"] == 224
    assert stale(run, *words) == {}
    assert again(run, *words) == [
        f"{state.stage}: done already, skipped" for state in engine.states(recipe(*words), run)
    ]
