import numpy as np
import pytest

from wsseg.errors import InputError, is_whole, nearest, require, require_whole


def test_the_nearest_name_or_all_of_them():
    assert nearest("grad_cm", ["cam", "grad_cam"]) == "did you mean `grad_cam`?"
    assert nearest("sheep", ["b", "a"]) == "choose one of: a, b"
    assert nearest("", []) == "choose one of: "


@pytest.mark.parametrize("value", [2, "2", None, [0.5]])
def test_a_value_that_an_option_cannot_have_is_refused_whatever_its_type(value):
    require("rate", 0.5, lambda rate: 0 <= rate < 1, "in [0, 1)")
    with pytest.raises(InputError, match=r"`rate` must be in \[0, 1\); got"):
        require("rate", value, lambda rate: 0 <= rate < 1, "in [0, 1)")


@pytest.mark.parametrize(
    "value", [0, 2.0, True, "2", None, np.float32(2), np.True_, float("nan"), [2], np.array([2])]
)
def test_what_is_no_whole_number_from_1_is_refused(value):
    assert not is_whole(value, 1)
    with pytest.raises(InputError, match=r"`steps` must be a whole number from 1; got .*; try 100"):
        require_whole("steps", value, hint="try 100")


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_are_returned_as_pythons(value):
    assert is_whole(value, 3) and not is_whole(value, 4) and is_whole(-value.__class__(0))
    found = require_whole("steps", value, least=3)
    assert type(found) is int and found == 3
    with pytest.raises(InputError, match="`steps` must be a whole number from 4; got "):
        require_whole("steps", value, least=4)
