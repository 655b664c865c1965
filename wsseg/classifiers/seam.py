"""SEAM: a classifier whose class maps must agree between an image and the same image made smaller."""

from typing import Any

import keras
from keras import layers, ops

from wsseg import backbones
from wsseg.backbones.alignment import grids
from wsseg.backbones.placement import place
from wsseg.classifiers.classifier import Classifier
from wsseg.classifiers.equivariance import Equivariance
from wsseg.classifiers.options import require_share
from wsseg.classifiers.smaller_view import OnImageCells, SmallerView
from wsseg.classifiers.strongest_class import StrongestClass
from wsseg.errors import InputError
from wsseg.layers.bilinear_resize import BilinearResizeTo
from wsseg.layers.masked_pooling import MaskedGlobalAveragePooling2D
from wsseg.layers.pixel_correlation import PixelCorrelation

CONTEXT = {"level_3": 64, "level_4": 128}
"""Channels that the correlation gets of each level, beside the image's three."""


@keras.saving.register_keras_serializable(package="wsseg")
class SEAMClassifier(Classifier):
    r"""Backbone, dropout of whole channels, a 1x1 convolution without bias to class maps, and pixel correlation.

    The mean of a class's map is its logit. While training the network sees each image twice, the second time at
    `view_scale` of its size, and learns the labels from both and that the maps of both agree (`Equivariance`).
    Refined maps are the class maps spread over cells of alike features (`PixelCorrelation`, by the image's colours
    and two levels of the backbone, which learn nothing by it); the explainer `seam` shows them. At each cell only the
    strongest class is spread, whether the image is labelled with it or not, as in the authors' code.

    Args:
        backbone: A network of `wsseg.backbones`.
        num_classes: Foreground classes; the background is not one.
        output_stride: 32, 16 or 8 (as published), of the features.
        weights: Of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        activation: Of the output: None for logits, "sigmoid" for several labels an image, "softmax" for one.
        view_scale: Of the second view; 0.3 as published.
        dropout: Share of the features' channels that is dropped while training; 0.5 as published.

    Raises:
        InputError: An option that can't work.

    Example:
        >>> import numpy as np
        >>> model = SEAMClassifier("mobilenet_0.25", num_classes=2, input_size=(64, 64))
        >>> model.refined_maps()(np.zeros((1, 64, 64, 3))).shape
        TensorShape([1, 4, 4, 2])

    References:
        Wang et al., Self-supervised Equivariant Attention Mechanism for Weakly Supervised Semantic Segmentation,
        CVPR 2020, and its public code. There the first layers and batch normalisation are frozen, maps are compared
        at the smaller view's pixels and not at the larger view's cells, and the colours are ImageNet's standard scores.
        Here the smaller view has a margin, so that cells which are displaced see all of it (`SmallerView`).
    """

    explainers = ("seam", "cam")

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        output_stride: int = 16,
        weights: str | None = None,
        input_size: tuple[int, int] | None = None,
        activation: str | None = None,
        view_scale: float = 0.3,
        dropout: float = 0.5,
        name: str = "seam_classifier",
        **kwargs: Any,
    ):
        require_share("view_scale", view_scale, 0.3)
        require_share("dropout", dropout, 0.5, zero=True)

        # === Layers ===
        full = backbones.create(backbone, output_stride, weights=weights, input_size=input_size)
        levels = [full.output[level] for level in ("level_5", *CONTEXT)]
        network = keras.Model(full.inputs[0], levels, name=full.name)
        network.full_name = backbones.full_name(full)
        pooling = MaskedGlobalAveragePooling2D(name="pooling")
        drop = layers.SpatialDropout2D(dropout, name="dropout")
        classes = layers.Conv2D(num_classes, 1, use_bias=False, name="class_maps")

        # === Functional model ===
        maps = classes(drop(network.outputs[0]))

        def logits(valid: Any) -> Any:
            return pooling(maps, valid)

        super().__init__(network, logits, num_classes, output_stride, activation, name, **kwargs)

        # === Config ===
        self.view_scale, self.dropout = view_scale, dropout
        self.pooling, self.class_maps = pooling, maps
        # The model's output does not pass the correlation; as attributes its layers are saved and counted all the same.
        self._network, self._maps_of = network, lambda features: classes(drop(features))
        self.colours = layers.Rescaling(1 / 64, offset=-2.0, name="colours")
        self.context = [
            layers.Conv2D(
                channels,
                1,
                use_bias=False,
                activation="relu",
                kernel_initializer="he_normal",
                name=f"context_{level}",
            )
            for level, channels in CONTEXT.items()
        ]
        self.resized = [
            BilinearResizeTo(**place(full, level, "level_5"), name=f"{level or 'image'}_resized")
            for level in (None, *CONTEXT)
        ]
        self.strongest = StrongestClass(name="strongest")
        self.correlation = PixelCorrelation(sum(CONTEXT.values()), name="correlation")
        self.equivariance = Equivariance(name="equivariance")
        grid = grids(full)[id(full.output["level_5"])]
        place_of = {"scale": view_scale, "stride_hw": grid.stride_hw, "centre_hw": grid.centre_hw}
        self.smaller = SmallerView(**place_of, name="smaller")
        self.on_image_cells = OnImageCells(**place_of, name="on_image_cells")
        self.refined_maps()  # builds them

    def refined_maps(self) -> keras.Model:
        """Return the network of the refined class maps (shared weights).

        Returns:
            A functional model: `(B, H, W, 3)` images -> `(B, h, w, K)` float32, in [0, 1].
        """
        image = self.inputs[0]
        refined = self._refined(image, self._network.outputs, self.class_maps, None)
        return keras.Model(image, refined[..., 1:], name=f"{self.name}_refined_maps")

    def to_train(self) -> keras.Model:
        """Return the network to train (shared weights), which gives both views' logits and adds its own losses.

        Returns:
            A functional model: `[(B, H, W, 3) images, (B, H, W) valid, (B, K) labels in {0, 1}]` -> `(2 B, K)` float32:
            the images', then the smaller views'.

        Raises:
            InputError: The network takes images of one size only.
        """
        if self.input_size is not None:
            raise InputError(
                f"`{self.name}` learns from images at two sizes and takes {self.input_size} only; train one with "
                "`input_size=None`, and set its weights in this one"
            )
        image, valid = self.inputs[0], self._valid()
        labels = keras.Input((self.num_classes,), name="labels", dtype="float32")
        smaller, smaller_valid = self.smaller(image, valid)
        levels = self._network(smaller)
        views = [
            (image, self._network.outputs, self.class_maps, valid),
            (smaller, levels, self._maps_of(levels[0]), smaller_valid),
        ]
        logits = layers.Concatenate(axis=0)([self.pooling(maps, inside) for _, _, maps, inside in views])
        logits = layers.Activation("linear", dtype="float32", name="logits")(logits)
        maps = [views[0][2], self.on_image_cells(views[1][2], self.class_maps, image)]
        refined = [self._refined(*view) for view in views]
        refined[1] = self.on_image_cells(refined[1], self.class_maps, image)
        outputs = self.equivariance(logits, maps, refined, labels, valid)
        return keras.Model([image, valid, labels], outputs, name=f"{self.name}_to_train")

    def example(self, inputs: tuple[Any, Any], labels: Any) -> tuple[Any, Any]:
        """Return what `to_train` learns from: the labels are an input too, and the targets of both views."""
        return (*inputs, labels), ops.concatenate([labels, labels])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the weights are saved apart."""
        return super().get_config() | {"view_scale": self.view_scale, "dropout": self.dropout}

    def _refined(self, image: Any, levels: list[Any], maps: Any, valid: Any) -> Any:
        """Spread a view's class maps: `(B, h, w, K + 1)`, background first."""
        strongest = self.strongest(maps) if valid is None else self.strongest(maps, valid)
        sides = [self.colours(image)]
        sides += [side(ops.stop_gradient(level)) for side, level in zip(self.context, levels[1:])]
        sides = [resize([side, maps]) for resize, side in zip(self.resized, sides)]
        given = [strongest, layers.Concatenate(dtype="float32")(sides)]
        return self.correlation(given if valid is None else [*given, valid])
