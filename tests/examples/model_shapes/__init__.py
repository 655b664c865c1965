"""Small models of every shape that an explainer should take.

Importing the files below fills the table `SHAPES`, in the order of the documentation.
"""

from examples.model_shapes import (  # noqa: F401
    heads,
    inputs_and_outputs,
    nested,
    own_classes,
    several_calls,
    trunks,
)
from examples.model_shapes.shape import SHAPES, Shape

__all__ = ["SHAPES", "Shape"]
