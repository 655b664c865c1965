"""Make a pseudo-mask from the class maps of an image."""

import numpy as np

from wsseg.artifacts import IGNORE, ClassMaps
from wsseg.errors import InputError, nearest
from wsseg.refiners.background import with_background
from wsseg.refiners.dense_crf import DenseCRF
from wsseg.refiners.resize_maps import resize_maps
from wsseg.refiners.unary import probabilities_from_labels

UNARIES = ("labels", "scores")


def label_image(
    image: np.ndarray | None,
    class_maps: ClassMaps,
    background: str = "constant",
    level: float = 0.25,
    crf: DenseCRF | None = None,
    unary: str = "labels",
    confidence: float = 0.7,
    confident: tuple[float, float] | None = None,
    possible: np.ndarray | None = None,
) -> np.ndarray:
    """Label every pixel of an image as the class of its highest map, or as background.

    The maps are resized to the image's size, and a background score is put in front. A dense CRF over the background
    and the classes present sharpens the scores. The highest score gives the label. If scores are equal, the background
    wins, then the class that comes first.

    Args:
        image: `(H, W, 3) uint8` RGB, of the size in `class_maps`; may be None without a CRF.
        class_maps: Maps of the classes present, in [0, 1].
        background: Form of the background score: `constant` or `power`, see `with_background`.
        level: Level of the background.
        crf: Dense CRF, or None for none.
        unary: Input of the CRF: `labels` (the argmax, trusted with `confidence`; IRN) or `scores` (the scores,
            normalised to sum 1 at each pixel; PSA).
        confidence: Confidence in the labels, for `unary="labels"`.
        confident: Two levels that replace `level`, so that unsure pixels become 255. The first level gives much
            background: its foreground is confident foreground. The second level gives little background: its background
            is confident background. IRN: (0.30, 0.05) constant; PSA: (4, 32) power. The image is labelled with each
            level as above, CRF included. Foreground of the first labelling is kept, background of both is background,
            and all other pixels are 255.
        possible: `(C + 1, H, W) bool`: The labels that each pixel may have, background first, at least one per pixel
            (`wsseg.refiners.possible_labels`); None allows all. Where a class is impossible, its map is set to 0 before
            the background score is computed, and the CRF starts from probability 0. The label is the possible one with
            the highest marginal.

    Returns:
        `(H, W) uint8`: 0 = background, the classes' mask ids, 255 = unsure (only with `confident`).

    Raises:
        InputError: The image does not match the maps, the class ids are not distinct and in 1..254, or an option is
            wrong.

    Example:
        >>> maps = ClassMaps(np.array([3, 7]), np.array([[[0.1, 0.9]], [[0.2, 0.4]]]), (1, 2))
        >>> label_image(None, maps, level=0.25).tolist()
        [[0, 3]]
        >>> label_image(None, maps, confident=(0.3, 0.15)).tolist()
        [[255, 3]]

    References:
        Ahn et al., IRNet, CVPR 2019, public code `step/cam_to_ir_label.py`.
        Ahn and Kwak, AffinityNet (PSA), CVPR 2018, section 3.1.
    """
    if unary not in UNARIES:
        raise InputError(f"unknown unary `{unary}`; {nearest(unary, UNARIES)}")
    ids = _mask_ids(class_maps)
    if crf is not None and image is None:
        raise InputError("`image` is needed for the CRF; got None")
    if image is not None and np.shape(image)[:2] != tuple(class_maps.size_hw):
        raise InputError(
            f"the class maps belong to an image of (H, W) {tuple(class_maps.size_hw)}; got an image of "
            f"{np.shape(image)}; was the dataset changed after the localize stage?"
        )
    maps = resize_maps(class_maps.maps, class_maps.size_hw)
    if possible is not None:
        if possible.shape != (len(ids), *maps.shape[1:]) or not possible.any(0).all():
            raise InputError(
                f"`possible` must be (C + 1, H, W) {(len(ids), *maps.shape[1:])} with a label for each pixel; got "
                f"{possible.shape}"
            )
        maps = np.where(possible[1:], maps, np.float32(0))

    def labelled(at_level: float) -> np.ndarray:
        scores = with_background(maps, background, at_level)
        labels = _highest(scores, possible, 0)
        if crf is not None:
            if unary == "labels":
                probabilities = probabilities_from_labels(labels, len(ids), confidence)
            else:
                probabilities = _normalised(scores).transpose(1, 2, 0)
            if possible is not None:
                probabilities = _restricted(probabilities, possible.transpose(1, 2, 0))
            refined = crf(image, probabilities)
            labels = _highest(refined, None if possible is None else possible.transpose(1, 2, 0), -1)
        return ids[labels]

    if confident is None:
        return labelled(level)
    foreground_level, background_level = confident
    strong_first = foreground_level >= background_level
    if strong_first != (background == "constant") and foreground_level != background_level:
        order = "falling (IRN: 0.3, 0.05)" if background == "constant" else "rising (PSA: 4, 32)"
        raise InputError(f"`confident` of a {background} background must be {order}; got {tuple(confident)}")
    foreground = labelled(foreground_level)
    remaining = labelled(background_level)
    mask = foreground.copy()
    mask[foreground == 0] = IGNORE
    mask[(foreground == 0) & (remaining == 0)] = 0
    return mask


def _mask_ids(class_maps: ClassMaps) -> np.ndarray:
    """Return `(C + 1,) uint8`: the mask id of each channel, background first."""
    ids = np.asarray(class_maps.class_ids, np.int64)
    if ids.shape != (len(class_maps.maps),):
        raise InputError(f"class maps hold {len(class_maps.maps)} maps but {ids.size} class ids")
    if ids.size and (ids.min() < 1 or ids.max() >= IGNORE or len(np.unique(ids)) != len(ids)):
        raise InputError(
            f"class ids must be distinct mask ids in 1..{IGNORE - 1} (classifier output k is id k + 1); "
            f"got {ids.tolist()}"
        )
    return np.concatenate([[0], ids]).astype(np.uint8)


def _highest(scores: np.ndarray, possible: np.ndarray | None, axis: int) -> np.ndarray:
    """Return the index of the highest score among the possible labels; scores are not negative."""
    return (scores if possible is None else np.where(possible, scores, -1)).argmax(axis)


def _restricted(probabilities_hwk: np.ndarray, possible_hwk: np.ndarray) -> np.ndarray:
    """Set the impossible labels' probabilities to 0 and renormalise; if nothing is left, the possible are uniform."""
    kept = np.where(possible_hwk, probabilities_hwk, np.float32(0))
    total = kept.sum(-1, keepdims=True)
    alike = possible_hwk / possible_hwk.sum(-1, keepdims=True, dtype=np.float32)
    return np.where(total > 0, kept / np.where(total > 0, total, 1), alike).astype(np.float32)


def _normalised(scores_khw: np.ndarray) -> np.ndarray:
    """Divide the scores of each pixel by their sum; where all scores are 0, the background gets 1."""
    total = scores_khw.sum(0)
    empty = total <= 0
    result = scores_khw / np.where(empty, 1, total)
    result[0][empty] = 1
    return result
