"""Images of rare classes are repeated by the square root of the wanted share over their own."""

from pathlib import Path

from wsseg.datasets import Record
from wsseg.loading.rare_classes import with_rare_repeated


def records(**labels):
    """Return records; `a_b=3` are three images with both labels."""
    return [
        Record(f"{names} {i}", Path("x.png"), tuple(name for name in names.split("_") if name != "none"))
        for names, count in labels.items()
        for i in range(count)
    ]


def count(shown, name):
    return sum(record.id.startswith(name) for record in shown)


def test_whole_factors_by_hand():
    given = records(cat=80, fox=4, owl=1, none=15)  # 100 images
    shown = with_rare_repeated(given, 0.16, seed=0)
    assert {name: count(shown, name) for name in ("cat", "fox", "owl", "none")} == {
        "cat": 80, "fox": 8, "owl": 4, "none": 15,
    }  # fmt: skip
    assert [record.id for record in dict.fromkeys(shown)] == [record.id for record in given]


def test_the_rest_of_a_factor_is_drawn_by_the_seed():
    given = records(cat=600, fox=400)
    shown = with_rare_repeated(given, 0.9, seed=3)  # fox: 1.5; cat: sqrt(1.5) = 1.22
    assert 540 < count(shown, "fox") < 660  # 600 expected, deviation 10
    assert 670 < count(shown, "cat") < 800  # 735 expected, deviation 10
    assert [r.id for r in shown] == [r.id for r in with_rare_repeated(given, 0.9, seed=3)]
    assert [r.id for r in shown] != [r.id for r in with_rare_repeated(given, 0.9, seed=4)]


def test_an_image_of_several_classes_follows_the_rarest():
    shown = with_rare_repeated(records(cat=15, cat_fox=1), 0.25, seed=0)
    assert count(shown, "cat_fox") == 2 and len(shown) == 17


def test_no_share_repeats_nothing():
    given = records(cat=9, fox=1)
    assert with_rare_repeated(given, 0.0, seed=0) == given
