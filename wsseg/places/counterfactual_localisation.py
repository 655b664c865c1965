"""Counterfactual localisation: the places whose removal changes a classifier's prediction; no box label is needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from PIL import Image

from wsseg.errors import InputError, require_whole
from wsseg.places.class_odds import checked_class_ids
from wsseg.places.components import components
from wsseg.places.map_level import map_level
from wsseg.places.regions import KINDS, SEGMENTS, WINDOW_FRACTIONS, Regions, grow, regions_of
from wsseg.places.removal_scores import RemovalScores

EXTENTS = ("whole", "minimal")


@dataclass(frozen=True)
class CounterfactualDetections:
    """The places of a class in an image, as found by counterfactual localisation; largest score drop first.

    Attributes:
        class_ids: The class index, or the indices that counted as one class.
        boxes_xyxy: `(n, 4)` int64: left, top, right, bottom in pixels, right and bottom exclusive.
        scores: `(n,)` float32: drop of the class score when the place is removed; the places found before it are
            already removed.
        masks: `(n, H, W)` bool: pixels of each place.
        score_before: Class score of the unchanged image.
        score_after: Class score with all places removed.
        predicted_before: Whether the class is predicted in the unchanged image.
        predicted_after: Whether the class is still predicted with all places removed.
        counterfactual_hw: `(H, W)` bool: a minimal set of regions to remove. Without these regions the class is not
            predicted; if any one of them is put back, the class is predicted again. All False if
            the removal of all places does not change the prediction.
        evidence_hw: `(H, W)` float32: drop of the score when a pixel's regions are removed, mean over the scales.
    """

    class_ids: tuple[int, ...]
    boxes_xyxy: np.ndarray
    scores: np.ndarray
    masks: np.ndarray
    score_before: float
    score_after: float
    predicted_before: bool
    predicted_after: bool
    counterfactual_hw: np.ndarray
    evidence_hw: np.ndarray


class CounterfactualLocaliser:
    """Find where a classifier sees a class by removing parts of the image, and return the important parts as boxes.

    1. The image is divided into regions of several sizes. Each region is removed (filled) alone, and the drop of
       the class score is assigned to its pixels: the evidence.
    2. Starting from the strongest of the smallest regions (atoms), a place grows over atoms that touch it, strongest
       first, as long as their evidence is above the level (by default Otsu's level of the evidence, without labels).
    3. The place is removed permanently, and steps 1 and 2 are repeated on the rest of the image, to find more
       instances. The search ends when the class is not predicted and has less than `min_left` of its probability
       left, when no evidence is above the first level, or when the removal of a place lowers the score by no more
       than `min_fall` of the first drop. Places that touch each other become one place.
    4. Atoms are removed in the order in which they were found, until the class is not predicted. Atoms that are
       not needed for this are put back; the others are the minimal set.

    Only scores of the model are used: no gradient, no layer, no box. Two instances of a class that touch become one
    place. If a classifier needs only one of several instances, it can miss the others.

    Args:
        model: Any Keras classifier of images, from `(B, H, W, C)` to `(B, K)`, of one or several labels per image.
        outputs: Kind of the model's outputs: "softmax" or "sigmoid" probabilities, "softmax_logits" or
            "sigmoid_logits"; None to find it from the last layer.
        preprocess: Function from `(B, H, W, C)` float32, RGB in [0, 255], to the model's input, which must treat each
            pixel separately; None for a model that takes [0, 255].
        score: "log_odds", log(p / (1 - p)), which still changes if the model is confident, or "probability".
        fill: "blur", "mean" or "inpaint"; see `wsseg.places.fills`. The blur keeps the lighting and adds no edge
            that a network could mistake for an object; the mean colour also hides large plain objects.
        regions: "superpixels", "windows" or "both"; see `wsseg.places.regions`.
        segments: Approximate number of superpixels at each scale.
        window_fractions: Side of the windows at each scale, as a fraction of the image's side.
        level: "otsu", or a share of the highest evidence, in [0, 1].
        extent: "whole": a place is all its connected evidence; "minimal": only its part of the minimal set, on
            which the decision depends.
        min_fall: Share, in (0, 1], of the first place's score drop that a further place must exceed.
        min_left: Share, in [0, 1], of the class's original probability below which the search ends once the class is
            not predicted; score drops below it are noise.
        max_places: Maximum number of places to search for.
        batch_size: Images per forward pass.

    Raises:
        InputError: An option is out of range, or the kind of outputs is unknown.

    Example:
        >>> red = keras.Sequential([
        ...     keras.Input((32, 32, 3)),
        ...     keras.layers.Lambda(lambda x: keras.ops.mean(x[..., 0] - x[..., 1], axis=(1, 2))[:, None] / 4 - 2),
        ...     keras.layers.Activation("sigmoid"),
        ... ])
        >>> image = np.full((32, 32, 3), 90, np.uint8)
        >>> image[4:20, 8:16] = (220, 20, 20)
        >>> CounterfactualLocaliser(red, segments=(16, 32))(image, 0).boxes_xyxy.tolist()
        [[8, 4, 16, 20]]

    References:
        Vermeire et al., Explainable Image Classification with Evidence Counterfactual, Pattern Analysis and
        Applications 2022 (segments removed greedily until the class changes). Zeiler and Fergus, Visualizing and
        Understanding Convolutional Networks, ECCV 2014, section 4.2 (sliding occlusion)†.
    """

    def __init__(
        self,
        model: keras.Model,
        outputs: str | None = None,
        preprocess: Callable[[np.ndarray], np.ndarray] | None = None,
        score: str = "log_odds",
        fill: str = "mean",
        regions: str = "superpixels",
        segments: Sequence[int] = SEGMENTS,
        window_fractions: Sequence[float] = WINDOW_FRACTIONS,
        level: float | str = "otsu",
        extent: str = "whole",
        min_fall: float = 0.1,
        min_left: float = 0.25,
        max_places: int = 10,
        batch_size: int = 32,
    ):
        if regions not in KINDS or extent not in EXTENTS:
            raise InputError(
                f"`regions` must be one of {KINDS} and `extent` one of {EXTENTS}; got {regions!r}, {extent!r}"
            )
        if not 0 < min_fall <= 1:  # written so that nan fails too
            raise InputError(f"`min_fall` must be in (0, 1]; got {min_fall!r}; try 0.1")
        if not 0 <= min_left <= 1:
            raise InputError(f"`min_left` must be in [0, 1]; got {min_left!r}; try 0.25")
        max_places = require_whole("max_places", max_places)
        map_level(np.zeros((1, 1)), level)
        self.removal = RemovalScores(model, outputs, score, fill, preprocess, batch_size)
        self.regions, self.segments, self.window_fractions = regions, tuple(segments), window_fractions
        self.level, self.extent, self.max_places = level, extent, max_places
        self.min_fall, self.min_left = min_fall, min_left
        inputs = getattr(model, "inputs", None)
        self.input_size = tuple(inputs[0].shape[1:3]) if inputs else (None, None)
        self.channels = inputs[0].shape[-1] if inputs else None

    def predicted(self, image: np.ndarray) -> list[int]:
        """Return the classes that the model predicts: the most likely one, or all with p >= 0.5, most likely first.

        Args:
            image: `(H, W, C)` uint8, as in a call.
        """
        found = self.removal.probabilities(self._small(_checked(image, self.channels)))
        order = np.argsort(-found, kind="stable").tolist()
        return (
            order[:1] if self.removal.outputs.startswith("softmax") else [i for i in order if found[i] >= 0.5]
        )

    def __call__(self, image: np.ndarray, class_ids: int | Sequence[int]) -> CounterfactualDetections:
        """Find the places of a class.

        Args:
            image: `(H, W, C)` uint8 of any size, RGB if C is 3; it is resized if the model has a fixed input size.
            class_ids: Class index, or several that count as one class (such as all dog breeds of ImageNet). Use
                `predicted` to find the predicted classes.

        Returns:
            The places, at the image's own size; none if the class is not predicted, or if no removal
            lowers its score.

        Raises:
            InputError: The image has a wrong shape or dtype, or a class index is invalid.
        """
        image = _checked(image, self.channels)
        small = self._small(image)
        num_classes = len(self.removal.probabilities(small))
        ids = checked_class_ids(class_ids, num_classes, self.removal.outputs)
        search = _Search(self, small, ids, num_classes)
        search.run()
        return search.result(image.shape[:2])

    def _small(self, image: np.ndarray) -> np.ndarray:
        height, width = (wanted or got for wanted, got in zip(self.input_size, image.shape[:2]))
        if (height, width) == image.shape[:2]:
            return image
        size = (width, height)
        # Channel by channel: Pillow knows no image of 13 channels, and takes a fourth one for transparency.
        planes = (Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(image, -1, 0))
        return np.stack([np.asarray(x.resize(size, Image.Resampling.BILINEAR)) for x in planes], axis=-1)


class _Search:
    """The search for one class in one image."""

    def __init__(
        self, owner: CounterfactualLocaliser, image: np.ndarray, ids: tuple[int, ...], num_classes: int
    ):
        self.owner, self.image, self.ids, self.num_classes = owner, image, ids, num_classes
        self.size_hw = image.shape[:2]
        self.removed = np.zeros(self.size_hw, bool)
        self.order: list[int] = []  # atoms in the order in which they were found
        self.falls: list[tuple[np.ndarray, float]] = []
        self.evidence = np.zeros(self.size_hw, np.float32)
        self.before = self.after = 0.0
        self.was = self.still = False
        self.parts: Regions | None = None

    def score(self, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.owner.removal(self.image, masks, self.ids, self.num_classes)

    def run(self) -> None:
        (self.before,), (self.was,) = self.score(self.removed[None])
        self.after, self.still = self.before, self.was
        if not self.was:
            return
        owner = self.owner
        self.parts = regions_of(self.image, owner.regions, owner.segments, owner.window_fractions)
        neighbours, level = self.parts.neighbours(), None
        while len(self.falls) < owner.max_places:
            evidence = self.measure()
            if level is None:
                self.evidence = evidence.astype(np.float32)
                peak = evidence.max()
                if not peak > 0:
                    return
                level = map_level(np.clip(evidence / peak, 0, 1), owner.level) * peak
            strengths = self.parts.over_atoms(evidence)
            strengths[self.order] = -np.inf
            atoms = grow(strengths, neighbours, level)
            if not atoms:
                return
            mask = np.isin(self.parts.atoms_hw, atoms)
            (after,), (still,) = self.score((self.removed | mask)[None])
            fall = float(self.after - after)
            least = owner.min_fall * self.falls[0][1] if self.falls else 0.0
            if not fall > least:
                return
            self.falls.append((mask, fall))
            self.order += atoms
            self.removed |= mask
            self.after, self.still = after, still
            if not self.still and self.probability(after) < owner.min_left * self.probability(self.before):
                return

    def probability(self, score: float) -> float:
        return score if self.owner.removal.score == "probability" else 1 / (1 + np.exp(-float(score)))

    def measure(self) -> np.ndarray:
        """Return the evidence in the rest of the image, `(H, W)`; 0 where it is removed."""
        masks = np.concatenate(self.parts.scales)
        left = ~self.removed
        # A region that is mostly removed already tells nothing about the rest.
        useful = (masks & left).sum(axis=(1, 2)) * 2 > masks.sum(axis=(1, 2))
        falls = np.zeros(len(masks))
        falls[useful] = self.after - self.score(masks[useful] | self.removed)[0]
        return np.where(left, self.parts.spread(falls), 0)

    def minimal(self) -> np.ndarray:
        """Return the minimal set as a mask, `(H, W)`."""
        if not self.was or self.still:
            return np.zeros(self.size_hw, bool)
        rank = np.full(self.parts.atoms_hw.max() + 1, len(self.order))
        rank[self.order] = np.arange(len(self.order))
        rank_hw = rank[self.parts.atoms_hw]
        _, predicted = self.score(rank_hw <= np.arange(len(self.order))[:, None, None])
        needed = list(range(int(np.argmin(predicted)) + 1))
        while len(needed) > 1:
            # Weakest first. Each atom that is put back changes the effect of the others, so all are scored again.
            without = np.stack([np.isin(rank_hw, [r for r in needed if r != one]) for one in needed[::-1]])
            _, predicted = self.score(without)
            if predicted.all():
                break
            needed.pop(len(needed) - 1 - int(np.argmin(predicted)))
        return np.isin(rank_hw, needed)

    def result(self, size_hw: tuple[int, int]) -> CounterfactualDetections:
        minimal = self.minimal()
        whole = components(self.removed)
        masks, scores = [], []
        for number in range(1, len(whole.areas) + 1):
            place = whole.labels_hw == number
            fall = sum(fall for mask, fall in self.falls if (mask & place).any())
            if self.owner.extent == "minimal":
                place &= minimal
            place = _enlarged(place, size_hw)
            if place.any():
                masks.append(place)
                scores.append(fall)
        order = np.argsort(-np.array(scores, float), kind="stable").astype(int)
        masks = np.array(masks, bool).reshape(-1, *size_hw)[order]
        return CounterfactualDetections(
            class_ids=self.ids,
            boxes_xyxy=np.array([_box(mask) for mask in masks], np.int64).reshape(-1, 4),
            scores=np.array(scores, np.float32)[order],
            masks=masks,
            score_before=float(self.before),
            score_after=float(self.after),
            predicted_before=bool(self.was),
            predicted_after=bool(self.still),
            counterfactual_hw=_enlarged(minimal, size_hw),
            evidence_hw=np.asarray(
                Image.fromarray(self.evidence).resize(size_hw[::-1], Image.Resampling.NEAREST)
            ),
        )


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _enlarged(mask: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(mask).resize(size_hw[::-1], Image.Resampling.NEAREST))


def _checked(image: np.ndarray, channels: int | None) -> np.ndarray:
    found = np.asarray(image)
    fits = found.ndim == 3 and channels in (None, found.shape[-1])
    if not fits or found.dtype != np.uint8 or not found.size:
        raise InputError(
            f"`image` must be (H, W, {channels or 'channels'}) uint8; got {found.shape} {found.dtype}; give one image "
            "in 0..255, before preprocessing; scale other numbers to 0..255, and undo that in `preprocess`"
        )
    return found
