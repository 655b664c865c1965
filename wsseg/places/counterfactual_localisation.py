"""Counterfactual localisation: the places whose removal changes a classifier's prediction, without a box label."""

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
    """What counterfactual localisation finds of a class in an image; largest drop first.

    Attributes:
        class_ids: The class index, or the indices that counted as one class.
        boxes_xyxy: `(n, 4)` int64: left, top, right, bottom in pixels, right and bottom exclusive.
        scores: `(n,)` float32: how far the class score falls when the place is removed, after those found
            before it.
        masks: `(n, H, W)` bool: the places.
        score_before: The class score of the image as it is.
        score_after: The score with all places removed.
        predicted_before: The class is predicted in the image as it is.
        predicted_after: It still is with all places removed.
        counterfactual_hw: `(H, W)` bool: the least that has to go. Without these regions the class is no longer
            predicted, and none of them can be put back without its being predicted again. All False where
            removing all places does not change the prediction.
        evidence_hw: `(H, W)` float32: how far the score falls by removing a pixel's regions, mean over the scales.
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
    """Find where a classifier sees a class by removing parts of the image, and gather what matters into boxes.

    1. The image is parted into regions of several sizes; each is removed (filled) by itself, and the fall of
       the class score is shared out to its pixels: the evidence.
    2. From the strongest of the smallest regions (atoms), a place grows over atoms that touch it, the strongest
       first, as long as their evidence is above the level: Otsu's of the evidence, which no label is needed for.
    3. The place is removed for good, and 1 and 2 are repeated on what is left, for further instances, until
       the score no longer falls: the class has less than `min_left` of its probability left, no evidence is above
       the first level, or removing a place lowers the score by less than `min_fall` of what the first did. A
       place that touches an earlier one is part of it.
    4. Atoms are removed in the order in which they were found, until the class is no longer predicted, and any that
       are not needed are put back: the minimal set.

    Only scores of the model are used: no gradient, no layer, no box. Two instances of a class that touch become one
    place, and instances hide each other where a classifier needs only one of them.

    Args:
        model: Any Keras classifier of images, `(B, H, W, 3)` -> `(B, K)`, of one label an image or several.
        outputs: What it gives: "softmax" or "sigmoid" probabilities, "softmax_logits" or "sigmoid_logits";
            None to read it off its last layer.
        preprocess: `(B, H, W, 3)` float32 RGB in [0, 255] -> what the model takes, pixel by pixel; None for a
            model that takes [0, 255].
        score: "log_odds", log(p / (1 - p)), which still moves where the model is sure, or "probability".
        fill: "blur", "mean" or "inpaint"; see `wsseg.places.fills`. The blur keeps the light and adds no edge
            that a network could take for a thing; the mean colour leaves nothing of a large plain object.
        regions: "superpixels", "windows" or "both"; see `wsseg.places.regions`.
        segments: About how many superpixels each scale has.
        window_fractions: Sides of the windows over the image's.
        level: "otsu", or a share of the highest evidence, in [0, 1].
        extent: "whole": a place is all evidence that hangs together; "minimal": the minimal set's part of it,
            for what the decision rests on and no more.
        min_fall: Share, in (0, 1], of the first place's fall that a further one must reach.
        min_left: Share, in [0, 1], of the class's probability in the image that must be left for another place to
            be looked for: what lowers a class that is gone already is noise.
        max_places: No more than this many are looked for.
        batch_size: Images a forward pass.

    Raises:
        InputError: An option out of range, or outputs that can't be told.

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

    def predicted(self, image: np.ndarray) -> list[int]:
        """Return the classes that the model predicts: the likeliest, or all with p >= 0.5, the likeliest first.

        Args:
            image: As of a call.
        """
        found = self.removal.probabilities(self._small(_checked(image)))
        order = np.argsort(-found, kind="stable").tolist()
        return (
            order[:1] if self.removal.outputs.startswith("softmax") else [i for i in order if found[i] >= 0.5]
        )

    def __call__(self, image: np.ndarray, class_ids: int | Sequence[int]) -> CounterfactualDetections:
        """Find the places of a class.

        Args:
            image: `(H, W, 3)` uint8 RGB of any size; it is resized to the model's, if that is fixed.
            class_ids: The class, or several that count as one (a kind of animal of ImageNet's many, say); see
                `predicted` for the classes to ask for.

        Returns:
            The places, at the image's own size; none where the class is not predicted, or where no removal
            lowers its score.

        Raises:
            InputError: A wrong image, or a class index that does not fit.
        """
        image = _checked(image)
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
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


class _Search:
    """One image's search for one class."""

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
        """Return the evidence in what is left of the image, `(H, W)`."""
        masks = np.concatenate(self.parts.scales)
        left = ~self.removed
        # What is mostly gone already says nothing about what is left.
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
            # The weakest first; each that is put back changes what the others are worth, so all are asked again.
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


def _checked(image: np.ndarray) -> np.ndarray:
    found = np.asarray(image)
    if found.ndim != 3 or found.shape[-1] != 3 or found.dtype != np.uint8 or not found.size:
        raise InputError(
            f"`image` must be (H, W, 3) uint8 RGB; got {found.shape} {found.dtype}; give one image in 0..255, "
            "before preprocessing"
        )
    return found
