"""Commands that do not run stages: explanations, scores of given files, and datasets."""
