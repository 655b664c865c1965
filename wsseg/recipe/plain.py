"""Recipes as JSON and YAML hold them: whole, or only what decides the identity of a stage."""

import dataclasses
import types
from typing import Any

from wsseg.recipe.marks import IGNORED_IN_HASH, OMIT_IF_DEFAULT, marks_of, renamed_in


def to_plain(value: Any) -> Any:
    """Return dataclasses and tuples as dictionaries and lists, as JSON and YAML hold them.

    Example:
        >>> from wsseg.recipe import CRFConfig
        >>> to_plain(CRFConfig())
        {'preset': 'irn', 'iterations': 10, 'unary': 'labels', 'backend': 'numba', 'parameters': {}}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, (dict, types.MappingProxyType)):
        return {str(key): to_plain(item) for key, item in value.items()}
    return value


def identity(section: Any) -> Any:
    """Return what of a section decides the outcome of a stage, as its definition holds it.

    Args:
        section: A section of a recipe, or the value of one option.

    Returns:
        The section without options that are marked IGNORED_IN_HASH, or OMIT_IF_DEFAULT and have their default; renamed
        options have their former name and value, so that the definitions of earlier runs stay equal.

    Example:
        >>> from wsseg.recipe import DatasetConfig, SegmentConfig
        >>> "root" in identity(DatasetConfig(root="data"))
        False
        >>> identity(SegmentConfig(train_on="true_masks"))["supervision"]
        'masks'
    """
    if not dataclasses.is_dataclass(section):
        return to_plain(section)
    kind, result = type(section), {}
    former = renamed_in(kind)
    for field in dataclasses.fields(section):
        value, marks = identity(getattr(section, field.name)), marks_of(kind, field.name)
        if IGNORED_IN_HASH in marks or (OMIT_IF_DEFAULT in marks and value == identity(_default(field))):
            continue
        if field.name in former:
            result[former[field.name].name] = former[field.name].then(value)
        else:
            result[field.name] = value
    return result


def _default(field: dataclasses.Field) -> Any:
    return field.default if field.default is not dataclasses.MISSING else field.default_factory()
