"""The sizes a network takes: hand-worked."""

import pytest

from wsseg.errors import InputError
from wsseg.layers.legal_sizes import LegalSizes

UNET = LegalSizes(16, 12, 188)


def test_neighbours_of_a_side():
    assert (UNET.below(572), UNET.above(572)) == (572, 572)
    assert (UNET.below(571), UNET.above(573)) == (556, 588)
    assert (UNET.below(187), UNET.above(1)) == (None, 188)
    assert 188 in UNET and 172 not in UNET and 189 not in UNET


def test_an_illegal_size_names_the_nearest_legal_ones():
    with pytest.raises(
        InputError,
        match=r"`unet` can't take images of 570 x 572 pixels.*"
        r"12 modulo 16, from 188; try \(556, 572\) or \(572, 572\)",
    ):
        UNET.check((570, 572), "unet")
    with pytest.raises(InputError, match=r"try \(188, 188\)$"):
        UNET.check((20, 188), "unet")
    UNET.check((572, 188), "unet")
    UNET.check((None, None), "unet")
    with pytest.raises(InputError, match="multiples of 32, from 32"):
        LegalSizes(32, 0, 32).check((33, None), "segnet")


def test_every_size():
    LegalSizes().check((1, 7), "fcn_8s")
