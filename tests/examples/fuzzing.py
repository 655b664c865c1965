"""Many generated inputs for one property: a few hundred in the fast tests, thousands in the slow ones."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy


def counts(fast: int, slow: int):
    """Return a parametrisation `count`: the slow number is for `make test-all`."""
    return pytest.mark.parametrize("count", [fast, pytest.param(slow, marks=pytest.mark.slow)])


def hold(check: Callable[[Any], None], inputs: SearchStrategy, count: int) -> None:
    """Call a check with generated inputs, the same ones in every run.

    Args:
        check: Function that fails if its input is treated wrongly.
        inputs: Where the inputs come from.
        count: Number of inputs.
    """
    given(inputs)(
        settings(
            max_examples=count,
            deadline=None,
            database=None,
            derandomize=True,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )(check)
    )()
