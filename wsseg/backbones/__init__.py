"""Backbones: networks of `keras.applications` with named feature levels and a choice of output stride."""

from wsseg.backbones.builder import NAMES, create, level_strides
from wsseg.backbones.output_stride import with_output_stride

__all__ = ["NAMES", "create", "level_strides", "with_output_stride"]
