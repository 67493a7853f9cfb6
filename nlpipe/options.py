"""The options of a stage, read from its constructor's signature: names, types, ranges, defaults and descriptions.

No class describes the options a second time: ``hidden: Annotated[int, Ge(1)] = 128`` is at once the Python signature,
the check of a pipeline file, the JSON Schema and the line that ``nlpipe show`` prints.
"""

from __future__ import annotations

import functools
import inspect
import json
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, SupportsIndex

from annotated_types import Ge, Gt, Le, Lt

from nlpipe.errors import NlpipeError, suggest
from nlpipe.type_words import UNIONS, describe_type, expected_values

Positive = Annotated[int, Ge(1)]
"""An integer of at least 1."""
Count = Annotated[int, Ge(0)]
"""An integer of at least 0."""
Fraction = Annotated[float, Ge(0.0), Le(1.0)]
"""A number from 0 to 1, both included."""
Dropout = Annotated[float, Ge(0.0), Lt(1.0)]
"""A number from 0 (included) to 1 (excluded)."""
PositiveFloat = Annotated[float, Gt(0.0)]
"""A number above 0."""
NonNegativeFloat = Annotated[float, Ge(0.0)]
"""A number of at least 0."""
LARGEST_SEED = 2**32 - 1
Seed = Annotated[int, Ge(0), Le(LARGEST_SEED)]
"""The seeds that numpy and torch both take."""
MANY = 1_000_000
"""The most that is generated: tokens of a text, or texts."""
PATH_MARK = "path of a file"
"""What marks the annotation of an option as a path."""
FileName = Annotated[str, PATH_MARK]
"""The path of a file or folder: relative to the pipeline file that has it; in Python, to the working directory."""

REQUIRED: Any = inspect.Parameter.empty
"""The default of an option that has no default."""


@dataclass(frozen=True)
class Option:
    """One constructor parameter: its name, its annotation and its default (``REQUIRED`` if it has none)."""

    name: str
    annotation: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether the option has no default, so that a value must be given."""
        return self.default is REQUIRED

    @functools.cached_property
    def names_files(self) -> bool:
        """Whether the values are paths: the annotation contains ``FileName``."""
        return _has_mark(self.annotation, PATH_MARK)

    @functools.cached_property
    def _adapter(self) -> Any:
        from pydantic import ConfigDict, TypeAdapter

        try:
            return TypeAdapter(self.annotation, config=ConfigDict(arbitrary_types_allowed=True))
        except Exception as error:  # pydantic forbids config for its own models and dataclasses
            if "config" not in str(error):
                raise
            return TypeAdapter(self.annotation)

    @functools.cached_property
    def plain(self) -> bool:
        """Whether the values can be written in a YAML file directly; a nested stage cannot."""
        from pydantic.errors import PydanticInvalidForJsonSchema

        try:
            self._adapter.json_schema()
        except PydanticInvalidForJsonSchema:
            return False
        return True

    def check(self, value: Any) -> Any:
        """Return ``value`` in the type that the constructor takes.

        Strings are not converted to numbers, nor numbers to booleans; a list is converted to a tuple.

        Raises:
            ValueError: the value does not have the type or is out of range; the message quotes it and says what is
                expected.
        """
        from pydantic import ValidationError

        try:
            if not self.plain or not _is_plain(value):  # a stage or another object: its type is checked
                return self._adapter.validate_python(value)
            return self._adapter.validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            raise ValueError(_explain(self.annotation, value, error)) from None

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the values; only for plain values, not for nested stages."""
        schema: dict[str, Any] = self._adapter.json_schema()
        if not self.required and _is_plain(self.default):
            schema = {**schema, "default": self.default}
        return schema

    def describe(self) -> str:
        """Return the type and range as a short text: ``int >= 1``, ``'l1' | 'l2'``, ``float | null``."""
        return describe_type(self.annotation)


def _has_mark(annotation: Any, mark: Any) -> bool:
    """Whether ``mark`` is metadata of ``annotation`` or of a type inside it."""
    if mark in getattr(annotation, "__metadata__", ()):
        return True
    return any(_has_mark(argument, mark) for argument in typing.get_args(annotation))


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _explain(annotation: Any, value: Any, error: Any) -> str:
    """Say which part of ``value`` is wrong and what is expected there: ``[1]: invalid value 0: expected …``.

    Args:
        annotation: the type of the option.
        value: the value that pydantic refused.
        error: pydantic's ValidationError; its own message is used for types that have no words here.
    """
    for key, item_annotation, item in _items(annotation, value):
        try:
            Option("", item_annotation, REQUIRED).check(item)
        except ValueError as inner:
            return f"[{key!r}]{'' if str(inner).startswith('[') else ': '}{inner}"
    try:
        expected = f"expected {expected_values(annotation)}"
    except LookupError:
        expected = " or ".join(dict.fromkeys(details["msg"] for details in error.errors()))
    return f"invalid value {value!r}: {expected}"


def _items(annotation: Any, value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Key, annotation and value of each item, if ``annotation`` is (or, as a union, contains) a list, tuple or dict."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in UNIONS:
        for argument in arguments:
            yield from _items(argument, value)
    elif origin is list and isinstance(value, list):
        yield from ((i, arguments[0], item) for i, item in enumerate(value))
    elif origin is tuple and isinstance(value, list | tuple) and len(value) == len(arguments):
        yield from ((i, argument, item) for i, (argument, item) in enumerate(zip(arguments, value, strict=True)))
    elif origin is dict and isinstance(value, Mapping):
        yield from ((key, arguments[1], item) for key, item in value.items())


@functools.cache
def options_of(owner: Callable[..., Any]) -> Mapping[str, Option]:
    """Return the options of a class (its constructor's parameters) or of a function, by name, in order.

    Raises:
        TypeError: a parameter has no annotation, or is variadic. This is a bug in that class, not a user's error: the
            signature is the schema, and a variadic parameter names no option.
    """
    init = owner.__init__ if inspect.isclass(owner) else owner
    if init is object.__init__:
        return {}
    hints = typing.get_type_hints(init, include_extras=True)
    options = {}
    for name, parameter in inspect.signature(init).parameters.items():
        if name == "self":
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{owner.__qualname__}: name every option; *{name} names none")
        if name not in hints:
            raise TypeError(f"{owner.__qualname__}: option {name!r} has no annotation")
        options[name] = Option(name, hints[name], parameter.default)
    return options


def check_options(owner: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checked value or the default of every option of ``owner``, in the order of the signature.

    Raises:
        ValueError: an option is unknown or missing, or its value does not have the type or is out of range.
    """
    options = options_of(owner)
    for name in given:
        if name not in options:
            raise ValueError(f"{name}: no such option of {owner.__qualname__}{suggest(name, options)}")
    values = {}
    for name, option in options.items():
        if name in given:
            try:
                values[name] = option.check(given[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        elif option.required:
            raise ValueError(f"{name}: {owner.__qualname__} needs this option ({option.describe()})")
        else:
            values[name] = option.default
    return values


def option_texts(owner: type[Any]) -> dict[str, str]:
    """Return the description of each option in the ``Options:`` section of the docstring, with its lines joined.

    Options that the class inherits are described where they are declared.
    """
    texts: dict[str, str] = {}
    for cls in reversed(inspect.getmro(owner)):
        section = inspect.cleandoc(cls.__doc__ or "").partition("Options:")[2]
        name = ""
        for line in section.splitlines():
            indent = len(line) - len(line.lstrip())
            if line.strip() and indent == 0:
                break
            first, colon, text = line.strip().partition(":")
            if colon and indent <= 4 and first.isidentifier():
                name = first
                texts[name] = text.strip()
            elif name and line.strip():
                texts[name] += f" {line.strip()}"
    return texts


def check_number(name: str, value: Any, least: int, most: int = MANY) -> None:
    """Check an integer that a method is given, such as the number of tokens to generate; not an option of a stage.

    Raises:
        NlpipeError: it is no integer, or out of its range.
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex) or not least <= value.__index__() <= most:
        raise NlpipeError(f"{name}: invalid value {value!r}: expected an integer from {least} to {most:,}")
