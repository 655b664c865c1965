"""Backbones: networks of `keras.applications` with named feature levels and a choice of output stride.

With the extra `hub`, the vision transformers of keras-hub are backbones too (`wsseg.backbones.hub`).
"""

from wsseg.backbones.builder import NAMES, create, full_name, level_strides
from wsseg.backbones.output_stride import with_output_stride

__all__ = ["NAMES", "create", "full_name", "level_strides", "with_output_stride"]
