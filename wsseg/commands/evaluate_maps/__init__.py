"""`wsseg evaluate-maps`: how well explainers' maps fit the objects and the model."""
