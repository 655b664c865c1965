"""Stage 6: score what the run has made."""
