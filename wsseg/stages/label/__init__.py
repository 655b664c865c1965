"""Stage 4: class maps to pseudo-masks."""
