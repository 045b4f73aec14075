"""Checks the fields of a dataclass against their annotations, as `config/schema.py` checks a configuration."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

from lightning_seq.errors import UserError, near
from lightning_seq.value_types import OneOf, Range

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_hints = cache(get_type_hints)


def check_fields(instance: DataclassInstance, node: str) -> None:
    """Raises UserError for a number out of its `Range`, a text that is not `OneOf` the names, and a switch that is
    neither true nor false. Fields of other types are not checked.

    node: the node of the configuration that the fields belong to, such as `data`.
    """
    hints = _hints(type(instance), include_extras=True)
    for field in (field for field in fields(instance) if field.init):
        value = getattr(instance, field.name)
        options = _options(hints[field.name])
        reasons = [] if value is None and NoneType in options else [_reason(value, option) for option in options]
        if reasons and all(reasons):
            raise UserError(f"{node}.{field.name} is {value!r}{reasons[0]}")


def _options(hint: object) -> tuple[object, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _reason(value: object, hint: object) -> str:
    """The end of an error, for a value that is not of this type; empty for a value of it, and for other types."""
    if get_origin(hint) is Literal:
        return _of_names(value, get_args(hint))
    if hint is bool:
        return "" if isinstance(value, bool) else ", expected true or false"
    if get_origin(hint) is not Annotated:
        return "" if hint is not NoneType else ", expected nothing"
    type_, *markers = get_args(hint)
    for marker in markers:
        if isinstance(marker, OneOf):
            return _of_names(value, tuple(marker.names))
        if isinstance(marker, Range):
            return _of_range(value, type_, marker)
    return ""


def _of_names(value: object, names: tuple[str, ...]) -> str:
    return "" if value in names else f"; {near(str(value), names)}"


def _is_number(value: object, type_: type) -> TypeGuard[float]:
    return isinstance(value, int if type_ is int else int | float) and not isinstance(value, bool)


def _of_range(value: object, type_: type, limits: Range) -> str:
    if _is_number(value, type_) and limits.low <= value and (limits.high is None or value <= limits.high):
        return ""
    number = "a whole number" if type_ is int else "a number"
    limit = f"of at least {limits.low}" if limits.high is None else f"from {limits.low} to {limits.high}"
    return f", expected {number} {limit}"
