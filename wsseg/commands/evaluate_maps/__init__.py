"""`wsseg evaluate-maps`: measure how well explainers' maps fit the objects and the model."""
