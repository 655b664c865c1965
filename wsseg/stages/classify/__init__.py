"""Stage 1: train a classifier from image-level labels."""
