"""Read a YAML file of options, and refuse what YAML allows but no recipe needs."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from wsseg.errors import InputError

DEPTH = 50
"""Deepest nesting that is read."""

VALUES = 100_000
"""Largest number of values that is read, with those that aliases repeat."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which refuses a key that stands twice: PyYAML keeps the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[Any, yaml.Mark] = {}
        for key, _ in node.value:
            if (
                isinstance(key, yaml.ScalarNode)
                and seen.setdefault(key.value, key.start_mark) is not key.start_mark
            ):
                raise yaml.constructor.ConstructorError(
                    "while reading a section",
                    node.start_mark,
                    f"`{key.value}` stands there twice",
                    key.start_mark,
                )
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Returns:
        Its content: mappings, lists and plain values; None for an empty file.

    Raises:
        InputError: The file cannot be read, is not valid YAML, has a key twice in one section, or repeats or nests its
            values without end by aliases. The message names the file.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)  # a kind of SafeLoader
        _check_size(content)
    except OSError as error:
        raise InputError(f"recipe {path} cannot be read ({error.strerror}); give a YAML file") from error
    except RecursionError:
        raise InputError(f"recipe {path} is nested too deeply; give at most {DEPTH} levels") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no text, or a date or number of no meaning
        raise InputError(f"recipe {path} is not valid YAML: {error}") from error
    return content


def _check_size(content: Any) -> None:
    """Raise a ValueError or RecursionError for values that a few aliases make many or endless."""
    count, left = 0, [(content, 1)]
    while left:
        value, depth = left.pop()
        count += 1
        if depth > DEPTH:
            raise RecursionError
        if count > VALUES:
            raise ValueError(f"its aliases stand for more than {VALUES:,} values")
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | set) else ()
        left.extend((one, depth + 1) for one in inner)
