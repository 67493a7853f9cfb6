"""Values of YAML and of Python, each with its place in a file, and differences between YAML 1.1 and 1.2."""

from __future__ import annotations

import math
import numbers
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nlpipe.errors import Fault, NlpipeWarning, SpecError

MAX_DEPTH = 40
MAX_NODES = 20_000
"""Maximum number of values in a file; an alias counts as much as its anchor."""
MAX_DIGITS = 400
"""Maximum number of digits of an integer; Python itself refuses to read or print thousands."""

SURROGATE = re.compile(r"[\ud800-\udfff]")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+\Z")
_OLD_TRUE = re.compile(r"(?:y|yes|on)\Z", re.IGNORECASE)
_OLD_FALSE = re.compile(r"(?:n|no|off)\Z", re.IGNORECASE)
_OLD_BINARY = re.compile(r"[-+]?0b[01_]+\Z")
_OLD_UNDERSCORES = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?\Z")
_OLD_BASE_60 = re.compile(r"[-+]?[0-9]+(?::[0-5]?[0-9])+\Z")


@dataclass(frozen=True)
class Place:
    """The place of a value: a file with line and column (from 1), or another source, without them.

    Args:
        path: the file, or a name for messages, such as ``override head.C=2``.
        line: 0 if the source is not a file.
        column: 0 if the source is not a file.
        key: the key path that an override sets; faults of that key do not name it again.
    """

    path: str
    line: int = 0
    column: int = 0
    key: str = ""

    def fault(self, key: str, message: str) -> Fault:
        """``message`` about ``key``, at this place."""
        return Fault(self.path, self.line, self.column, "" if key == self.key else key, message)

    def folder(self, base: Path) -> Path:
        """The folder that relative paths at this place start from: that of the file, or ``base`` if there is none."""
        return Path(self.path).parent if self.line else base


@dataclass(frozen=True)
class Value:
    """A value and its place: a scalar, a tuple of values, or a mapping of values.

    Args:
        keys: the places of a mapping's keys.
        size: the number of values in it, itself included.
        written: the spelling in the file of a scalar that is not a string; otherwise empty.
    """

    content: bool | int | float | str | tuple[Value, ...] | dict[str, Value] | None
    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)
    size: int = 1
    written: str = ""

    @property
    def entries(self) -> dict[str, Value]:
        """The entries of a mapping; of anything else, none."""
        return self.content if isinstance(self.content, dict) else {}

    def plain(self) -> Any:
        """The value without places, as plain Python data."""
        if isinstance(self.content, tuple):
            return [item.plain() for item in self.content]
        if isinstance(self.content, dict):
            return {key: item.plain() for key, item in self.content.items()}
        return self.content

    def put(self, key: str, value: Value, place: Place | None = None) -> Value:
        """A mapping like this one in which ``key`` is ``value``."""
        keys = {**self.keys, key: place or value.place}
        return Value({**self.entries, key: value}, self.place, keys)

    def without(self, *names: str) -> Value:
        """A mapping like this one without ``names``."""
        entries = {key: item for key, item in self.entries.items() if key not in names}
        return Value(entries, self.place, {key: self.keys[key] for key in entries})

    def scalars(self, key: str = "") -> Iterator[tuple[str, Value]]:
        """Every scalar in it with its key path."""
        if isinstance(self.content, tuple):
            for i, item in enumerate(self.content):
                yield from item.scalars(join(key, i))
        elif isinstance(self.content, dict):
            for name, item in self.content.items():
                yield from item.scalars(join(key, name))
        else:
            yield key, self


def join(key: str, part: str | int) -> str:
    """``encoder`` and ``0`` to ``encoder[0]``, ``head`` and ``C`` to ``head.C``."""
    if isinstance(part, int):
        return f"{key}[{part}]"
    return f"{key}.{part}" if key else part


def from_plain(content: Any, place: Place) -> Value:
    """A Python value as if it had been read at ``place``; numpy's numbers and paths are allowed.

    Raises:
        SpecError: it is not plain data, or is nested too deep or too large.
    """
    return _from_plain(content, place, "", 0)


def _from_plain(content: Any, place: Place, key: str, depth: int) -> Value:
    if depth > MAX_DEPTH:
        raise SpecError([place.fault(key, f"nested more than {MAX_DEPTH} deep")])
    if isinstance(content, Mapping):
        return _mapping(content, place, key, depth)
    if isinstance(content, list | tuple):
        items: list[Value] = []
        size = 1
        for i, item in enumerate(content):
            items.append(_from_plain(item, place, join(key, i), depth + 1))
            size = _bounded(size + items[-1].size, place, key)
        return Value(tuple(items), place, size=size)
    if isinstance(content, Path):
        content = str(content)
    elif isinstance(content, numbers.Integral) and not isinstance(content, bool):
        content = int(content)
    elif isinstance(content, numbers.Real) and not isinstance(content, bool | int):
        content = float(content)
    if isinstance(content, int) and abs(content) >= 10**MAX_DIGITS:
        raise SpecError([place.fault(key, f"an integer of more than {MAX_DIGITS} digits is too large")])
    finite = not isinstance(content, float) or math.isfinite(content)
    sound = not isinstance(content, str) or not SURROGATE.search(content)
    if type(content) not in (type(None), bool, int, float, str) or not finite or not sound:
        message = f"invalid value {content!r}: expected a plain value (a string, number, list or mapping)"
        raise SpecError([place.fault(key, message)])
    return Value(content, place)


def _mapping(content: Mapping[Any, Any], place: Place, key: str, depth: int) -> Value:
    entries: dict[str, Value] = {}
    size = 1
    for name, item in content.items():
        if not isinstance(name, str | int) or isinstance(name, bool) or SURROGATE.search(str(name)):
            raise SpecError([place.fault(key, f"invalid key {name!r}: expected a string")])
        inner = join(key, str(name))
        if str(name) in entries:
            raise SpecError([place.fault(inner, f"the key '{name}' is given twice")])
        entries[str(name)] = _from_plain(item, place, inner, depth + 1)
        size = _bounded(size + 1 + entries[str(name)].size, place, key)
    return Value(entries, place, dict.fromkeys(entries, place), size)


def _bounded(size: int, place: Place, key: str) -> int:
    if size > MAX_NODES:
        raise SpecError([place.fault(key, f"more than {MAX_NODES} values")])
    return size


def spelling_hint(value: Value, text_expected: bool) -> str:
    """A hint on the spelling of an invalid value, for the end of a message; empty if the spelling is not the cause.

    Args:
        text_expected: whether a string was expected; otherwise a number or a truth value was.
    """
    for _, scalar in value.scalars():
        if text_expected and scalar.written:
            return f"; text is written in quotes: '{scalar.written}'"
        if not text_expected and isinstance(scalar.content, str):
            meant = _older_reading(scalar.content)
            if meant:
                return f"; YAML 1.2 reads {scalar.content} as text (YAML 1.1 as {meant}): write {meant}"
    return ""


def _older_reading(text: str) -> str:
    """The number or truth value that YAML 1.1 reads where YAML 1.2 reads a string; empty if both read a string."""
    if _OLD_TRUE.match(text) or _OLD_FALSE.match(text):
        return "true" if _OLD_TRUE.match(text) else "false"
    if len(text) > 40:
        return ""
    sign = "-" if text.startswith("-") else ""
    digits = text.lstrip("+-").replace("_", "")
    if _OLD_BINARY.match(text):
        return f"{sign}{int(digits[2:], 2)}" if digits != "0b" else ""
    if _OLD_BASE_60.match(text):
        total = 0
        for part in digits.split(":"):
            total = 60 * total + int(part)
        return f"{sign}{total}"
    return f"{sign}{digits}" if _OLD_UNDERSCORES.match(text) else ""


def warn_of_octals(value: Value, key: str) -> None:
    """Warn of integers such as ``010``, which is 10 in YAML 1.2 and 8 in YAML 1.1."""
    for inner, scalar in value.scalars(key):
        if isinstance(scalar.content, int) and _LEADING_ZERO.match(scalar.written):
            message = f"YAML 1.2 reads {scalar.written} as the number {scalar.content}, YAML 1.1 as an octal number"
            fault = scalar.place.fault(inner, f"{message}; write {scalar.content}, or '{scalar.written}' for text")
            warnings.warn(str(fault), NlpipeWarning, stacklevel=3)


def respelled(value: Value) -> str:
    """The fault of a scalar that is used as text, such as a label, if YAML reads another text; otherwise empty."""
    if isinstance(value.content, str):
        return ""
    if isinstance(value.content, bool) or value.content is None or isinstance(value.content, tuple | dict):
        shown = value.written or ("null" if value.content is None else repr(value.plain()))
        return f"invalid value {shown}: expected text; put it in quotes"
    if value.written and str(value.content) != value.written:
        changed = f"YAML reads {value.written} as a number, so that the text would be '{value.content}'"
        return f"{changed}; write '{value.written}' in quotes"
    return ""
