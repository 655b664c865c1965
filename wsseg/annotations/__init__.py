"""Points, scribbles and boxes: read from files, or drawn from true masks to simulate an annotator. No TensorFlow."""

KINDS = ("points", "scribbles", "boxes")
MARKS = ("points", "scribbles")
"""The kinds that are marks on pixels."""
