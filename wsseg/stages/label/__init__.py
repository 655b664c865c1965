"""Stage 4: make pseudo-masks from class maps."""
