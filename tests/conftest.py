"""Shared test set-up: quiet TensorFlow, no GPU, and `tests/` on the path for `references`."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")
sys.path.insert(0, str(Path(__file__).parent))

collect_ignore = ["conftest.py"]  # it holds no example to run, and several folders have a file of this name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep a file's tests in one process, and those of `end_to_end`, which share a run."""
    from xdist.scheduler import LoadFileScheduling

    class ByRun(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return "end_to_end" if "/end_to_end/" in nodeid else super()._split_scope(nodeid)

    return ByRun(config, log)


@pytest.fixture(autouse=True)
def _same_random_weights():
    """Start every test from the same random state, so that none depends on which ran before it."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _nothing_left_behind():
    """Let go of what Keras keeps of a file's models, and of the deterministic operations that a stage asks for.

    To collect the models is left to Python, as it takes a second a file.
    """
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session(free_memory=False)
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework import config

        config.disable_op_determinism()
