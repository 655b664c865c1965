import subprocess
import sys

import pytest

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
