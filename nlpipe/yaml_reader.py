"""One reader for all YAML: pipelines, comparisons, cards, overrides; every key and value knows its line and column.

Scalars follow YAML 1.2's core schema: ``1e-3`` is a number; ``no``, ``on`` and ``yes`` are strings. Files are plain
data: tags and merge keys are faults, an alias has the value of its anchor, and depth and size are bounded.
"""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from nlpipe.errors import Fault, SpecError, suggest
from nlpipe.yaml_values import MAX_DEPTH, MAX_DIGITS, MAX_NODES, SURROGATE, Place, Value, join

MAX_BYTES = 256 * 1024

_NULL = re.compile(r"(?:null|Null|NULL|~|)\Z")
_TRUE = re.compile(r"(?:true|True|TRUE)\Z")
_FALSE = re.compile(r"(?:false|False|FALSE)\Z")
_INTEGER = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NO_NUMBER = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


def read_yaml(path: Path) -> Value:
    """The mapping in a file.

    Raises:
        SpecError: there is no such file, or its content is not a mapping in valid YAML.
    """
    whole = Place(str(path))
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise SpecError([whole.fault("", f"this is {kind}, not a file")])
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError([whole.fault("", no_such_file(path))]) from None
    except (OSError, ValueError) as error:
        raise SpecError([whole.fault("", f"cannot be read: {getattr(error, 'strerror', None) or error}")]) from None
    if len(data) > MAX_BYTES:
        raise SpecError(
            [whole.fault("", f"more than {MAX_BYTES // 1024} KiB; expected a pipeline, comparison or card")]
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        place = Place(str(path), line, column)
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise SpecError([place.fault("", message)]) from None
    value = parse(text, whole)
    if value.content is None:
        raise SpecError([Place(str(path), 1, 1).fault("", "the file is empty; expected a mapping of keys to values")])
    if not isinstance(value.content, dict):
        kind = "a list" if isinstance(value.content, tuple) else f"{value.content!r}"
        raise SpecError([value.place.fault("", f"expected a mapping of keys to values, not {kind}")])
    return value


def no_such_file(path: Path) -> str:
    """The message for a ``path`` that does not exist, with the nearest YAML file beside it."""
    try:
        near = [p.name for p in path.parent.iterdir() if p.suffix in (".yaml", ".yml")] if path.parent.is_dir() else []
    except OSError:
        near = []
    return f"there is no file '{path.name}' in '{path.parent}'{suggest(path.name, near)}"


def parse(text: str, source: Place) -> Value:
    """The value of one YAML document.

    Args:
        source: a file, or an override; in an override all values have the place of the override.

    Raises:
        SpecError: the text is not valid YAML, or has duplicate keys (all of them are reported).
    """
    composer = _Composer(text, source)
    try:
        value = composer.document()
    except yaml.MarkedYAMLError as error:
        raise SpecError([*composer.faults, composer.syntax(error)]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = composer.at(before.count("\n"), len(before) - before.rfind("\n") - 1)
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        raise SpecError([*composer.faults, place.fault("", message)]) from None
    except (ValueError, OverflowError):  # "\UFFFFFFFF": the scanner hands it to chr()
        fault = composer.last.fault("", "an escape after this place is not a character")
        raise SpecError([*composer.faults, fault]) from None
    if composer.faults:
        raise SpecError(composer.faults)
    return value


class _Composer:
    """Makes values of the parser's events; faults after which reading can go on are collected."""

    def __init__(self, text: str, source: Place) -> None:
        self.source = source
        self.last = source
        self.faults: list[Fault] = []
        self.anchors: dict[str, Value | None] = {}
        self.events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)

    def at(self, line: int, column: int) -> Place:
        if self.source.path and self.source.line == 0 and not self.source.key:
            return Place(self.source.path, line + 1, column + 1)
        return self.source

    def syntax(self, error: yaml.MarkedYAMLError) -> Fault:
        mark = error.problem_mark or error.context_mark
        place = self.at(mark.line, mark.column) if mark else self.source
        problem = error.problem or error.context or "not YAML"
        if "'\\t'" in problem:
            problem = "a tab is not allowed for indentation or before a value; use spaces"
        elif "mapping values are not allowed" in problem:
            problem = "a ':' is not allowed here; is the indentation right, or should the value be quoted?"
        elif error.context and error.context_mark and error.problem:
            started = self.at(error.context_mark.line, error.context_mark.column)
            problem = f"{error.problem} ({error.context}{f' begun in line {started.line}' if started.line else ''})"
        return place.fault("", f"not readable as YAML: {problem}" if "tab" not in problem else problem)

    def next(self) -> Any:
        event = next(self.events)
        if event.start_mark is not None:
            self.last = self.at(event.start_mark.line, event.start_mark.column)
        return event

    def document(self) -> Value:
        self.next()  # the stream
        if isinstance(self.next(), yaml.StreamEndEvent):
            return Value(None, self.last)
        value = self.value(self.next(), "", 0)
        self.next()  # the document's end
        if not isinstance(self.next(), yaml.StreamEndEvent):
            self.stop("", "a second document begins here; expected one")
        return value

    def stop(self, key: str, message: str) -> None:
        raise SpecError([*self.faults, self.last.fault(key, message)])

    def value(self, event: Any, key: str, depth: int) -> Value:
        place = self.last
        if depth > MAX_DEPTH:
            self.stop(key, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            return self.alias(str(event.anchor), key)
        if event.anchor:
            self.anchors[event.anchor] = None  # until it is complete: a value cannot contain itself
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.faults.append(place.fault(key, f"the tag {tag} is not allowed; write the plain value"))
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style is None and event.tag is None
            content = self.scalar(event.value, place, key) if plain else self.string(event.value, key)
            value = Value(content, place, written="" if isinstance(content, str) else event.value)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self.sequence(place, key, depth)
        else:
            value = self.mapping(place, key, depth)
        if value.size > MAX_NODES:
            raise SpecError([*self.faults, place.fault(key, f"more than {MAX_NODES} values")])
        if event.anchor:
            self.anchors[event.anchor] = value
        return value

    def alias(self, anchor: str, key: str) -> Value:
        value = self.anchors.get(anchor)
        if value is None:
            inside = " that is complete" if anchor in self.anchors else ""
            self.stop(key, f"there is no anchor '&{anchor}'{inside} before this alias")
        assert value is not None
        return value

    def sequence(self, place: Place, key: str, depth: int) -> Value:
        items: list[Value] = []
        size = 1
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            items.append(self.value(event, join(key, len(items)), depth + 1))
            size += items[-1].size
        return Value(tuple(items), place, size=size)

    def mapping(self, place: Place, key: str, depth: int) -> Value:
        entries: dict[str, Value] = {}
        keys: dict[str, Place] = {}
        size = 1
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            at = self.last
            if not isinstance(event, yaml.ScalarEvent):
                self.stop(key, "a key should be a single word or string")
            name = self.string(event.value, key)
            if not name:
                self.stop(key, "a key is missing before ':'")
            inner = join(key, name)
            if name == "<<" and event.style is None:
                message = "merge keys (<<) are not allowed; write the keys out, or extend another file"
                self.faults.append(at.fault(inner, message))
            if name in entries:
                first = f" (first in line {keys[name].line})" if keys[name].line else ""
                self.faults.append(at.fault(inner, f"the key '{name}' is given twice{first}"))
            entries[name] = self.value(self.next(), inner, depth + 1)
            keys[name] = at
            size += 1 + entries[name].size
        return Value(entries, place, keys, size)

    def string(self, text: str, key: str) -> str:
        if SURROGATE.search(text):
            self.stop(key, "half of a surrogate pair is not a character")
        return text

    def scalar(self, text: str, place: Place, key: str) -> bool | int | float | str | None:
        if _NULL.match(text):
            return None
        if _TRUE.match(text) or _FALSE.match(text):
            return text.lower() == "true"
        number: float = math.inf
        if _INTEGER.match(text):
            if len(text) <= MAX_DIGITS:
                return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        elif _FLOAT.match(text):
            number = float(text)
        elif not _NO_NUMBER.match(text):
            return self.string(text, key)
        if not math.isfinite(number):
            shown = text if len(text) < 30 else f"{text[:20]}…"
            self.faults.append(place.fault(key, f"{shown} is not a finite number"))
        return number


class _Dumper(yaml.SafeDumper):
    """Quotes strings that YAML 1.1 or 1.2 reads as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = {key: list(value) for key, value in yaml.SafeDumper.yaml_implicit_resolvers.items()}
for _first in "-+.0123456789":
    _Dumper.yaml_implicit_resolvers.setdefault(_first, []).extend(
        [("tag:yaml.org,2002:float", _FLOAT), ("tag:yaml.org,2002:int", _INTEGER)]
    )


def to_yaml(content: Any, width: int = 110) -> str:
    """Plain data as YAML, which ``parse`` and readers of YAML 1.1 read as the same data."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=None)
