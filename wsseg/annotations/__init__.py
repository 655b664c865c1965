"""Points, scribbles and boxes: read from files, or drawn from true masks to simulate an annotator. NumPy only."""

KINDS = ("points", "scribbles", "boxes")
MARKS = ("points", "scribbles")
"""Those that are marks on pixels."""
