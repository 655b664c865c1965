"""The class of all segmenters: a functional model that stores how it was built."""

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
    """Result of a network's builder.

    Attributes:
        image: The input, `(B, H, W, 3)` RGB in [0, 255].
        logits: `(B, H - 2 margin, W - 2 margin, num_classes)` float32.
        backbone: Network of the pretrained layers, which train at the base learning rate; all other layers are the
            head. None if all layers train at the same rate.
        auxiliary: Logits of a second head, of the same shape, for a second training loss; or None.
        sizes: Image sizes that the network supports.
        margin: Pixels by which the logits are smaller at each border (networks without padding).
    """

    image: keras.KerasTensor
    logits: keras.KerasTensor
    backbone: keras.Model | None = None
    auxiliary: keras.KerasTensor | None = None
    sizes: LegalSizes = field(default_factory=LegalSizes)
    margin: int = 0


@keras.saving.register_keras_serializable(package="wsseg")
class Segmenter(keras.Model):
    """A segmentation network: images `(B, H, W, 3)` in [0, 255] -> class logits of each pixel, float32.

    `wsseg.segmenters.create` builds it; loading a saved segmenter calls `create` again.

    Args:
        graph: Result of the builder.
        network: Name of the network in `SEGMENTERS`.
        options: All options that it was built with, except the weights.
        name: Name of the model; None for the name of the network.
        class_names: Names of the classes, background first; None if they are not known.

    Attributes:
        auxiliary: The second head as a model, image -> logits, or None. Its weights belong to this model (they are
            saved, loaded, and counted by `count_params`), but calling this model does not compute it.
        num_classes: Number of classes, including the background.
        class_names: Names of the classes, background first; None if they are not known.
        backbone_layers: Names of the backbone's layers.
        sizes: Image sizes that the network supports.
        margin: Pixels by which the logits are smaller at each border.
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
        # Lists become tuples: recipes and saved files give lists, and equal networks must have equal configs.
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
        """Stride of the coarsest features, pixels."""
        return round(max(max(grid.stride_hw) for grid in grids(self).values()))

    @property
    def pools_globally(self) -> bool:
        """Whether a layer pools over the whole image. If so, padding an image changes the logits of every pixel.

        Such layers are PSPNet's bins, the image pooling of DeepLab v3 and v3+, ParseNet's average, and EfficientNet's
        squeeze-and-excitation.
        """
        return any(rule_of(layer) is whole_image for layer in self.layers)

    def named_layers(self) -> dict[str, keras.layers.Layer]:
        """Return all layers by name, including those of the second head, which are not in `layers`."""
        parts = [self] if self.auxiliary is None else [self, self.auxiliary]
        return {layer.name: layer for part in parts for layer in part.layers}

    @property
    def head_variables(self) -> list[keras.Variable]:
        """The trainable variables outside the backbone; empty if there is no backbone."""
        if not self.backbone_layers:
            return []
        return [
            variable
            for name, layer in self.named_layers().items()
            if name not in self.backbone_layers
            for variable in layer.trainable_variables
        ]

    def with_auxiliary(self) -> keras.Model:
        """Return the network for training. If there is a second head, the logits of both heads form one output.

        Returns:
            A model, images -> `(B, H, W, num_classes)` or, with a second head, `(B, H, W, 2 num_classes)` for the loss
            `wsseg.losses.WithAuxiliary`. It shares its variables with this network.
        """
        if self.auxiliary is None:
            return self
        both = keras.layers.Concatenate(name="both_heads", dtype="float32")
        return keras.Model(self.inputs[0], both([self.output, self.auxiliary.output]), name=self.name)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments with which `create` builds the network again; the weights are saved separately."""
        names = self.class_names and list(self.class_names)
        return {"network": self.network, "options": self.options, "name": self.name, "class_names": names}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Segmenter":
        """Build the network from the result of `get_config`."""
        from wsseg import segmenters

        names = {"name": config["name"], "class_names": config.get("class_names")}
        return segmenters.create(config["network"], **names, **config["options"])
