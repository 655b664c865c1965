import numpy as np
import pytest

from wsseg.artifacts import ClassMaps
from wsseg.errors import InputError
from wsseg.refiners import DenseCRF, label_image, probabilities_from_labels, resize_maps, with_background


def halves():
    """A 12 x 16 image, dark left and bright right, and 3 x 4 maps of the classes 5 and 2."""
    image = np.zeros((12, 16, 3), np.uint8)
    image[:, 8:] = 200
    maps = np.zeros((2, 3, 4), np.float32)
    maps[0, :, 2:] = 0.6
    maps[0, 1, 3] = 1.0
    maps[1, 0, 0] = 0.2
    return image, ClassMaps(np.array([5, 2]), maps, (12, 16))


def test_without_a_crf_it_is_the_argmax_in_mask_ids():
    maps = ClassMaps(np.array([3, 7]), np.array([[[0.1, 0.9, 0.3]], [[0.2, 0.4, 0.8]]]), (1, 3))
    mask = label_image(None, maps, level=0.25)
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 3, 7]]
    assert label_image(None, maps, level=0.15).tolist() == [[7, 3, 7]]
    # (1 - 0.2)^8 = 0.168 < 0.2; (1 - 0.2)^4 = 0.41 > 0.2
    assert label_image(None, maps, background="power", level=8).tolist() == [[7, 3, 7]]
    assert label_image(None, maps, background="power", level=4).tolist() == [[0, 3, 7]]


def test_a_map_equal_to_the_level_is_background():
    maps = ClassMaps(np.array([1]), np.array([[[0.25, 0.250001]]]), (1, 2))
    assert label_image(None, maps, level=0.25).tolist() == [[0, 1]]


def test_maps_are_brought_to_the_image_size():
    image, maps = halves()
    mask = label_image(image, maps, level=0.25)
    assert mask.shape == (12, 16)
    # Stored columns 1 (0) and 2 (0.6) have their centres at 6 and 10 of 16: pixel 7 (centre 7.5) has 0.225.
    assert mask[6].tolist() == [0] * 8 + [5] * 8


def test_the_crf_sharpens_to_the_image_and_runs_on_the_classes_present():
    image, maps = halves()
    blurred = ClassMaps(maps.class_ids, np.roll(maps.maps, 1, axis=2) * (maps.maps.max() > 0), (12, 16))
    plain = label_image(image, blurred, level=0.25)
    sharpened = label_image(image, blurred, level=0.25, crf=DenseCRF.preset("irn"))
    assert set(np.unique(sharpened)) <= {0, 2, 5}
    assert (plain[:, 8:] != plain[:, 15:]).any()
    assert all(len(np.unique(half)) == 1 for half in (sharpened[:, :8], sharpened[:, 8:]))


class Recorder:
    """Stands in for a CRF: keeps what it is given and returns it."""

    def __call__(self, image, probs):
        self.image, self.probs = image, probs
        return probs


def test_labels_unary_is_irns():
    image, maps = halves()
    crf = Recorder()
    label_image(image, maps, level=0.25, crf=crf, unary="labels")
    scores = with_background(resize_maps(maps.maps, (12, 16)), "constant", 0.25)
    np.testing.assert_array_equal(crf.probs, probabilities_from_labels(scores.argmax(0), 3, 0.7))
    assert crf.image is image


def test_scores_unary_is_normalised_and_keeps_the_scores_ratio():
    image, maps = halves()
    crf = Recorder()
    label_image(image, maps, background="power", level=4, crf=crf, unary="scores")
    scores = with_background(resize_maps(maps.maps, (12, 16)), "power", 4)
    np.testing.assert_allclose(crf.probs.sum(-1), 1, atol=1e-6)
    expected = (scores / scores.sum(0)).transpose(1, 2, 0)
    np.testing.assert_allclose(crf.probs, expected, atol=1e-6)


def test_scores_that_are_all_zero_are_background():
    maps = ClassMaps(np.array([4]), np.zeros((1, 2, 2)), (2, 2))
    crf = DenseCRF()
    assert (label_image(np.zeros((2, 2, 3), np.uint8), maps, level=0.0, crf=crf, unary="scores") == 0).all()


@pytest.mark.parametrize("crf", [None, DenseCRF()])
def test_an_image_without_classes_is_background(crf):
    maps = ClassMaps(np.zeros(0, int), np.zeros((0, 3, 4)), (6, 8))
    mask = label_image(np.zeros((6, 8, 3), np.uint8), maps, crf=crf)
    assert mask.shape == (6, 8)
    assert not mask.any()


def test_confident_keeps_foreground_of_the_first_and_background_of_both():
    maps = ClassMaps(np.array([9]), np.array([[[0.02, 0.1, 0.29, 0.31, 0.9]]]), (1, 5))
    assert label_image(None, maps, confident=(0.3, 0.05)).tolist() == [[0, 255, 255, 9, 9]]
    # (1 - m)^4: 0.92, 0.66, 0.25, 0.23, 0.0001; (1 - m)^32: 0.52, 0.03, ...
    mask = label_image(None, maps, background="power", confident=(4, 32))
    assert mask.tolist() == [[0, 255, 9, 9, 9]]


def test_confident_follows_irns_code_when_the_two_crfs_disagree_on_the_class():
    """`conf = fg; conf[fg == 0] = 255; conf[bg + fg == 0] = 0`, with a stand-in CRF that answers at will."""

    class Answers:
        def __init__(self, *labels):
            self.labels = list(labels)

        def __call__(self, image, probs):
            return np.eye(3)[np.array([self.labels.pop(0)])]

    first, second = [0, 0, 1, 1, 2], [0, 1, 0, 2, 2]
    maps = ClassMaps(np.array([4, 6]), np.zeros((2, 1, 5)), (1, 5))
    image = np.zeros((1, 5, 3), np.uint8)
    mask = label_image(image, maps, crf=Answers(first, second), confident=(0.3, 0.05))
    assert mask.tolist() == [[0, 255, 4, 4, 6]]


def test_wrong_input():
    image, maps = halves()
    with pytest.raises(InputError, match="unknown unary `label`; did you mean `labels`"):
        label_image(image, maps, unary="label")
    with pytest.raises(InputError, match="needed for the CRF"):
        label_image(None, maps, crf=DenseCRF())
    with pytest.raises(InputError, match=r"belong to an image of \(H, W\) \(12, 16\)"):
        label_image(image[:5], maps)
    with pytest.raises(InputError, match="falling"):
        label_image(image, maps, confident=(0.05, 0.3))
    with pytest.raises(InputError, match="rising"):
        label_image(image, maps, background="power", confident=(32, 4))
    for ids in ([0, 1], [1, 1], [1, 255]):
        with pytest.raises(InputError, match="distinct mask ids"):
            label_image(image, ClassMaps(np.array(ids), maps.maps, (12, 16)))
    with pytest.raises(InputError, match="2 maps but 1"):
        label_image(image, ClassMaps(np.array([1]), maps.maps, (12, 16)))
