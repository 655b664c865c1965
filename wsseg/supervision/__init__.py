"""The dataset's splits, and the labels, masks and annotations of the training images."""
