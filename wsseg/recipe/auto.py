"""The value `auto` of an option: the data decide it (`wsseg.engine.data_plan`, `wsseg.training.enlarging`)."""

from typing import Literal

AUTO = "auto"

Auto = Literal["auto"]
"""Type of the value, beside an option's own: `crop: int | Auto = 320`."""
