"""YAML values to a checked card: file names made absolute, labels as they are spelled, every fault at its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from nlpipe.datasets.cards import (
    SPLITS,
    Card,
    Expected,
    FileSource,
    Filter,
    HubSource,
    Sizes,
    WheelPart,
    WheelSource,
    WheelsSource,
)
from nlpipe.errors import CardError, Fault, suggest
from nlpipe.yaml_values import Place, Value, join, respelled, spelling_hint, warn_of_octals

PARTS: dict[str, type[BaseModel]] = {
    "file": FileSource, "wheel": WheelSource, "wheels": WheelsSource, "hub": HubSource, "parts": WheelPart,
    "splits": Sizes, "expect": Expected, "filter": Filter,
}  # fmt: skip
"""The name of a part of a card in pydantic's errors, to the class with its keys."""


def read_card(value: Value, key: str, base: Path) -> tuple[Card, Value]:
    """The card that a mapping describes, and a mapping that describes the same card from any folder.

    Args:
        key: the key path of the mapping, for faults.
        base: where relative paths start that do not come from a file.

    Raises:
        CardError: every fault of the card.
    """
    settled = _with_absolute_files(value, base)
    faults: list[Fault] = []
    for name in ("labels", "where"):
        if name in settled.entries:
            spelled = _as_text(settled.entries[name], join(key, name), faults)
            settled = settled.put(name, spelled, settled.keys[name])
    try:
        card = Card.model_validate(settled.plain())
    except ValidationError as error:
        raise CardError([*faults, *_faults(error, settled, key)]) from error
    if faults:
        raise CardError(faults)
    warn_of_octals(settled, key)
    return card, settled


def absolute(written: str, folder: Path) -> str:
    """The absolute form of ``written``, a path that starts from ``folder``; unchanged if it cannot be a path."""
    try:
        return str((folder / Path(written).expanduser()).resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links, an unknown user, a null character
        return written


def _with_absolute_files(value: Value, base: Path) -> Value:
    for name in SPLITS:
        if name in value.entries:
            value = value.put(name, _files(value.entries[name], base), value.keys[name])
    source = value.entries.get("source")
    kind = source.entries.get("kind") if source is not None else None
    if source is None or kind is None:
        return value
    if kind.content == "file":
        hashes = source.entries.get("sha256")
        source = _with_absolute_files(source, base)
        if hashes is not None and isinstance(hashes.content, dict):
            named = {absolute(name, hashes.keys[name].folder(base)): name for name in hashes.entries}
            entries = {path: hashes.entries[name] for path, name in named.items()}
            keys = {path: hashes.keys[name] for path, name in named.items()}
            source = source.put("sha256", Value(entries, hashes.place, keys), source.keys["sha256"])
    elif kind.content == "hub" and "path" in source.entries:
        path = _files(source.entries["path"], base)
        if isinstance(path.content, str) and Path(path.content).is_dir():
            source = source.put("path", path, source.keys["path"])
    return value.put("source", source, value.keys["source"])


def _files(value: Value, base: Path) -> Value:
    """The absolute path of a file, or of each file of a list."""
    if isinstance(value.content, tuple):
        return Value(tuple(_files(item, base) for item in value.content), value.place)
    if isinstance(value.content, str) and value.content:
        return Value(absolute(value.content, value.place.folder(base)), value.place)
    return value


def _as_text(value: Value, key: str, faults: list[Fault]) -> Value:
    """A list or mapping with its numbers made text; a number whose spelling YAML has changed is a fault."""
    if isinstance(value.content, tuple):
        return Value(tuple(_text(item, join(key, i), faults) for i, item in enumerate(value.content)), value.place)
    if isinstance(value.content, dict):
        entries = {name: _text(item, join(key, name), faults) for name, item in value.entries.items()}
        return Value(entries, value.place, value.keys)
    return value


def _text(value: Value, key: str, faults: list[Fault]) -> Value:
    message = respelled(value)
    if message:
        faults.append(value.place.fault(key, message))
    return Value(str(value.plain()), value.place)


def _faults(error: ValidationError, value: Value, key: str) -> list[Fault]:
    """The faults in pydantic's error: one for each key path, with all that is expected there."""
    places: dict[str, Place] = {}
    messages: dict[str, str] = {}
    expected: dict[str, list[str]] = {}
    values: dict[str, Value] = {}
    for details in error.errors():
        kind = details["type"]
        path, node, place = _located(details["loc"], value, key, kind)
        places.setdefault(path, place)
        if kind == "extra_forbidden":
            messages[path] = f"there is no such key{suggest(str(details['loc'][-1]), _names_beside(details['loc']))}"
        elif kind == "missing":
            messages[path] = "is missing"
        elif kind == "value_error":
            messages[path] = str(details["msg"]).removeprefix("Value error, ")
        else:
            expected.setdefault(path, []).append(_expectation(str(details["msg"])))
            values[path] = node
    invalid = {path: _invalid(values[path], list(dict.fromkeys(texts))) for path, texts in expected.items()}
    return [place.fault(path, {**invalid, **messages}[path]) for path, place in places.items()]


def _located(location: tuple[Any, ...], value: Value, key: str, kind: str) -> tuple[str, Value, Place]:
    """The key path, value and place of a fault; parts that pydantic adds (the member of a union) are left out."""
    place = value.place
    for number, part in enumerate(location):
        last = number == len(location) - 1
        if isinstance(value.content, dict) and str(part) in value.content:
            place = value.keys[str(part)] if last and kind == "extra_forbidden" else value.content[str(part)].place
            value, key = value.content[str(part)], join(key, str(part))
        elif isinstance(value.content, tuple) and isinstance(part, int) and part < len(value.content):
            value, key = value.content[part], join(key, part)
            place = value.place
        elif last and kind == "missing":
            key = join(key, str(part))
    return key, value, place


def _expectation(message: str) -> str:
    """Pydantic's message, changed so that it can follow 'expected'."""
    for start in ("Input should be ", "String should have ", "Tuple should have "):
        message = message.removeprefix(start)
    message = message.replace("a valid tuple", "a list")
    return f"a number {message}" if message.startswith(("greater", "less")) else message[:1].lower() + message[1:]


def _invalid(value: Value, expected: list[str]) -> str:
    several = "a list" if isinstance(value.content, tuple) else "a mapping"
    shown = several if isinstance(value.content, tuple | dict) else repr(value.content)
    message = f"invalid value {shown}: expected {' or '.join(expected)}"
    return message + spelling_hint(value, any("string" in text for text in expected))


def _names_beside(location: tuple[Any, ...]) -> list[str]:
    """The keys that the mapping of the key at ``location`` may have."""
    names = [part for part in location if isinstance(part, str)]
    return list(PARTS[names[-2]].model_fields if len(names) > 1 else Card.model_fields)
