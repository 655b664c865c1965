"""What YAML allows and no recipe needs is refused in one line; nothing comes out of PyYAML's inside."""

import pytest

from wsseg.errors import InputError
from wsseg.recipe import load_recipe
from wsseg.recipe.reading import recipe_of_options
from wsseg.recipe.yaml_file import read_yaml

LAUGHS = "dataset:\n  options:\n    a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"    {after}: &{after} [{', '.join(9 * [f'*{before}'])}]\n"
    for before, after in zip("abcdefgh", "bcdefghi")
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: 2020-13-45", "not valid YAML: month must be in 1..12"),
        ("seed: " + 5000 * "9", "not valid YAML: Exceeds the limit"),
        ("seed: 1\nseed: 2", "`seed` stands there twice"),
        ("classify:\n  crop: 64\n  epochs: 2\n  crop: 96", "`crop` stands there twice"),
        ("dataset: " + 3000 * "[" + 3000 * "]", "nested too deeply"),
        ("dataset: &a {options: *a}", "nested too deeply"),
        ("evaluate: {oracle_levels: &a [*a]}", "nested too deeply"),
        (LAUGHS, "its aliases stand for more than 100,000 values"),
        ("name: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("? [a]\n: b", "unhashable key"),
    ],
)
def test_what_no_recipe_needs(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"recipe .*mine\.yaml") as error:
        load_recipe(path)
    assert message in str(error.value)


def test_a_few_aliases_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("\ufefflocalize: {scales: &s [1.0, 1.5]}\nsegment: {scales: *s}\n", encoding="utf-8")
    assert read_yaml(path) == {"localize": {"scales": [1.0, 1.5]}, "segment": {"scales": [1.0, 1.5]}}
    assert load_recipe(path).segment.scales == (1.0, 1.5)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", ".", "..", "/etc/x", "", " x", "x\n", "a\0b", 101 * "n", "C:x", ".x"]
)
def test_a_run_stays_in_its_folder(name):
    with pytest.raises(InputError, match="`name` must be a folder's name"):
        recipe_of_options({"name": name}, "here")


@pytest.mark.parametrize("name", ["scenes", "my run", "Katzen-1.2", "\u00e4\u732b", 100 * "n"])
def test_other_names_are_taken(name):
    assert load_recipe(overrides=["--name", name]).name == name
