import pytest

from wsseg.errors import InputError, nearest, require


def test_the_nearest_name_or_all_of_them():
    assert nearest("grad_cm", ["cam", "grad_cam"]) == "did you mean `grad_cam`?"
    assert nearest("sheep", ["b", "a"]) == "choose one of: a, b"
    assert nearest("", []) == "choose one of: "


@pytest.mark.parametrize("value", [2, "2", None, [0.5]])
def test_a_value_that_an_option_cannot_have_is_refused_whatever_its_type(value):
    require("rate", 0.5, lambda rate: 0 <= rate < 1, "in [0, 1)")
    with pytest.raises(InputError, match=r"`rate` must be in \[0, 1\); got"):
        require("rate", value, lambda rate: 0 <= rate < 1, "in [0, 1)")
