"""What stands with an option in its `Annotated` type: its range, former name, and part in a stage's identity.

A section inherits what stands with an option: `epochs: int = 12` in a subclass changes the default alone, and
`crop: Annotated[int, multiple_of(32)] = 512` also the range.
"""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from wsseg.recipe.auto import AUTO
from wsseg.recipe.ranges import Range


class Mark(Enum):
    """Part that an option has in the identity of a stage; an option without a mark decides it by its value."""

    IGNORED_IN_HASH = "IGNORED_IN_HASH"
    OMIT_IF_DEFAULT = "OMIT_IF_DEFAULT"


IGNORED_IN_HASH = Mark.IGNORED_IN_HASH
"""The option does not change what comes out (where data lies, how many processes work), or its file counts instead."""

OMIT_IF_DEFAULT = Mark.OMIT_IF_DEFAULT
"""The option came later: it is left out while it has its default, so that runs from before it stay done."""


@dataclass(frozen=True, eq=False)
class RenamedFrom:
    """Former name of an option: it is still read, with a note, and still stands in the definitions of stages.

    Attributes:
        name: Former name.
        values: Former values and what they are called now, where that differs.
    """

    name: str
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def now(self, value: Any) -> Any:
        """Return today's form of a value."""
        return self.values.get(value, value) if isinstance(value, str) else value

    def then(self, value: Any) -> Any:
        """Return the former form of a value."""
        return {new: old for old, new in self.values.items()}.get(value, value)


Kind = TypeVar("Kind")


@functools.cache
def marks_of(section: type, name: str) -> tuple[Any, ...]:
    """Return what stands with an option: in the section itself or, where that says nothing, in the nearest base.

    Example:
        >>> from wsseg.recipe import SegmentConfig
        >>> [mark.words for mark in marks_of(SegmentConfig, "epochs")]
        ['at least 1']
    """
    for one in section.__mro__:
        declared = inspect.get_annotations(one).get(name)
        if typing.get_origin(declared) is typing.Annotated:
            return declared.__metadata__
    return ()


def mark_of(section: type, name: str, kind: type[Kind]) -> Kind | None:
    """Return the mark of one kind that stands with an option, or None."""
    return next((mark for mark in marks_of(section, name) if isinstance(mark, kind)), None)


types_of = functools.cache(typing.get_type_hints)
"""Return the types of a section's options, without marks."""


@functools.cache
def renamed_in(section: type) -> dict[str, RenamedFrom]:
    """Return the options of a section that had another name, by today's name."""
    marks = {name: mark_of(section, name, RenamedFrom) for name in types_of(section)}
    return {name: mark for name, mark in marks.items() if mark is not None}


@dataclass(frozen=True)
class Option:
    """One option of a recipe.

    Attributes:
        path: Dotted name.
        section: The dataclass that declares it.
        value: Its value.
    """

    path: str
    section: type
    value: Any

    @property
    def name(self) -> str:
        """Name inside the section."""
        return self.path.rpartition(".")[2]

    @property
    def kind(self) -> Any:
        """Type."""
        return types_of(self.section)[self.name]

    @property
    def range(self) -> Range | None:
        """Range, or None where every value of the type will do."""
        return mark_of(self.section, self.name, Range)


def options_of(section: Any, prefix: str = "") -> Iterator[Option]:
    """Yield every option of a recipe or section with its value: its own, those that it inherits, inner sections."""
    inner = []
    inherited = {name for base in type(section).__bases__ for name in types_of(base)}
    for field in sorted(dataclasses.fields(section), key=lambda field: field.name in inherited):
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(value):
            inner.append((value, f"{prefix}{field.name}."))
        else:
            yield Option(f"{prefix}{field.name}", type(section), value)
    for value, path in inner:
        yield from options_of(value, path)


def check_ranges(section: Any) -> None:
    """Fail on an option whose value is not in the range that stands with it.

    Raises:
        InputError: The message names the option, what was expected and what to try.
    """
    for option in options_of(section):
        if option.range is not None and option.value != AUTO:
            option.range.check(option.path, option.value)
