"""Segmentation networks: class scores for each pixel of an image."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsseg import catalogue
from wsseg.errors import InputError, is_whole, require_whole

if TYPE_CHECKING:
    from wsseg.segmenters.segmenter import Segmenter


@dataclass(frozen=True)
class Variant:
    """One name of a network.

    Attributes:
        builder: "module:function". The function returns a `wsseg.segmenters.segmenter.Graph`; its parameters are the
            network's options, and its defaults are the published network.
        fixed: Fixed arguments of this variant; they are not options.
    """

    builder: str
    fixed: Mapping[str, Any] = field(default_factory=dict)


SEGMENTERS = {
    "fcn_32s": Variant("wsseg.segmenters.fcn:fcn", {"stride": 32}),
    "fcn_16s": Variant("wsseg.segmenters.fcn:fcn", {"stride": 16}),
    "fcn_8s": Variant("wsseg.segmenters.fcn:fcn", {"stride": 8}),
    "unet": Variant("wsseg.segmenters.unet:unet", {"padding": "same"}),
    "unet_valid": Variant("wsseg.segmenters.unet:unet", {"padding": "valid"}),
    "deconvnet": Variant("wsseg.segmenters.deconvnet:deconvnet"),
    "segnet": Variant("wsseg.segmenters.segnet:segnet"),
    "parsenet": Variant("wsseg.segmenters.parsenet:parsenet"),
    "deeplab_v1": Variant("wsseg.segmenters.deeplab_v1:deeplab_v1"),
    "deeplab_v2": Variant("wsseg.segmenters.deeplab_v2:deeplab_v2"),
    "deeplab_v3": Variant("wsseg.segmenters.deeplab_v3:deeplab_v3"),
    "deeplab_v3_plus": Variant("wsseg.segmenters.deeplab_v3_plus:deeplab_v3_plus"),
    "pspnet": Variant("wsseg.segmenters.pspnet:pspnet"),
    "fpn": Variant("wsseg.segmenters.fpn:fpn"),
    "fcn_resnet50": Variant("wsseg.segmenters.torchvision:fcn_resnet", {"depth": 50}),
    "fcn_resnet101": Variant("wsseg.segmenters.torchvision:fcn_resnet", {"depth": 101}),
    "deeplab_v3_resnet50": Variant("wsseg.segmenters.torchvision:deeplab_v3_resnet", {"depth": 50}),
    "deeplab_v3_resnet101": Variant("wsseg.segmenters.torchvision:deeplab_v3_resnet", {"depth": 101}),
}


def create(name: str, /, **options: Any) -> "Segmenter":
    """Build a segmenter by name.

    Args:
        name: A key of `SEGMENTERS`. It becomes the model's name, unless `options` has a `name`. `options` may also
            have `class_names`, background first, with which the model is saved.
        options: Options of the builder: `num_classes` (background included) and, each with a default,
            `input_size` (`(H, W)`, or None for any), `weights` (weights of the backbone: None, "imagenet", or a
            weights file; or a `.keras` file of a segmenter, whose weights are copied to layers of the same name and
            shape), `backbone`, `output_stride`, `channels` ... None means the default.

    Returns:
        A functional `keras.Model`: `(B, H, W, 3)` RGB in [0, 255] -> `(B, H, W, num_classes)` float32 logits.

    Raises:
        InputError: There is no segmenter or option of that name (the message names the nearest), or the network does
            not support a value.

    Example:
        >>> model = create("deeplab_v3_plus", backbone="mobilenet_0.25", num_classes=3, input_size=(64, 64))
        >>> model.output_shape
        (None, 64, 64, 3)
    """
    from wsseg.segmenters.initialise import is_segmenter_file, start_from
    from wsseg.segmenters.segmenter import Segmenter

    catalogue.check_name(SEGMENTERS, name, "segmenter")
    variant = SEGMENTERS[name]
    model_name, class_names = options.pop("name", None), options.pop("class_names", None)
    chosen = {option: value for option, value in options.items() if value is not None}
    takes = options_of(name)
    catalogue.check_options(f"segmenter `{name}`", chosen, takes)
    if not isinstance(chosen.get("input_size", ()), tuple | list):
        raise InputError(
            f"`input_size` must be (height, width); got {chosen['input_size']!r}; try (320, 320)"
        )
    require_whole("channels", chosen.get("channels", 1), hint="remove it for the published number")
    num_classes = chosen.get("num_classes")
    if not is_whole(num_classes, 2):
        raise InputError(
            f"`num_classes` counts the background, so it must be at least 2; got {num_classes!r}"
        )
    chosen = takes | chosen
    weights = chosen.pop("weights", None)
    other = weights if is_segmenter_file(weights) else None
    if chosen.get("input_size") is not None:
        chosen["input_size"] = tuple(chosen["input_size"])
    build = catalogue.load({name: variant.builder}, name, "segmenter")
    arguments = {**chosen, **variant.fixed}
    graph = build(**arguments, **({"weights": None if other else weights} if "weights" in takes else {}))
    if chosen.get("backbone") and graph.backbone is not None:
        from wsseg import backbones

        chosen["backbone"] = backbones.full_name(graph.backbone)  # includes the width of a MobileNet
        if hasattr(graph.backbone, "sizes"):  # a network of keras-hub supports whole patches only
            graph = dataclasses.replace(graph, sizes=graph.backbone.sizes)
    model = Segmenter(graph, name, chosen, model_name, class_names)
    if other:
        start_from(model, other)
    return model


def options_of(name: str) -> dict[str, Any]:
    """Return the options of a segmenter with their defaults; `num_classes` has no default, so it is None."""
    variant = SEGMENTERS[name]
    build = catalogue.load({name: variant.builder}, name, "segmenter")
    return catalogue.options_of(build, without=variant.fixed)
