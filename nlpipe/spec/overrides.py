"""Changing a file's values without touching the file: ``head.C=2`` on the command line, ``vary:``, ``extend:``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nlpipe.errors import Fault, SpecError
from nlpipe.registry import FOLDERS
from nlpipe.yaml_reader import no_such_file, parse, read_yaml
from nlpipe.yaml_values import Place, Value, join

Part = str | int
"""A step of a key path: a key, or the place in a list."""

_PATH = re.compile(r"(?:^|\.)([^.\[\]=\s]+)|\[(\d{1,6})\]")


@dataclass(frozen=True)
class Override:
    """``path=value``, parsed; faults name it as it was typed."""

    path: tuple[Part, ...]
    value: Value


def key_path(typed: str) -> tuple[Part, ...] | None:
    """``encoder[0].hidden`` or ``encoder.0.hidden`` to its parts; None where it is no key path."""
    parts: list[Part] = []
    end = 0
    for match in _PATH.finditer(typed):
        if match.start() != end:
            return None
        end = match.end()
        number = match[2] or (match[1] if parts and re.fullmatch(r"\d{1,6}", match[1]) else None)
        parts.append(int(number) if number else match[1])
    return tuple(parts) if parts and isinstance(parts[0], str) and end == len(typed) else None


def spell(path: Sequence[Part]) -> str:
    """Parts to ``encoder[0].hidden``."""
    key = ""
    for part in path:
        key = join(key, part)
    return key


def read_overrides(typed: Sequence[str]) -> list[Override]:
    """``key.path=value`` each; values are YAML.

    Raises:
        SpecError: one that is not of this form.
    """
    overrides, faults = [], []
    for text in [typed] if isinstance(typed, str) else typed:
        key, equals, value = text.partition("=")
        path = key_path(key.strip())
        if not equals or path is None:
            message = "invalid override: expected key.path=value, such as head.C=2"
            faults.append(Fault(f"override {text}", 0, 0, "", message))
            continue
        if path[0] == "extend":
            faults.append(Fault(f"override {text}", 0, 0, "", "only a file can extend another"))
            continue
        try:
            overrides.append(Override(path, parse(value, Place(f"override {text}", key=spell(path)))))
        except SpecError as error:
            faults.extend(error.faults)
    if faults:
        raise SpecError(faults)
    return overrides


def put(root: Value, path: Sequence[Part], value: Value) -> Value:
    """``root`` with ``value`` at ``path``; what is missing on the way is made, a bare stage name becomes a mapping.

    Raises:
        SpecError: the path leads nowhere.
    """
    if path[0] == "tokenizer" and len(path) > 1 and root.entries.get("tokenizer", _NOTHING).content is None:
        root = root.put("tokenizer", Value("regex", value.place))  # the one that stands where none is named
    return _put(root, path, 0, value)


_NOTHING = Value(None, Place(""))


def _put(node: Value, path: Sequence[Part], depth: int, value: Value) -> Value:
    if depth == len(path):
        return value
    part, place = path[depth], value.place
    here = spell(path[:depth])
    content = node.content
    in_stage = path[0] in FOLDERS and depth > 0
    if isinstance(content, tuple):
        if isinstance(part, int):
            if part > len(content):
                message = f"'{here}' has {len(content)} entries, counted from 0; there is no [{part}]"
                raise SpecError([place.fault("", message)])
            items = [*content, _NOTHING] if part == len(content) else list(content)
            items[part] = _put(items[part], path, depth + 1, value)
            return replace(node, content=tuple(items))
        if len(content) == 1:
            return replace(node, content=(_put(content[0], path, depth, value),))
        message = f"'{here}' is a list of {len(content)}; say which, such as {here}[0].{spell(path[depth:])}"
        raise SpecError([place.fault("", message)])
    if part == 0 and in_stage and content is not None:  # a list of one may be written without brackets
        return _put(node, path, depth + 1, value)
    if isinstance(part, int) and content is None and in_stage:
        return _put(Value((), place), path, depth, value)
    if isinstance(content, str) and in_stage:
        node = Value({"name": node}, node.place, {"name": node.place})
    elif content is None:
        node = Value({}, place)
    elif not isinstance(content, dict):
        raise SpecError([place.fault("", f"'{here}' is {content!r}, which has no keys of its own")])
    inner = str(part)
    below = node.entries.get(inner, _NOTHING)
    return node.put(inner, _put(below, path, depth + 1, value), node.keys.get(inner, place))


def apply(root: Value, overrides: Sequence[Override]) -> Value:
    """``root`` with all ``overrides``, in order; a key that ``vary:`` varies is varied no more.

    Raises:
        SpecError: those that lead nowhere.
    """
    faults: list[Fault] = []
    for override in overrides:
        try:
            root = put(root, override.path, override.value)
        except SpecError as error:
            faults.extend(error.faults)
        vary = root.entries.get("vary")
        settled = [key for key in vary.entries if key_path(key) == override.path] if vary else []
        if vary is not None and settled:
            root = root.put("vary", vary.without(*settled), root.keys["vary"])
    if faults:
        raise SpecError(faults)
    return root


def extended(root: Value, path: Path, chain: tuple[Path, ...]) -> Value:
    """``root`` laid over the file that it extends, and that over the one which it extends.

    Args:
        path: the file that ``root`` was read from.
        chain: the files that extend it, directly or not.

    Raises:
        SpecError: a file that is missing or not a mapping, or extends itself.
    """
    given = root.entries.get("extend")
    if given is None:
        return root
    root = root.without("extend")
    if given.content is None:
        return root
    if not isinstance(given.content, str):
        raise SpecError([given.place.fault("extend", f"invalid value {given.plain()!r}: expected the name of a file")])
    base = given.place.folder(Path()) / given.content
    chain = (*chain, path.resolve())
    if base.resolve() in chain:
        names = " extends ".join(p.name for p in (*chain[chain.index(base.resolve()) :], base))
        raise SpecError([given.place.fault("extend", f"a file cannot extend itself: {names}")])
    if not base.is_file():
        raise SpecError([given.place.fault("extend", no_such_file(base))])
    return merge(extended(read_yaml(base), base, chain).without("name", "description"), root)


def merge(base: Value, over: Value, in_stage: bool = False) -> Value:
    """``over`` laid on ``base``: mappings key by key; a stage of another name, a list or a scalar replaces whole."""
    if in_stage and isinstance(base.content, str):
        base = Value({"name": base}, base.place, {"name": base.place})
    if not isinstance(base.content, dict) or not isinstance(over.content, dict):
        return over
    named = over.entries.get("name")
    before = base.entries.get("name")
    if in_stage and named is not None and before is not None and named.content != before.content:
        return over
    merged = Value(base.content, over.place, base.keys)
    for key, value in over.entries.items():
        below = base.entries.get(key)
        merged = merged.put(key, merge(below, value, in_stage or key in FOLDERS) if below else value, over.keys[key])
    return merged
