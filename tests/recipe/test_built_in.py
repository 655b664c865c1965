import importlib.resources
import tomllib
from pathlib import Path

import pytest

from wsseg.artifacts import write_json
from wsseg.engine.run_folder import OWNER, claim, read_owner, source_of
from wsseg.errors import InputError
from wsseg.recipe import Recipe, built_in, load_recipe

ROOT = Path(__file__).parents[2]
NAMES = built_in.names()


@pytest.mark.parametrize("name", NAMES)
def test_the_recipes_that_come_with_it_are_valid(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    header = (built_in.FOLDER / f"{name}.yaml").read_text().partition("\nname: ")[0].splitlines()
    assert all(line.startswith("#") and len(line) <= 130 for line in header)
    assert header[0] == f"# {built_in.headline(name)}" and f"# Command:   wsseg run {name}" in "\n".join(
        header
    )


def test_they_are_listed():
    lines = built_in.listing().splitlines()
    assert [line.split()[0] for line in lines] == NAMES and "scenes" in NAMES
    assert next(x for x in lines if x.startswith("scenes ")).endswith("without a download.")


def test_they_are_files_of_the_package():
    there = importlib.resources.files("wsseg") / "recipe" / "recipes"
    assert sorted(file.name for file in there.iterdir()) == [f"{name}.yaml" for name in NAMES]


def test_every_file_of_the_package_travels_in_the_wheel():
    """setuptools takes Python files, and what `package-data` names."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][
        "wsseg"
    ]
    package = ROOT / "wsseg"
    others = {
        x for x in package.rglob("*") if x.is_file() and x.suffix not in (".py", ".pyc", ".nbi", ".nbc")
    }
    assert others == {x for pattern in patterns for x in package.glob(pattern)}
    assert {f"{name}.yaml" for name in NAMES} <= {x.name for x in others}


def test_a_file_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenes").mkdir()  # such as a folder of images: not a recipe
    assert load_recipe("scenes").dataset.options == {"train_images": 640}
    (tmp_path / "scenes").rmdir()
    (tmp_path / "scenes").write_text("name: mine\n")
    assert load_recipe("scenes").name == "mine"


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("scene", "no recipe `scene`; did you mean `scenes`?"),
        ("qqq", f"no recipe `qqq`; choose one of: {', '.join(NAMES)}"),
        ("scenes.yaml", "scenes.yaml does not exist; did you mean the built-in recipe `scenes`?"),
        ("pipelines/recipes/scenes.yaml", "did you mean the built-in recipe `scenes`?"),
        ("some/where.yaml", "recipe some/where.yaml does not exist; `wsseg recipes` lists"),
    ],
)
def test_a_recipe_that_is_not_there_is_answered_with_the_nearest(tmp_path, monkeypatch, word, answer):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        load_recipe(word)
    assert answer in str(raised.value)


def test_a_run_remembers_the_name(tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    run.mkdir()
    monkeypatch.chdir(tmp_path)
    claim(load_recipe("scenes"), run, ("scenes", ["--segment.epochs=3"]))
    assert read_owner(run)["file"] == "scenes"
    assert source_of(run, ["--seed=1"]) == ("scenes", ["--segment.epochs=3", "--seed=1"])
    (tmp_path / "mine.yaml").write_text("name: scenes\n")
    claim(load_recipe("mine.yaml"), run, ("mine.yaml", []))
    assert source_of(run) == (str(tmp_path / "mine.yaml"), [])
    claim(Recipe(), run, (None, []))
    assert source_of(run) == (None, [])
    assert capsys.readouterr().err == ""


def test_a_run_whose_recipe_was_a_file_of_the_repository(tmp_path, capsys):
    """Earlier versions had the recipes in `pipelines/recipes/`; a recipe of the user's own that is gone is an error."""
    old = tmp_path / "pipelines/recipes/scenes.yaml"
    write_json(tmp_path / OWNER, {"name": "scenes", "file": str(old), "overrides": [], "options": {}})
    assert source_of(tmp_path) == ("scenes", [])
    assert capsys.readouterr().err == f"wsseg: {old} is gone; the built-in recipe `scenes` takes its place\n"
    old.parent.mkdir(parents=True)
    old.write_text("name: scenes\n")
    assert source_of(tmp_path) == (str(old), [])


@pytest.mark.parametrize("gone", ["pipelines/recipes/mine.yaml", "elsewhere/scenes.yaml"])
def test_a_run_whose_recipe_is_gone_keeps_its_options(tmp_path, capsys, monkeypatch, gone):
    """A project moves, or a recipe is cleared away: the run folder holds all that it said."""
    run, recipe = tmp_path / "my run", tmp_path / gone
    run.mkdir()
    recipe.parent.mkdir(parents=True)
    recipe.write_text("name: mine\nsegment: {epochs: 3}\n")
    options = ["--seed=7"]
    claim(load_recipe(recipe, options), run, (str(recipe), options))
    recipe.unlink()
    moved = run.rename(tmp_path / "moved run")
    source = source_of(moved, ["--label.workers=2"])
    assert source == (str(moved / OWNER), ["--label.workers=2"])
    assert capsys.readouterr().err == (
        f"wsseg: {recipe} is gone; the options that {moved / OWNER} keeps take its place\n"
    )
    again = load_recipe(*source)
    assert (again.name, again.segment.epochs, again.seed, again.label.workers) == ("mine", 3, 7, 2)
    claim(again, moved, source)
    assert load_recipe(*source_of(moved)) == again
    moved = moved.rename(tmp_path / "moved again")
    assert load_recipe(*source_of(moved)) == again
