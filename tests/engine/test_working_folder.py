"""A run finds its data again: from another folder, and after the project has moved. Its own files are no data."""

import shutil
from pathlib import Path

import pytest
from small_run.in_process import run_quietly

from wsseg.commands.found_photographs import find_photographs
from wsseg.engine import run as engine
from wsseg.recipe.of_run import recipe_of_run
from wsseg.recipe.reading import load_recipe

pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture
def project(tmp_path, photographs, monkeypatch):
    """A project folder with photographs, and a run in it that was started with relative paths."""
    home = tmp_path / "home"
    home.mkdir()
    photographs.rename(home / "photos")
    monkeypatch.chdir(home)
    words = ["--name=test", "--dataset.name=folder", "--dataset.root=photos"]
    engine.run(
        load_recipe(overrides=words), Path("photos/my run"), say=lambda line: None, source=(None, words)
    )
    return home


def statuses(run):
    status, said = run_quietly("status", run)
    assert status == 0, said
    return {line.split()[1] for line in said.splitlines()}


def test_status_and_run_from_another_folder(project, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert statuses("../home/photos/my run") == {"done"}
    status, said = run_quietly("label", "--run", "../home/photos/my run")
    assert status == 0 and "label: done already" in said


def test_the_recipe_of_a_run_has_the_full_path_of_its_data(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert recipe_of_run(project / "photos/my run").dataset.root == str(project / "photos")


def test_other_photographs_under_the_same_name_are_not_taken(project, tmp_path, monkeypatch):
    other = tmp_path / "elsewhere/photos"
    shutil.copytree(project / "photos", other, ignore=shutil.ignore_patterns("my run", "*0.png"))
    monkeypatch.chdir(other.parent)
    assert statuses(project / "photos/my run") == {"done"}


def test_a_project_that_has_moved(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project.rename(tmp_path / "moved")
    assert statuses("moved/photos/my run") == {"done"}


def test_pictures_of_a_run_are_no_photographs(project):
    run = project / "photos/my run"
    assert statuses(run) == {"done"}
    picture = run / "4_label/masks/train0.png"
    picture.parent.mkdir(parents=True)
    shutil.copy(project / "photos/images/train0.png", picture)
    shutil.copy(picture, run / "unlisted.png")
    status, said = run_quietly("datasets", "check", project / "photos", "--fast")
    assert status == 0 and "unlisted" not in said, said
    assert len(find_photographs([f"{project}/photos/images/*.png"])) == 9
    assert len(find_photographs([f"{project}/photos/**/*.png"])) == 9 + 9  # images and masks
    assert [path.name for path in find_photographs([f"{run}/*.png"])] == ["unlisted.png"]


def test_values_of_masks_in_a_recipe_keep_stages_done(recipe, again, tmp_path):
    """Keys of YAML are numbers, those of the JSON in which a stage keeps its options are text."""
    words = ["dataset.options={mask_values: {255: cat, 7: ignore}}"]
    engine.run(recipe(*words), tmp_path / "run", say=lambda line: None)
    assert all("done already" in line for line in again(tmp_path / "run", *words))
    said = again(tmp_path / "run", "dataset.options={mask_values: {255: dog, 7: ignore}}")
    assert any("`dataset.options.mask_values.255` changed from cat to dog" in line for line in said)
