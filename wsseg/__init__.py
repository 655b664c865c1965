"""Weakly supervised semantic segmentation and explainability in Keras 3 on TensorFlow.

From images with nothing but image-level labels to a trained segmenter, as a chain of stages
(`wsseg.stages`), and explanations of any Keras model (`wsseg.explainers`).
"""

__version__ = "0.1.0"
