"""The class of all segmenters: a functional model that knows how it was built."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from wsseg.backbones.alignment import grids
from wsseg.backbones.layer_grids import rule_of
from wsseg.class_names import check_class_names
from wsseg.layers.grid_rules import whole_image
from wsseg.layers.legal_sizes import LegalSizes


@dataclass(frozen=True)
class Graph:
    """What the builder of a network returns.

    Attributes:
        image: The input, `(B, H, W, 3)` RGB in [0, 255].
        logits: `(B, H - 2 margin, W - 2 margin, num_classes)` float32.
        backbone: The network whose layers are pretrained and learn at the base rate (all others are the head),
            or None where all layers learn alike.
        auxiliary: Logits of a second head of the same shape, for a second loss while training; or None.
        sizes: The image sizes that the network takes.
        margin: Pixels that the logits lack at each border (networks without padding).
    """

    image: keras.KerasTensor
    logits: keras.KerasTensor
    backbone: keras.Model | None = None
    auxiliary: keras.KerasTensor | None = None
    sizes: LegalSizes = field(default_factory=LegalSizes)
    margin: int = 0


@keras.saving.register_keras_serializable(package="wsseg")
class Segmenter(keras.Model):
    """A segmentation network: images `(B, H, W, 3)` in [0, 255] -> class logits a pixel, float32.

    Made by `wsseg.segmenters.create`, which a saved one calls again when it is loaded.

    Args:
        graph: What the builder made.
        network: Its name in `SEGMENTERS`.
        options: All options that it was built with but the weights.
        name: Of the model.

    Attributes:
        auxiliary: The second head as a model, image -> its logits, or None. Its weights are among this model's
            (saved, loaded, counted by `count_params`); calling this model doesn't compute it.
        num_classes: Background included.
        class_names: Names of the classes, background first; None where they are not known.
        backbone_layers: Names of the backbone's layers.
        sizes: The image sizes that it takes.
        margin: Pixels that the logits lack at each border.
    """

    def __init__(
        self,
        graph: Graph,
        network: str,
        options: dict[str, Any],
        name: str | None = None,
        class_names: Sequence[str] | None = None,
    ):
        # === Functional model ===
        super().__init__(inputs=graph.image, outputs=graph.logits, name=name or network)
        self.auxiliary = None
        if graph.auxiliary is not None:
            self.auxiliary = keras.Model(graph.image, graph.auxiliary, name="auxiliary")

        # === Config ===
        # Tuples always: a recipe and a saved file give lists, and equal networks have equal configs.
        self.options = {
            name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
        }
        self.network = network
        self.num_classes = graph.logits.shape[-1]
        self.class_names = check_class_names(class_names, self.num_classes)
        self.sizes, self.margin = graph.sizes, graph.margin
        self.backbone_layers = tuple(layer.name for layer in graph.backbone.layers) if graph.backbone else ()

    @property
    def output_stride(self) -> int:
        """Pixels from cell to cell of the coarsest features."""
        return round(max(max(grid.stride_hw) for grid in grids(self).values()))

    @property
    def pools_globally(self) -> bool:
        """Whether a layer pools over the whole image, so that filling an image up changes every pixel's logits.

        PSPNet's bins, the image pooling of DeepLab v3 and v3+, ParseNet's average, EfficientNet's squeezing.
        """
        return any(rule_of(layer) is whole_image for layer in self.layers)

    def named_layers(self) -> dict[str, keras.layers.Layer]:
        """Return all layers by name; `layers` lacks those that only the second head has."""
        parts = [self] if self.auxiliary is None else [self, self.auxiliary]
        return {layer.name: layer for part in parts for layer in part.layers}

    @property
    def head_variables(self) -> list[keras.Variable]:
        """The trainable variables that are not the backbone's; none where there is no backbone."""
        if not self.backbone_layers:
            return []
        return [
            variable
            for name, layer in self.named_layers().items()
            if name not in self.backbone_layers
            for variable in layer.trainable_variables
        ]

    def with_auxiliary(self) -> keras.Model:
        """Return the network to train: with a second head, both heads' logits side by side in one output.

        Returns:
            Images -> `(B, H, W, num_classes)` or, with a second head, `(B, H, W, 2 num_classes)`, whose loss is
            `wsseg.losses.WithAuxiliary`. The variables are this network's.
        """
        if self.auxiliary is None:
            return self
        both = keras.layers.Concatenate(name="both_heads", dtype="float32")
        return keras.Model(self.inputs[0], both([self.output, self.auxiliary.output]), name=self.name)

    def get_config(self) -> dict[str, Any]:
        """Return what `create` needs to build the network again; the weights are saved apart."""
        names = self.class_names and list(self.class_names)
        return {"network": self.network, "options": self.options, "name": self.name, "class_names": names}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Segmenter":
        """Rebuild from `get_config`."""
        from wsseg import segmenters

        names = {"name": config["name"], "class_names": config.get("class_names")}
        return segmenters.create(config["network"], **names, **config["options"])
