"""Whether half precision can be computed here.

TensorFlow asks the processor for AVX-512 and then leaves convolutions and products in half precision to oneDNN, which
asks the variable ONEDNN_MAX_CPU_ISA too. Where the variable hides what the processor has, oneDNN finds no kernel and
aborts, or the process dies. A processor that lacks AVX-512 itself has no such trouble: TensorFlow then takes its own
kernels.
"""

import os

import pytest

AVAILABLE = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() not in ("SSE41", "AVX", "AVX2")

needs_half_precision = pytest.mark.skipif(
    not AVAILABLE,
    reason="oneDNN has no half precision where ONEDNN_MAX_CPU_ISA hides AVX-512 from it alone",
)
