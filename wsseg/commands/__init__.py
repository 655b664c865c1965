"""What the command line offers beside running stages: explanations, scores of given files, datasets."""
