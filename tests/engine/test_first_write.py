"""A run that is killed before its folder has a recipe goes on; a folder with other files is never taken."""

import pytest

from wsseg.engine import run as engine
from wsseg.errors import InputError

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.mark.parametrize(
    "left", [(".lock",), (".lock", ".recipe.json.17.partial"), (".lock", "data/contents.json")]
)
def test_what_a_killed_run_leaves_is_taken(recipe, tmp_path, left):
    run = tmp_path / "run"
    for name in left:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text('{"revision": 0, "sections": {}}' if name.startswith("data") else "")
    engine.run(recipe(), run, say=lambda line: None)
    assert (run / "recipe.json").exists()


@pytest.mark.parametrize("there", ["thesis.tex", "data/photo.jpg", ".recipe.json.swp", "recipe.json.bak"])
def test_other_files_are_not(recipe, tmp_path, there):
    path = tmp_path / "run" / there
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(InputError, match="is not empty and is not a run folder"):
        engine.run(recipe(), tmp_path / "run", say=lambda line: None)
    assert [file for file in (tmp_path / "run").rglob("*") if file.is_file()] == [path]
