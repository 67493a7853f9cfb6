"""A type annotation in words: as a short text for tables and schemas, and as part of a sentence for messages."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

UNIONS = (typing.Union, types.UnionType)
"""The two origins of a union: ``Optional[int]`` and ``int | None``."""


def describe_type(annotation: Any) -> str:
    """Return an annotation as a short text: ``int >= 1``, ``'l1' | 'l2'``, ``list of str``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        bounds = [_describe_bound(bound, arguments[0]) for bound in arguments[1:]]
        return " ".join([describe_type(arguments[0]), " and ".join(text for text in bounds if text)]).strip()
    if origin is typing.Literal:
        return " | ".join(_literals(arguments))
    if origin in UNIONS:
        return " | ".join(describe_type(argument) for argument in arguments)
    if annotation is type(None):
        return "null"
    if origin is tuple:
        return f"[{', '.join(describe_type(argument) for argument in arguments)}]"
    if origin is list:
        return f"list of {describe_type(arguments[0])}"
    if origin is dict:
        return f"mapping of {describe_type(arguments[0])} to {describe_type(arguments[1])}"
    return getattr(origin or annotation, "__name__", str(annotation))  # of Encoder[Sequences, Vectors]: Encoder


def _describe_bound(bound: Any, number_type: Any) -> str:
    """``>= 1``; bounds of floats are converted, because ``typing`` caches ``Gt(0)`` and ``Gt(0.0)`` as one object."""
    symbols = {Ge: ">=", Gt: ">", Le: "<=", Lt: "<"}
    for kind, symbol in symbols.items():
        if isinstance(bound, kind):
            limit = getattr(bound, kind.__name__.lower())
            return f"{symbol} {float(limit) if number_type is float else limit}"
    return ""


def _literals(values: tuple[Any, ...]) -> list[str]:
    return ["null" if value is None else repr(value) for value in values]


def expected_values(annotation: Any, plural: bool = False) -> str:
    """Return the values of an annotation as part of a sentence: ``a positive integer or null``, ``a list of strings``.

    Args:
        annotation: a type that an option may have.
        plural: whether to name several values: ``positive integers``.

    Raises:
        LookupError: there are no words for this annotation.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        if arguments[0] in (int, float):
            return _number(arguments[0], arguments[1:], plural)
        if any(not isinstance(mark, str) for mark in arguments[1:]):  # a rule of pydantic's
            raise LookupError(annotation)
        return expected_values(arguments[0], plural)
    if origin is typing.Literal or origin in UNIONS:
        return _alternatives(annotation, plural)
    if origin is list:
        return f"{'lists' if plural else 'a list'} of {expected_values(arguments[0], plural=True)}"
    if origin is tuple and len(set(arguments)) == 1:
        items = f"{len(arguments)} {expected_values(arguments[0], plural=True)}"
        return f"{'lists' if plural else 'a list'} of {items}"
    if origin is dict:
        keys, values = (expected_values(argument, plural=True) for argument in arguments)
        return f"{'mappings' if plural else 'a mapping'} of {keys} to {values}"
    if annotation in _SIMPLE:
        return _SIMPLE[annotation][plural]
    if origin is tuple or not _is_class(origin or annotation):
        raise LookupError(annotation)
    name = (origin or annotation).__name__
    return f"{name}s" if plural else f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


_SIMPLE: dict[Any, tuple[str, str]] = {
    int: ("an integer", "integers"),
    float: ("a number", "numbers"),
    str: ("a string", "strings"),
    bool: ("true or false", "booleans"),
    type(None): ("null", "null"),
    Any: ("any value", "any values"),
}
"""Annotation to the words for one value and for several."""


def _is_class(annotation: Any) -> bool:
    """Whether only instances of a class fit: not so for models and dataclasses, which pydantic makes from mappings."""
    fields = ("__dataclass_fields__", "__pydantic_fields__")
    return isinstance(annotation, type) and not any(hasattr(annotation, name) for name in fields)


def _number(kind: type, bounds: tuple[Any, ...], plural: bool) -> str:
    """``a positive integer``, ``numbers from 0 to 1``."""
    limits = {type(bound): getattr(bound, type(bound).__name__.lower()) for bound in bounds}
    singular, several = _SIMPLE[kind]
    if limits == ({Ge: 1} if kind is int else {Gt: 0}):
        return f"positive {several}" if plural else f"a positive {several.removesuffix('s')}"
    noun = several if plural else singular
    if set(limits) == {Ge, Le}:
        return f"{noun} from {_digits(limits[Ge])} to {_digits(limits[Le])}"
    words = {Ge: "of at least", Gt: "above", Le: "of at most", Lt: "below"}
    return f"{noun} {' and '.join(f'{words[bound]} {_digits(limit)}' for bound, limit in limits.items())}"


def _digits(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


def _alternatives(annotation: Any, plural: bool) -> str:
    """The members of a union or Literal: ``'a', 'b' or null``."""
    words: list[str] = []
    for member in typing.get_args(annotation) if typing.get_origin(annotation) in UNIONS else [annotation]:
        if typing.get_origin(member) is typing.Literal:
            words += _literals(typing.get_args(member))
        else:
            words.append(expected_values(member, plural))
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
