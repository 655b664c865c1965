"""Independent slow NumPy twins of what the package computes."""
