"""A constructor's signature read as a schema: what it accepts, what a value means, how an editor completes it.

There is no config twin of a stage: ``hidden: Annotated[int, Ge(1)] = 128`` is at once the Python signature, the
check of a pipeline file, the JSON Schema and the line that ``nlpipe show`` prints.
"""

from __future__ import annotations

import functools
import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from nlpipe.errors import suggest

Positive = Annotated[int, Ge(1)]
"""1, 2, 3 …"""
Count = Annotated[int, Ge(0)]
"""0, 1, 2 …"""
Fraction = Annotated[float, Ge(0.0), Le(1.0)]
"""From 0 to 1, both included."""
Dropout = Annotated[float, Ge(0.0), Lt(1.0)]
"""From 0, included, to 1, excluded."""
PositiveFloat = Annotated[float, Gt(0.0)]
"""Above 0."""
NonNegativeFloat = Annotated[float, Ge(0.0)]
"""0 or above."""
FILE = "names a file"
FileName = Annotated[str, FILE]
"""A file, or a folder; in a pipeline file its path starts from where that stands, or from the working directory."""

REQUIRED: Any = inspect.Parameter.empty
"""The default of an option that has none."""


@dataclass(frozen=True)
class Option:
    """One constructor parameter: its name, its annotation and its default (``REQUIRED`` where there is none)."""

    name: str
    annotation: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is REQUIRED

    @functools.cached_property
    def names_files(self) -> bool:
        """Whether its values are those of ``FileName``."""
        return _marked(self.annotation, FILE)

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
        """Whether its values can be written in a file as they are; a nested stage cannot."""
        from pydantic.errors import PydanticInvalidForJsonSchema

        try:
            self._adapter.json_schema()
        except PydanticInvalidForJsonSchema:
            return False
        return True

    def check(self, value: Any) -> Any:
        """``value`` as the constructor takes it.

        Numbers are not made from strings, nor truth values from numbers; a list serves where a tuple is asked for.

        Raises:
            ValueError: it does not fit; the message quotes it and says what would.
        """
        from pydantic import ValidationError

        try:
            if not self.plain or not _is_plain(value):  # a stage or another object: its type is checked
                return self._adapter.validate_python(value)
            return self._adapter.validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            raise ValueError(_explain(error, value)) from None

    def schema(self) -> dict[str, Any]:
        """JSON Schema of its values; for plain values only, not for nested stages."""
        schema: dict[str, Any] = self._adapter.json_schema()
        if not self.required and _is_plain(self.default):
            schema = {**schema, "default": self.default}
        return schema

    def describe(self) -> str:
        """Its type and range for a reader: ``int >= 1``, ``'l1' | 'l2'``, ``float | null``."""
        return describe_type(self.annotation)


def _marked(annotation: Any, mark: Any) -> bool:
    """Whether ``mark`` stands in ``annotation``, at any depth."""
    if mark in getattr(annotation, "__metadata__", ()):
        return True
    return any(_marked(part, mark) for part in typing.get_args(annotation))


def describe_type(annotation: Any) -> str:
    """An annotation in words: ``int >= 1``, ``'l1' | 'l2'``, ``list of str``."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        bounds = [_bound(mark, args[0]) for mark in args[1:]]
        return " ".join([describe_type(args[0]), " and ".join(b for b in bounds if b)]).strip()
    if origin is typing.Literal:
        return " | ".join("null" if a is None else repr(a) for a in args)
    if annotation is type(None):
        return "null"
    if origin is tuple:
        return f"[{', '.join(describe_type(a) for a in args)}]"
    if origin is list:
        return f"list of {describe_type(args[0])}"
    if origin is dict:
        return f"mapping of {describe_type(args[0])} to {describe_type(args[1])}"
    if isinstance(origin, type) and origin is not types.UnionType:  # a stage of some kind, whatever it reads and gives
        return origin.__name__
    if args:  # a union
        return " | ".join(describe_type(a) for a in args)
    return getattr(annotation, "__name__", str(annotation))


def _bound(mark: Any, kind_of: Any) -> str:
    """A bound in words; ``typing`` holds ``Gt(0)`` and ``Gt(0.0)`` for one, so a bound of floats is written as one."""
    symbols = {Ge: ">=", Gt: ">", Le: "<=", Lt: "<"}
    for kind, symbol in symbols.items():
        if isinstance(mark, kind):
            bound = getattr(mark, kind.__name__.lower())
            return f"{symbol} {float(bound) if kind_of is float else bound}"
    return ""


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _explain(error: Any, value: Any) -> str:
    """Pydantic's first complaint about ``value``, in our words."""
    details = error.errors(include_url=False)
    first = details[0]
    place = "".join(f"[{part!r}]" for part in first["loc"] if isinstance(part, int))
    given = first.get("input", value) if place else value
    messages = list(dict.fromkeys(d["msg"].removeprefix("Input ").removeprefix("should ") for d in details))
    said = " or ".join(m.removeprefix("Value error, ") for m in messages)
    return f"{place + ': ' if place else ''}{given!r} will not do: it should {said}"


@functools.cache
def options_of(owner: Callable[..., Any]) -> Mapping[str, Option]:
    """The options of a class (its constructor's parameters) or function, by name, in order.

    Raises:
        TypeError: a parameter is not annotated, or is ``*args`` or ``**kwargs`` (a fault of that class, not of a user:
            a signature is the schema, and these name no options).
    """
    init = owner.__init__ if inspect.isclass(owner) else owner
    if init is object.__init__:
        return {}
    hints = typing.get_type_hints(init, include_extras=True)
    found = {}
    for name, parameter in inspect.signature(init).parameters.items():
        if name == "self":
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{owner.__qualname__}: options are named one by one, without *{name}")
        if name not in hints:
            raise TypeError(f"{owner.__qualname__}: option {name!r} has no annotation")
        found[name] = Option(name, hints[name], parameter.default)
    return found


def check_options(owner: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of ``owner`` with its checked value, defaults filled in, in the order of the signature.

    Raises:
        ValueError: an option that is unknown, missing, or does not fit.
    """
    known = options_of(owner)
    for name in given:
        if name not in known:
            raise ValueError(f"{name}: no such option of {owner.__qualname__}{suggest(name, known)}")
    values = {}
    for name, option in known.items():
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
    """Option name to its line in the ``Options:`` section of the class's docstring, continued lines folded in."""
    section = inspect.cleandoc(owner.__doc__ or "").partition("Options:")[2]
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent == 0:
            break
        head, colon, rest = line.strip().partition(":")
        if colon and indent <= 4 and head.isidentifier():
            name = head
            found[name] = rest.strip()
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found
