import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wsseg

LIGHT = [
    "wsseg",
    "wsseg.artifacts",
    "wsseg.objects.instances",
    "wsseg.datasets",
    "wsseg.metrics",
    "wsseg.recipe",
    "wsseg.refiners",
    "wsseg.report",
]
# Worker processes import these two.
LIGHT += ["wsseg.stages.label.stage", "wsseg.stages.evaluate.score_labels"]

PROGRAM = """
import importlib, pkgutil, sys
package = importlib.import_module({name!r})
if {name!r} != "wsseg":
    for module in pkgutil.walk_packages(getattr(package, "__path__", []), {name!r} + "."):
        importlib.import_module(module.name)
heavy = sorted(set(sys.modules) & {{"tensorflow", "keras", "keras_cv", "torch", "jax"}})
sys.exit("imported " + ", ".join(heavy) if heavy else 0)
"""


@pytest.mark.parametrize("name", LIGHT)
def test_imports_neither_tensorflow_nor_keras(name):
    """Each of these packages, with every module in it, in a fresh process."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(name=name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def imported_names(body: list[ast.stmt]) -> Iterator[str]:
    """Yield what a module imports when it is imported itself: nothing inside functions or under TYPE_CHECKING."""
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, "write imports in full"
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
        elif isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            yield from imported_names(statement.orelse)
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "handlers", "orelse", "finalbody"):
                yield from imported_names(getattr(statement, part, []))


def import_graph(sources: dict[str, str]) -> dict[str, set[str]]:
    """Return which modules each module imports; `from package import module` imports that module.

    Args:
        sources: Full name of a module -> its text.
    """
    graph: dict[str, set[str]] = {}
    for module, text in sources.items():
        names = set(imported_names(ast.parse(text).body))
        graph[module] = {
            name if name in sources else name.rpartition(".")[0]
            for name in names
            if name in sources or name.rpartition(".")[0] in sources
        }
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of one circle of imports, in order; none where there is no circle."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def package_graph() -> dict[str, set[str]]:
    """Return the import graph of wsseg."""
    root = Path(wsseg.__file__).parent
    sources = {}
    for file in root.rglob("*.py"):
        parts = file.relative_to(root.parent).with_suffix("").parts
        sources[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file.read_text()
    return import_graph(sources)


def test_no_modules_import_each_other_in_a_circle():
    graph = package_graph()
    assert len(graph) > 300
    assert graph["wsseg.catalogue"] == {"wsseg.errors"}
    assert circle(graph) == []


def test_a_circle_is_found_where_there_is_one():
    sources = {
        "p": "",
        "p.a": "from p import b",
        "p.b": "class B:\n    import p.c",
        "p.c": "from p.a import x",
    }
    assert set(circle(import_graph(sources))) == {"p.a", "p.b", "p.c"}
    for later in (
        "def f():\n    from p.a import x",
        "if TYPE_CHECKING:\n    from p.a import x",
        "import p",
        "from os import path",
    ):
        assert circle(import_graph(sources | {"p.c": later})) == []


ORDER = """
keras_classes
errors file_names progress stopping worker_process memory
pixel_cap
palette image_files image_arrays catalogue processes quiet_start class_names
grid channel_images
interpolation artifacts
remembered
objects
metrics annotations
refiners
layers losses report datasets recipe
backbones loading one_trace
classifiers affinity detectors supervision
saved_models
segmenters explainers
training faithfulness places
imported_weights
stages
engine inference
commands
cli
__main__
"""
"""Rooms and files of the package from the ground up: each may import what stands in a line above, and nothing else."""

PACKAGE = 1
"""Level of `wsseg` itself: it imports the first line alone, so that it stays light."""

LEVELS = {room: level for level, line in enumerate(ORDER.strip().splitlines()) for room in line.split()}


def against_the_order(graph: dict[str, set[str]]) -> list[str]:
    """Return the imports that do not run from a later line to an earlier one, or stay inside a room."""
    found = []
    for module, imported in graph.items():
        for other in imported:
            room, its = (name.split(".")[1] if "." in name else "" for name in (module, other))
            if room != its and its and LEVELS[its] >= LEVELS.get(room, PACKAGE):
                found.append(f"{module} -> {other}")
    return sorted(found)


def test_imports_run_down_the_stated_order():
    graph = package_graph()
    assert {name.split(".")[1] for name in graph if "." in name} == set(LEVELS)
    assert against_the_order(graph) == []


def test_an_import_against_the_order_is_found():
    graph = {"wsseg.errors": {"wsseg.engine.run"}, "wsseg.engine.run": {"wsseg.errors", "wsseg.engine.a"}}
    assert against_the_order(graph) == ["wsseg.errors -> wsseg.engine.run"]
    assert against_the_order({"wsseg.losses.dice": {"wsseg.layers.aspp"}}) != []
