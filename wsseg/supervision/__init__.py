"""The dataset's splits, and what the training images come with."""
