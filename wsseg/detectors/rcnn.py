"""The class of two-stage detectors: Faster and Mask R-CNN, with one feature map or a pyramid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from wsseg.class_names import check_class_names
from wsseg.detectors import losses
from wsseg.detectors.boxes import HEAD_VARIANCE, RPN_VARIANCE, decode, encode, pairwise_iou
from wsseg.detectors.matching import match, sample
from wsseg.detectors.suppression import suppress
from wsseg.layers.roi_align import align

RPN_LOW, RPN_HIGH = 0.3, 0.7
RPN_SAMPLES, RPN_POSITIVE = 256, 0.5
PROPOSAL_NMS = 0.7
HEAD_MATCH = 0.5
HEAD_POSITIVE = 0.25
"""Published values: Ren et al. 2015, section 3.1; Girshick 2015, section 2.3; Lin et al. 2017, section 5.1."""


@dataclass(frozen=True)
class Parts:
    """The parts from which `wsseg.detectors.create` makes a detector.

    Attributes:
        trunk: Model: images -> feature maps, finest first.
        backbone_layers: Names of the trunk's pretrained layers.
        anchors: Anchors of each feature map, `(N, 4)` xyxy in pixels.
        pooled: Number of feature maps, counted from the finest, from which the features of regions are pooled.
        rpn: Region proposal network, from `heads.proposal_head`.
        pool_boxes: Layer: feature maps and regions -> features of the regions.
        box_head: Head for classes and boxes, from `heads.box_head`.
        pool_masks: Layer like `pool_boxes` for the mask head, or None without masks.
        mask_head: Head for masks, from `heads.mask_head`, or None.
    """

    trunk: keras.Model
    backbone_layers: tuple[str, ...]
    anchors: list[np.ndarray]
    pooled: int
    rpn: keras.Model
    pool_boxes: keras.layers.Layer
    box_head: keras.Model
    pool_masks: keras.layers.Layer | None = None
    mask_head: keras.Model | None = None


@keras.saving.register_keras_serializable(package="wsseg")
class RCNN(keras.Model):
    """A two-stage detector, made by `wsseg.detectors.create`.

    For images `(B, H, W, 3)` RGB in [0, 255] of size `input_size`, a call (or `predict`) returns
    `{"boxes": (B, D, 4) float32 xyxy in pixels, "scores": (B, D), "classes": (B, D) int32 mask ids, 0 = no detection}`,
    best first. With a mask head there is also `"masks": (B, D, h, h)`, the mask's probabilities inside each box.

    For training, compile it without a loss and `fit` it on batches that are dictionaries: `images`; `boxes (B, M, 4)`
    xyxy and `classes (B, M)` mask ids, both filled up with 0; and with a mask head `masks (B, M, H, W)` of zeros and
    ones.

    Args:
        parts: Parts of the detector.
        network: Name of the detector in `DETECTORS`.
        options: All options that it was built with, except the weights.
        name: Name of the model; None for the name of the detector.
        class_names: Names of the classes, background first; None if they are not known.

    Attributes:
        num_classes: Number of classes, including the background.
        class_names: Names of the classes, background first; None if they are not known.
        input_size: `(H, W)` of the input images.
        backbone_layers: Names of the backbone's layers.
    """

    def __init__(
        self,
        parts: Parts,
        network: str,
        options: dict[str, Any],
        name: str | None = None,
        class_names: Sequence[str] | None = None,
    ):
        super().__init__(name=name or network)
        self.trunk, self.rpn, self.box_head, self.mask_head = (
            parts.trunk,
            parts.rpn,
            parts.box_head,
            parts.mask_head,
        )
        self.pool_boxes, self.pool_masks = parts.pool_boxes, parts.pool_masks
        self.backbone_layers = parts.backbone_layers
        self.network, self.options = network, options
        self.num_classes, self.input_size = options["num_classes"], tuple(options["input_size"])
        self.class_names = check_class_names(class_names, self.num_classes)
        self._anchors, self._pooled = parts.anchors, parts.pooled
        self._seed = keras.random.SeedGenerator(0)
        names = ["objectness", "proposal_boxes", "classes", "boxes", "masks"]
        self._means = {
            part: keras.metrics.Mean(name=f"{part}_loss") for part in names[: 5 if self.mask_head else 4]
        }
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Do nothing: all parts are built already."""

    def build_from_config(self, config: Any) -> None:
        """Do nothing; see `build`."""

    def call(self, inputs, training=None):
        """Return detections of images, or the losses of a training batch."""
        if isinstance(inputs, Mapping):
            return self._training_losses(inputs, training)
        return self._detect(inputs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the sum of all losses, as in the papers, and update the mean of each."""
        for part, value in y_pred.items():
            self._means[part].update_state(value)
        return sum(y_pred.values())

    def _features(self, images, training) -> list[Any]:
        """Return the trunk's maps as a list; Keras returns a single map without a list."""
        return keras.tree.flatten(self.trunk(images, training=training))

    def _rpn_outputs(self, features):
        """Return two lists with one entry per feature map: objectness logits `(B, N)` and offsets `(B, N, 4)`."""
        logits, offsets = [], []
        for one in features:
            objectness, moves = self.rpn(one)
            logits.append(ops.reshape(objectness, (ops.shape(one)[0], -1)))
            offsets.append(ops.reshape(moves, (ops.shape(one)[0], -1, 4)))
        return logits, offsets

    def _proposals(self, logits, offsets, training: bool):
        """Return regions `(B, P, 4)`, and `(B, P)` bool: which of them are valid; the others fill up the array."""
        most = self.options["proposals"] * (2 if training else 1)
        boxes, scores = [], []
        for anchors, level_logits, moves in zip(self._anchors, logits, offsets):
            level_scores, index = ops.top_k(level_logits, min(most, len(anchors)))
            moves = ops.take_along_axis(moves, index[..., None], axis=1)
            level_boxes = decode(moves, ops.take(anchors, index, axis=0), RPN_VARIANCE, self.input_size)
            side = level_boxes[..., 2:] - level_boxes[..., :2]
            kept = suppress(level_boxes, ops.all(side > 0, axis=-1), PROPOSAL_NMS)
            boxes.append(level_boxes)
            scores.append(ops.where(kept, ops.sigmoid(level_scores), -1.0))
        boxes, scores = ops.concatenate(boxes, axis=1), ops.concatenate(scores, axis=1)
        scores, index = ops.top_k(scores, min(most, scores.shape[1]))
        there = scores >= 0
        rois = ops.where(there[..., None], ops.take_along_axis(boxes, index[..., None], axis=1), 0.0)
        return ops.stop_gradient(rois), there

    def _training_losses(self, inputs, training) -> dict[str, Any]:
        true_boxes = ops.cast(inputs["boxes"], "float32")
        true_classes = ops.cast(inputs["classes"], "int32")
        valid = true_classes > 0
        features = self._features(inputs["images"], training)
        logits, offsets = self._rpn_outputs(features)
        rois, there = self._proposals(logits, offsets, training=True)
        found = self._rpn_losses(logits, offsets, true_boxes, valid)

        rois = ops.concatenate(
            [rois, true_boxes], axis=1
        )  # true boxes are proposals too: helps early training
        there = ops.concatenate([there, valid], axis=1)
        objects, positive, negative = match(pairwise_iou(rois, true_boxes), valid, HEAD_MATCH, HEAD_MATCH)
        count = self.options["regions"]
        most = max(int(HEAD_POSITIVE * count), 1)
        index, positive, used = sample(positive & there, negative & there, count, most, self._seed)
        rois = ops.take_along_axis(rois, index[..., None], axis=1)
        objects = ops.take_along_axis(objects, index, axis=1)
        classes = ops.where(positive, ops.take_along_axis(true_classes, objects, axis=1), 0)
        class_logits, moves = self._box_outputs(features, rois)
        found["classes"] = losses.class_loss(class_logits, classes, used)
        targets = encode(ops.take_along_axis(true_boxes, objects[..., None], axis=1), rois, HEAD_VARIANCE)
        moves = ops.take_along_axis(moves, classes[..., None, None], axis=2)[:, :, 0]
        found["boxes"] = losses.box_loss(moves, targets, positive, used)
        if self.mask_head is not None:
            parts = (
                part[:, :most] for part in (rois, objects, classes, positive)
            )  # the positives come first
            found["masks"] = self._mask_loss(features, inputs["masks"], *parts)
        return found

    def _rpn_losses(self, logits, offsets, true_boxes, valid) -> dict[str, Any]:
        anchors = ops.convert_to_tensor(np.concatenate(self._anchors))
        logits, offsets = ops.concatenate(logits, axis=1), ops.concatenate(offsets, axis=1)
        iou = pairwise_iou(anchors, true_boxes)
        objects, positive, negative = match(iou, valid, RPN_LOW, RPN_HIGH, force=True)
        index, positive, used = sample(
            positive, negative, RPN_SAMPLES, int(RPN_POSITIVE * RPN_SAMPLES), self._seed
        )
        objects = ops.take_along_axis(objects, index, axis=1)
        targets = encode(
            ops.take_along_axis(true_boxes, objects[..., None], axis=1),
            ops.take(anchors, index, axis=0),
            RPN_VARIANCE,
        )
        offsets = ops.take_along_axis(offsets, index[..., None], axis=1)
        return {
            "objectness": losses.objectness_loss(ops.take_along_axis(logits, index, axis=1), positive, used),
            "proposal_boxes": losses.box_loss(offsets, targets, positive, used),
        }

    def _box_outputs(self, features, rois):
        """Return class logits `(B, R, K)` and offsets `(B, R, K, 4)` of regions."""
        count = rois.shape[1]
        logits, moves = self.box_head(_merge(self.pool_boxes([*features[: self._pooled], rois])))
        return (
            ops.reshape(logits, (-1, count, self.num_classes)),
            ops.reshape(moves, (-1, count, self.num_classes, 4)),
        )

    def _mask_outputs(self, features, rois, classes):
        """Return the logits of each region's own class, `(B, R, h, h)`."""
        logits = self.mask_head(_merge(self.pool_masks([*features[: self._pooled], rois])))
        side = logits.shape[1]
        own = ops.take_along_axis(logits, ops.reshape(classes, (-1, 1, 1, 1)), axis=3)
        return ops.reshape(own, (-1, rois.shape[1], side, side))

    def _mask_loss(self, features, true_masks, rois, objects, classes, positive):
        logits = self._mask_outputs(features, rois, classes)
        _, count, height, width = true_masks.shape
        flat = ops.reshape(ops.cast(true_masks, "float32"), (-1, count * height * width, 1))
        start = objects * (height * width)
        size = ops.full_like(objects, height), ops.full_like(objects, width)
        targets = align(flat, rois, start, size, ops.ones_like(rois[..., 0]), logits.shape[-1], samples=2)
        return losses.mask_loss(logits, targets[..., 0] >= 0.5, positive)

    def _detect(self, images) -> dict[str, Any]:
        features = self._features(images, False)
        rois, there = self._proposals(*self._rpn_outputs(features), training=False)
        logits, moves = self._box_outputs(features, rois)
        scores = ops.softmax(logits, axis=-1)[..., 1:] * ops.cast(there, "float32")[..., None]
        boxes = decode(moves[:, :, 1:], rois[:, :, None], HEAD_VARIANCE, self.input_size)
        found = self._best(boxes, scores)
        if self.mask_head is not None:
            found["masks"] = ops.sigmoid(self._mask_outputs(features, found["boxes"], found["classes"]))
        return found

    def _best(self, boxes, scores) -> dict[str, Any]:
        """Return the best detections among boxes `(B, P, K, 4)` with scores `(B, P, K)`, after NMS in each class."""
        classes, most = scores.shape[2], self.options["detections"]
        everything = scores.shape[1] * classes
        few = min(max(self.options["proposals"], most), everything)
        scores, index = ops.top_k(ops.reshape(scores, (-1, everything)), few)
        boxes = ops.take_along_axis(ops.reshape(boxes, (-1, everything, 4)), index[..., None], axis=1)
        found = index % classes
        kept = suppress(boxes, scores > self.options["least_score"], self.options["nms"], found)
        scores, index = ops.top_k(ops.where(kept, scores, 0.0), min(most, few))
        there = scores > 0
        return {
            "boxes": ops.where(there[..., None], ops.take_along_axis(boxes, index[..., None], axis=1), 0.0),
            "scores": scores,
            "classes": ops.where(there, ops.cast(ops.take_along_axis(found, index, axis=1), "int32") + 1, 0),
        }

    @property
    def head_variables(self) -> list[keras.Variable]:
        """The trainable variables outside the backbone."""
        own = {
            id(variable)
            for layer in self.trunk.layers
            if layer.name in self.backbone_layers
            for variable in layer.trainable_variables
        }
        return [variable for variable in self.trainable_variables if id(variable) not in own]

    def at_size(self, input_size: tuple[int, int]) -> "RCNN":
        """Return a copy of this detector, with the same weights, for images of another size."""
        from wsseg import detectors

        options = self.options | {"input_size": tuple(input_size)}
        other = detectors.create(self.network, **options, name=self.name, class_names=self.class_names)
        other.set_weights(self.get_weights())
        return other

    def get_config(self) -> dict[str, Any]:
        """Return the arguments with which `create` builds the network again; the weights are saved separately."""
        names = self.class_names and list(self.class_names)
        return {"network": self.network, "options": self.options, "name": self.name, "class_names": names}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "RCNN":
        """Build the detector from the result of `get_config`."""
        from wsseg import detectors

        names = {"name": config["name"], "class_names": config.get("class_names")}
        return detectors.create(config["network"], **names, **config["options"])


def _merge(regions):
    """Reshape `(B, R, h, w, C)` to one batch, `(B R, h, w, C)`."""
    return ops.reshape(regions, (-1, *regions.shape[2:]))
