"""SEAM: a classifier whose class maps must agree between an image and a smaller view of the image."""

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
"""Level -> channels that the pixel correlation gets from it, besides the three of the image."""


@keras.saving.register_keras_serializable(package="wsseg")
class SEAMClassifier(Classifier):
    r"""Backbone, dropout of whole channels, a 1x1 convolution without bias to class maps, and pixel correlation.

    The mean of a class's map is its logit. During training the network gets each image twice, the second time at
    `view_scale` of its size. It learns the labels from both views, and that the maps of both agree (`Equivariance`).
    Refined maps are the class maps, spread over cells with similar features (`PixelCorrelation`). These features are
    the image's colours and two levels of the backbone; no gradient passes from the refined maps to these levels. The
    explainer `seam` gives the refined maps. At each cell only the strongest class is spread, even if the image is not
    labelled with it, as in the authors' code.

    Args:
        backbone: A network of `wsseg.backbones`.
        num_classes: Foreground classes; the background is not one.
        output_stride: Output stride of the features: 32, 16 or 8 (as published).
        weights: Weights of the backbone: None, "imagenet", or a weights file.
        input_size: `(H, W)`, or None for any size.
        activation: Activation of the output: None for logits, "sigmoid" for several labels per image, "softmax" for
            one.
        view_scale: Scale of the second view, in (0, 1); 0.3 as published.
        dropout: Share of the features' channels that is dropped during training; 0.5 as published.

    Raises:
        InputError: An option is not valid.

    Example:
        >>> import numpy as np
        >>> model = SEAMClassifier("mobilenet_0.25", num_classes=2, input_size=(64, 64))
        >>> model.refined_maps()(np.zeros((1, 64, 64, 3))).shape
        TensorShape([1, 4, 4, 2])

    References:
        Wang et al., Self-supervised Equivariant Attention Mechanism for Weakly Supervised Semantic Segmentation,
        CVPR 2020, and its public code. There the first layers and batch normalisation are frozen, maps are compared
        at the smaller view's pixels and not at the larger view's cells, and the colours are standardised with
        ImageNet's statistics. Here the smaller view has a margin, so that displaced cells cover all of it
        (`SmallerView`).
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
        # The model's output does not use the correlation; as attributes its layers are still saved and counted.
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
        """Return the network that gives the refined class maps (shared weights).

        Returns:
            A functional model: images `(B, H, W, 3)` -> `(B, h, w, K)` float32 in [0, 1].
        """
        image = self.inputs[0]
        refined = self._refined(image, self._network.outputs, self.class_maps, None)
        return keras.Model(image, refined[..., 1:], name=f"{self.name}_refined_maps")

    def to_train(self) -> keras.Model:
        """Return the network to train, with shared weights; it gives both views' logits and adds its own losses.

        Returns:
            A functional model: `[(B, H, W, 3) images, (B, H, W) valid, (B, K) labels in {0, 1}]` -> `(2 B, K)` float32
            logits: first those of the images, then those of the smaller views.

        Raises:
            InputError: The network accepts images of one size only.
        """
        if self.input_size is not None:
            raise InputError(
                f"`{self.name}` is trained with images of two sizes, but accepts only {self.input_size}; train one "
                "with `input_size=None`, and copy its weights to this one"
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
        """Return inputs and targets of `to_train`: the labels are an input too, and the targets of both views."""
        return (*inputs, labels), ops.concatenate([labels, labels])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the weights are saved separately."""
        return super().get_config() | {"view_scale": self.view_scale, "dropout": self.dropout}

    def _refined(self, image: Any, levels: list[Any], maps: Any, valid: Any) -> Any:
        """Return the refined class maps of a view, `(B, h, w, K + 1)`, background first."""
        strongest = self.strongest(maps) if valid is None else self.strongest(maps, valid)
        sides = [self.colours(image)]
        sides += [side(ops.stop_gradient(level)) for side, level in zip(self.context, levels[1:])]
        sides = [resize([side, maps]) for resize, side in zip(self.resized, sides)]
        given = [strongest, layers.Concatenate(dtype="float32")(sides)]
        return self.correlation(given if valid is None else [*given, valid])
