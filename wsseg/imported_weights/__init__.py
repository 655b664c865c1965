"""Import of weights trained elsewhere: torchvision's state dicts are converted to weights files of this package."""
