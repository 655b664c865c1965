import pytest

from wsseg.catalogue import load
from wsseg.errors import InputError


def test_load_imports_what_the_table_names():
    assert load({"join": "os.path:join"}, "join", "function")("a", "b") == "a/b"
    with pytest.raises(InputError, match="unknown function `joni`; did you mean `join`"):
        load({"join": "os.path:join"}, "joni", "function")
