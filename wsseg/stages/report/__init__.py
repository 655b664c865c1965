"""Stage 7: one page that shows the run."""
