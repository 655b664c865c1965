"""Stage 6: score the results of the run."""
