import numpy as np
import pytest
from pycocotools import mask as coco_mask

from wsseg.errors import InputError
from wsseg.objects.run_length import decode_mask, encode_masks, run_lengths


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 1])
def test_there_and_back(share):
    random = np.random.default_rng(0)
    for size_hw in ((1, 1), (1, 9), (7, 1), (40, 53), (300, 200)):
        mask = random.random(size_hw) < share
        mask[size_hw[0] // 2 :] = mask[size_hw[0] // 2]  # long runs as well
        text = encode_masks(mask[None])[0]
        np.testing.assert_array_equal(decode_mask(text), mask)
        np.testing.assert_array_equal(coco_mask.decode(text), mask)  # what others make of it
        plain = {"size": list(size_hw), "counts": run_lengths(text["counts"]).tolist()}
        np.testing.assert_array_equal(decode_mask(plain, size_hw), mask)
        np.testing.assert_array_equal(decode_mask(text | {"counts": text["counts"].encode()}), mask)


def test_run_lengths_by_hand():
    # Runs 2, 3, 1 of a 2 x 3 mask, column by column: 0 0, 1 1, 1 0.
    mask = np.array([[0, 1, 1], [0, 1, 0]], bool)
    assert encode_masks(mask[None])[0] == {"size": [2, 3], "counts": "231"}
    # 40 = 8 + 1 * 32 is two characters, 8 with bit 5 and 1: chr(48 + 8 + 32), chr(48 + 1).
    assert run_lengths("X1").tolist() == [40]
    # From the fourth run on the difference to the one two before: 3, then 3 - 1; -1 is 31 with its sign bit, 'O'.
    assert run_lengths("133O").tolist() == [1, 3, 3, 2]


def test_polygons_are_joined():
    squares = [[0, 0, 2, 0, 2, 2, 0, 2], [4, 1, 6, 1, 6, 3, 4, 3]]
    mask = decode_mask(squares, (5, 8))
    assert mask.sum() == 8 and mask[:2, :2].all() and mask[1:3, 4:6].all()
    assert not decode_mask([], (5, 8)).any()
    assert decode_mask([[-5, -5, 20, -5, 20, 20, -5, 20]], (5, 8)).all()


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "must be run lengths with `size`"),
        ({"counts": "0"}, "must be run lengths with `size`"),
        ({"size": [5, 4.0], "counts": "0"}, "must be run lengths with `size`"),
        ({"size": [5, 4], "counts": None}, "must be COCO's run lengths"),
        ({"size": [5, 4], "counts": "\u00e4"}, "must be COCO's run lengths"),
        ({"size": [5, 4], "counts": "zz"}, "must be COCO's run lengths"),
        ({"size": [5, 4], "counts": "X"}, "must be COCO's run lengths"),  # it says that more follows
        ({"size": [5, 4], "counts": "XXXXXXXXXXXXXXXXXXX1"}, "must be COCO's run lengths"),
        ({"size": [5, 4], "counts": [10, -1, 11]}, "must be COCO's run lengths"),
        ({"size": [5, 4], "counts": ""}, "do not add up to its size of 5 x 4"),
        ({"size": [5, 4], "counts": [10, 9]}, "do not add up"),
        ({"size": [5, 4], "counts": "O5"}, "do not add up"),
        ({"size": [5, 4], "counts": [2**63 - 1, 2**63 - 1, 22]}, "do not add up"),  # 20 in int64
        ({"size": [5, 4], "counts": [2**64 + 20]}, "must be COCO's run lengths"),
        ({"size": [4, 5], "counts": "d0"}, r"has \(H, W\) \(4, 5\), its image \(5, 4\)"),
        ([[1, 2, 3, 4]], "at least three corners"),
        ([[1, 2, 3, 4, 5, 6, 7]], "at least three corners"),
        ([[1, 2, 3, 4, 5, "6"]], "at least three corners"),
        ([[1, 2, 3, 4, 5, float("nan")]], "far outside"),
        ([[1, 2, 3, 4, 5, 1e12]], "far outside"),
    ],
)
def test_what_is_no_mask(segmentation, message):
    with pytest.raises(InputError, match=message):
        decode_mask(segmentation, (5, 4))


def test_polygons_need_a_size():
    with pytest.raises(InputError, match="give `size_hw`"):
        decode_mask([[0, 0, 2, 0, 2, 2]])


def test_a_size_that_no_memory_holds_is_refused():
    huge = {"size": [10**6, 10**6], "counts": [10**12]}
    with pytest.raises(InputError, match="may have 178,956,970 pixels at most"):
        decode_mask(huge)
