"""Explainers: which parts of an image a Keras model's score for a class depends on."""

from typing import Any

import keras

from wsseg import catalogue

EXPLAINERS = {
    "cam": "wsseg.explainers.cam:CAM",
    "grad_cam": "wsseg.explainers.grad_cam:GradCAM",
    "grad_cam_pp": "wsseg.explainers.grad_cam_pp:GradCAMPlusPlus",
    "xgrad_cam": "wsseg.explainers.xgrad_cam:XGradCAM",
    "hires_cam": "wsseg.explainers.hires_cam:HiResCAM",
    "layer_cam": "wsseg.explainers.layer_cam:LayerCAM",
    "eigen_cam": "wsseg.explainers.eigen_cam:EigenCAM",
    "counterfactual": "wsseg.explainers.counterfactual:CounterfactualGradCAM",
    "score_cam": "wsseg.explainers.score_cam:ScoreCAM",
    "ablation_cam": "wsseg.explainers.ablation_cam:AblationCAM",
    "attention_rollout": "wsseg.explainers.attention_rollout:AttentionRollout",
    "attention_relevance": "wsseg.explainers.attention_relevance:AttentionRelevance",
    "acol": "wsseg.explainers.acol:ACoL",
    "seam": "wsseg.explainers.seam:SEAM",
    "guided_backprop": "wsseg.explainers.guided_backprop:GuidedBackprop",
    "guided_grad_cam": "wsseg.explainers.guided_grad_cam:GuidedGradCAM",
    "smooth_grad": "wsseg.explainers.smooth_grad:SmoothGrad",
    "integrated_gradients": "wsseg.explainers.integrated_gradients:IntegratedGradients",
    "occlusion": "wsseg.explainers.occlusion:Occlusion",
    "rise": "wsseg.explainers.rise:RISE",
}


def __getattr__(name: str) -> Any:
    """Import the callback `TrainingMaps` when it is used: it needs this module, and Matplotlib."""
    if name != "TrainingMaps":
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    from wsseg.explainers.training_maps import TrainingMaps

    return TrainingMaps


def create(name: str, model: keras.Model, **options: Any):
    """Build an explainer of `model` by name.

    Args:
        name: A key of `EXPLAINERS`.
        model: Any Keras model with an image among its inputs. It may be functional or sequential, with nested models,
            or subclassed with a named layer; then its own outputs are explained, including a final softmax.
        options: Options of the explainer. All explainers take `layer`, the layer to explain, and `output`, the name or
            position of the output to explain; nearly all take `image`, the explained image of a model with several,
            and those of a layer `reshape`, the grid of a vision transformer's tokens (found if left out; see
            `wsseg.explainers.core.Explainer`).

    Returns:
        An explainer (`wsseg.explainers.core.Explainer`); call it with images and targets.

    Raises:
        InputError: No explainer or option has that name; the message suggests the nearest name.

    Example:
        >>> import numpy as np
        >>> from wsseg import classifiers
        >>> model = classifiers.create("gap", backbone="mobilenet_0.25", num_classes=3, input_size=(64, 64))
        >>> create("grad_cam", model=model)(np.zeros((1, 64, 64, 3)), [0]).shape
        (1, 64, 64)
    """
    explainer = catalogue.load(EXPLAINERS, name, "explainer")
    catalogue.check_options(
        f"explainer `{name}`", options, catalogue.options_of(explainer, without=["model"])
    )
    return explainer(model, **options)
