"""Weakly supervised semantic segmentation and explainability in Keras 3 on TensorFlow.

A chain of stages leads from images with only image-level labels to a trained segmenter (`wsseg.stages`).
`wsseg.explainers` explains any Keras model.
"""

__version__ = "0.1.0"
