import pytest

from wsseg.catalogue import check_options, load, options_of
from wsseg.errors import InputError


def test_load_imports_what_the_table_names():
    assert load({"join": "os.path:join"}, "join", "function")("a", "b") == "a/b"
    with pytest.raises(InputError, match="unknown function `joni`; did you mean `join`"):
        load({"join": "os.path:join"}, "joni", "function")


def test_options_with_their_defaults():
    class Made:
        def __init__(self, model, stride, rate=2, *, flip=False, **kwargs): ...

    assert options_of(Made, without=["model"]) == {"stride": None, "rate": 2, "flip": False}


def test_an_option_that_there_is_not():
    check_options("loss `x`", {"rate": 1}, ["rate", "stride"])
    check_options("loss `x`", {}, [])
    with pytest.raises(InputError, match="loss `x` has no option `stryde`; did you mean `stride`"):
        check_options("loss `x`", {"rate": 1, "stryde": 2}, ["rate", "stride"])
