"""Names of keras-hub's backbones, with keras-hub or without."""

import sys

import pytest

from wsseg import backbones
from wsseg.errors import InputError
from wsseg.layers.hub_architecture import Architecture

TINY = "hidden_dim=8, intermediate_dim=16, num_heads=2, num_layers=1, patch_size=16"


@pytest.mark.parametrize("name", ["hub:dinov2_small", f"hub:clip({TINY})"])
def test_without_keras_hub_the_message_names_the_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)  # importing it raises ImportError
    for call in (backbones.create, backbones.level_strides):
        with pytest.raises(InputError, match=r"needs keras-hub.*pip install wsseg\[hub\]"):
            call(name)


def test_text_round_trip():
    made = Architecture.parse(f"siglip({TINY}, image_shape=[32, 32, 3], scale=(1, 2, 3), offset=(4, 5, 6))")
    assert (made.family, made.patch, made.channels) == ("siglip", 16, 8)
    assert (made.scale, made.offset) == ((1, 2, 3), (4, 5, 6))
    assert dict(made.arguments)["image_shape"] == (32, 32, 3)
    assert Architecture.parse(str(made)) == made
    assert "scale" not in str(Architecture.parse(f"siglip({TINY})"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"dinov4({TINY})", "did you mean `dinov3`"),
        ("clip(patch_size=16)", "lacks num_layers, hidden_dim, num_heads, intermediate_dim"),
        ("clip(16)", "arguments without names"),
        ("clip(patch_size=open)", "expected a preset's name"),
        ("clip(patch_size=16", "expected a preset's name"),
    ],
)
def test_other_texts_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        Architecture.parse(text)


def test_siglip_takes_images_from_minus_1_to_1():
    made = Architecture.parse(f"siglip({TINY})")
    assert [0 * made.scale[0] + made.offset[0], 255 * made.scale[0] + made.offset[0]] == [-1, 1]
