"""Read the masks of a folder of photographs: class ids, declared values or gray levels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wsseg.artifacts import IGNORE
from wsseg.datasets.colour_table import RGB, read_coloured
from wsseg.datasets.gray_masks import gray_levels
from wsseg.datasets.mask_ids import ILLEGAL
from wsseg.datasets.mask_values import some_values, stored_values
from wsseg.datasets.record import Record
from wsseg.errors import InputError


@dataclass(frozen=True)
class FolderMasks:
    """Reader of the masks of a dataset `folder`.

    Attributes:
        table: See `wsseg.datasets.mask_values.value_table`.
        declared: Whether the table comes from `mask_values`.
        level: Gray level above which a pixel belongs to the image's class, or None.
        objects: Image id -> mask ids of its labels in the CSV, which may differ from the labels that a run gives it.
        classes: The dataset's classes.
        colours: Colour -> id, for masks of colours; or None.
    """

    table: np.ndarray
    declared: bool
    level: int | None
    objects: Mapping[str, tuple[int, ...]]
    classes: tuple[str, ...]
    colours: Mapping[RGB, int] | None = None

    def read(self, record: Record) -> np.ndarray:
        """Read a mask as `(H, W)` values of the table, or as ids if there is a level or are colours.

        Raises:
            InputError: The file is broken, or holds values that are no ids; the message names them and the way out.
        """
        if self.colours is not None:
            return read_coloured(record.mask, self.colours)
        objects = self.objects.get(record.id, ())
        if self.level is not None:
            above = gray_levels(record.mask) > self.level
            number = objects[0] if len(objects) == 1 else 1 if len(self.classes) == 1 else None
            if number is None and above.any():
                raise InputError(
                    f"mask {record.mask} is read by `mask_level`, so its image must have one label; it has "
                    f"{len(objects)}: write masks of class ids instead"
                )
            return above.astype(np.uint8) * np.uint8(number or 0)
        stored = stored_values(record.mask, as_ids=not self.declared)
        found = np.unique(stored)
        legal = (found < len(self.table)) & (self.table[np.minimum(found, len(self.table) - 1)] != ILLEGAL)
        if not legal.all():
            raise InputError(
                f"mask {record.mask} holds the value {found[~legal][0]}, which is no id of {len(self.classes)} "
                f"class{'es' if len(self.classes) > 1 else ''}, among {some_values(found)}; "
                + self._ways_out(int(found[~legal][-1]))
            )
        if objects and not self.declared and IGNORE in found and set(found.tolist()) <= {0, IGNORE}:
            raise InputError(
                f"mask {record.mask} holds only 0 and 255, and 255 is not scored, so nothing of its image's labels "
                f"would be; set `mask_values: {{255: {self.classes[objects[0] - 1]}}}` if it is the object, or "
                "`mask_values: {255: ignore}` if it marks unsure pixels"
            )
        return stored

    def _ways_out(self, value: int) -> str:
        level = ", or `mask_level: 127` if these are gray levels of one class" if value <= IGNORE else ""
        return f"say what the values mean, as in `mask_values: {{{value}: {self.classes[0]}}}`{level}"
