"""Stage 7: one page to look at."""
