"""Weights trained elsewhere: torchvision's state dicts become files that this package starts from."""
