import pytest

from wsseg.catalogue import load, nearest
from wsseg.errors import InputError


def test_the_nearest_name_or_all_of_them():
    assert nearest("grad_cm", ["cam", "grad_cam"]) == "did you mean `grad_cam`?"
    assert nearest("sheep", ["b", "a"]) == "choose one of: a, b"
    assert nearest("", []) == "choose one of: "


def test_load_imports_what_the_table_names():
    assert load({"join": "os.path:join"}, "join", "function")("a", "b") == "a/b"
    with pytest.raises(InputError, match="unknown function `joni`; did you mean `join`"):
        load({"join": "os.path:join"}, "joni", "function")
