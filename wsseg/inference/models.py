"""Loaded models: a segmenter, a classifier and a detector, each with its class names and `predict`."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from wsseg.class_names import BACKGROUND
from wsseg.classifiers.inference import classified
from wsseg.detectors.inference import detect
from wsseg.errors import InputError, nearest
from wsseg.inference.photographs import Photograph, Photographs
from wsseg.inference.results import Classification, Segmentation
from wsseg.objects.instances import Instances
from wsseg.one_trace import one_trace
from wsseg.refiners import DenseCRF
from wsseg.segmenters.inference import Predictor, Refinement
from wsseg.segmenters.restrict_to_labels import restrict_to_labels

BATCH_SIZE = 8


@dataclass(frozen=True)
class LoadedSegmenter:
    """A segmenter and how it predicts.

    Attributes:
        model: The network.
        classes: Names of its classes, background first; the index is the mask id.
        named: Whether the names are known; otherwise they are numbers.
        predictor: Predicts images of any size: scales, flips, `max_side`.
        crf: Refines the probabilities; None for no CRF.
    """

    kind: ClassVar[str] = "segmenter"
    model: keras.Model
    classes: tuple[str, ...]
    named: bool
    predictor: Predictor
    crf: DenseCRF | None = None

    def predict(
        self, images: Photograph | Sequence[Photograph], labels: Sequence[str] | None = None
    ) -> Segmentation | list[Segmentation]:
        """Segment photographs of any size.

        Args:
            images: An image file, an array `(H, W, 3) uint8` RGB, or a list of these.
            labels: Names of the only classes that may be predicted beside the background, in all these images; None
                for all classes. Absent classes give their probability to these: see
                `wsseg.segmenters.restrict_to_labels`.

        Returns:
            The result of the image, or a list of results. The probabilities of a photograph of 12 megapixels and 21
            classes take 1 GB.

        Raises:
            InputError: A file is missing or broken, an array has another shape or type, or there is no class of a
                name in `labels`.
        """
        return _one_or_list(functools.partial(self._predict, labels=labels), images)

    def refinement(self, labels: Sequence[str] | None = None) -> Refinement | None:
        """Return what follows the network: the restriction to `labels`, then the CRF; None for neither."""
        if labels is None:
            return self.crf
        ids = self._ids(labels)
        present = np.isin(np.arange(1, len(self.classes)), ids)

        def refine(image: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
            result = np.array(ops.convert_to_numpy(restrict_to_labels(probabilities, present)))
            if self.crf is not None and len(ids) > 1:
                result[..., ids] = self.crf(image, result[..., ids])
            return result

        return refine

    def _ids(self, labels: Sequence[str]) -> list[int]:
        foreground = self.classes[1:]
        for label in labels:
            if label == BACKGROUND:
                raise InputError(f"`labels`: {BACKGROUND} can always be predicted; leave it out")
            if label not in foreground:
                raise InputError(f"`labels`: the model has no class `{label}`; {nearest(label, foreground)}")
        return [0, *sorted({1 + foreground.index(label) for label in labels})]

    def _predict(self, photographs: Photographs, labels: Sequence[str] | None) -> dict[str, Segmentation]:
        refine = self.refinement(labels)
        found = self.predictor(photographs, photographs, BATCH_SIZE, refine)
        return {
            record.id: Segmentation(probabilities.argmax(-1).astype(np.uint8), probabilities, self.classes)
            for record, probabilities in found
        }


@dataclass(frozen=True)
class LoadedClassifier:
    """A classifier.

    Attributes:
        model: The network.
        classes: Names of its classes.
        named: Whether the names are known; otherwise they are numbers.
    """

    kind: ClassVar[str] = "classifier"
    model: keras.Model
    classes: tuple[str, ...]
    named: bool

    def predict(self, images: Photograph | Sequence[Photograph]) -> Classification | list[Classification]:
        """Classify photographs of any size.

        Args:
            images: An image file, an array `(H, W, 3) uint8` RGB, or a list of these.

        Returns:
            The result of the image, or a list of results.

        Raises:
            InputError: A file is missing or broken, or an array has another shape or type.
        """
        return _one_or_list(self._predict, images)

    @functools.cached_property
    def _network(self) -> Callable[[Any, Any], Any]:
        return one_trace(self.model.with_validity())

    def _predict(self, photographs: Photographs) -> dict[str, Classification]:
        found = {}
        for records, outputs in classified(self._network, photographs, photographs, BATCH_SIZE):
            likely = outputs if self.model.activation else ops.convert_to_numpy(ops.sigmoid(outputs))
            for record, scores, probabilities in zip(records, outputs, likely):
                found[record.id] = Classification(scores, probabilities, self.classes)
        return found


@dataclass(frozen=True)
class LoadedDetector:
    """A detector.

    Attributes:
        model: The network.
        classes: Names of its classes, background first; the index is an object's class id.
        named: Whether the names are known; otherwise they are numbers.
    """

    kind: ClassVar[str] = "detector"
    model: keras.Model
    classes: tuple[str, ...]
    named: bool

    def predict(self, images: Photograph | Sequence[Photograph]) -> Instances | list[Instances]:
        """Find the objects in photographs of any size.

        Args:
            images: An image file, an array `(H, W, 3) uint8` RGB, or a list of these.

        Returns:
            The objects of the image, best first, or a list with those of each image; boxes and masks in the image's
            own pixels.

        Raises:
            InputError: A file is missing or broken, or an array has another shape or type.
        """
        return _one_or_list(self._predict, images)

    def _predict(self, photographs: Photographs) -> dict[str, Instances]:
        images = (photographs.read_image(record) for record in photographs)
        found = detect(self.model, images, min(BATCH_SIZE, max(len(photographs), 1)))
        return {record.id: instances for record, instances in zip(photographs, found)}


def _one_or_list(predict: Callable[[Photographs], dict[str, Any]], images: Any) -> Any:
    """Predict one image, or a list in its order."""
    several = isinstance(images, list | tuple)
    photographs = Photographs(images if several else [images])
    photographs.check()
    found = predict(photographs)
    results = [found[record.id] for record in photographs]
    return results if several else results[0]
