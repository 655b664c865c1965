"""One small run on the scenes, made once a session, that the tests of this folder look into or copy."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_run import network
from small_run.in_process import run_quietly
from small_run.recipe import write_recipe


@dataclass(frozen=True)
class Finished:
    """A run that nobody has disturbed.

    Attributes:
        folder: The run folder; not to be written to.
        recipe: The recipe's file.
        output: What the command printed.
    """

    folder: Path
    recipe: Path
    output: str

    def copy(self, to: Path, *without: str) -> Path:
        """Copy the run folder, less some of the stages' folders."""
        return shutil.copytree(
            self.folder, to, symlinks=True, ignore=lambda _, names: set(names) & {*without}
        )


@pytest.fixture(scope="session", autouse=True)
def tiny_backbone():
    network.register()


@pytest.fixture(scope="session")
def scenes_cache(tmp_path_factory):
    """Render the scenes once, and not into the user's cache."""
    before = os.environ.get("WSSEG_CACHE")
    os.environ["WSSEG_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield Path(os.environ["WSSEG_CACHE"])
    if before is None:
        del os.environ["WSSEG_CACHE"]
    else:
        os.environ["WSSEG_CACHE"] = before


@pytest.fixture(scope="session")
def finished(scenes_cache, tmp_path_factory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    recipe = write_recipe(folder / "small.yaml", {"ceiling": True})
    status, output = run_quietly("run", recipe, "--run", folder / "run")
    assert status == 0, output
    return Finished(folder / "run", recipe, output)


@pytest.fixture
def command():
    return run_quietly
