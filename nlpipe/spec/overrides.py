"""Change the values of a file without editing it: ``head.C=2`` on the command line, ``extend:`` in another file."""

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
"""A part of a key path: a key of a mapping, or an index of a list."""

_PATH = re.compile(r"(?:^|\.)([^.\[\]=\s]+)|\[(\d{1,6})\]")


@dataclass(frozen=True)
class Override:
    """A parsed ``key.path=value``; the place of its value names it as it was typed."""

    path: tuple[Part, ...]
    value: Value


def key_path(typed: str) -> tuple[Part, ...] | None:
    """The parts of ``encoder[0].hidden`` or ``encoder.0.hidden``; None if ``typed`` is not a key path."""
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
    """The key path of ``path`` as text: ``encoder[0].hidden``."""
    key = ""
    for part in path:
        key = join(key, part)
    return key


def read_overrides(typed: Sequence[str]) -> list[Override]:
    """Parse overrides, each ``key.path=value`` with a value in YAML.

    Raises:
        SpecError: every fault of them.
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
    """``root`` with ``value`` at ``path``; missing mappings are created, and a bare stage name becomes a mapping.

    Raises:
        SpecError: ``path`` does not exist and cannot be created.
    """
    if path[0] == "tokenizer" and len(path) > 1 and root.entries.get("tokenizer", _NOTHING).content is None:
        root = root.put("tokenizer", Value("regex", value.place))  # the default tokenizer
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
                message = f"'{here}' has {len(content)} items, counted from 0; there is no [{part}]"
                raise SpecError([place.fault("", message)])
            items = [*content, _NOTHING] if part == len(content) else list(content)
            items[part] = _put(items[part], path, depth + 1, value)
            return replace(node, content=tuple(items))
        if len(content) == 1:
            return replace(node, content=(_put(content[0], path, depth, value),))
        message = f"'{here}' is a list of {len(content)}; name an item, such as {here}[0].{spell(path[depth:])}"
        raise SpecError([place.fault("", message)])
    if part == 0 and in_stage and content is not None:  # a list of one item may be written without brackets
        return _put(node, path, depth + 1, value)
    if isinstance(part, int) and content is None and in_stage:
        return _put(Value((), place), path, depth, value)
    if isinstance(content, str) and in_stage:
        node = Value({"name": node}, node.place, {"name": node.place})
    elif content is None:
        node = Value({}, place)
    elif not isinstance(content, dict):
        raise SpecError([place.fault("", f"'{here}' is {content!r}, which has no keys")])
    inner = str(part)
    child = node.entries.get(inner, _NOTHING)
    return node.put(inner, _put(child, path, depth + 1, value), node.keys.get(inner, place))


def apply(root: Value, overrides: Sequence[Override]) -> Value:
    """``root`` with all ``overrides``, in order; a key that is overridden is no longer varied or tuned.

    Raises:
        SpecError: every fault of them.
    """
    faults: list[Fault] = []
    for override in overrides:
        try:
            root = put(root, override.path, override.value)
        except SpecError as error:
            faults.extend(error.faults)
        for group in ("vary", "tune"):
            searched = root.entries.get(group)
            overridden = [key for key in searched.entries if key_path(key) == override.path] if searched else []
            if searched is not None and overridden:
                root = root.put(group, searched.without(*overridden), root.keys[group])
    if faults:
        raise SpecError(faults)
    return root


def extended(root: Value, path: Path, chain: tuple[Path, ...]) -> Value:
    """``root`` merged into the file that it extends, which is first merged into the file that it extends itself.

    Args:
        path: the file that ``root`` was read from.
        chain: the files that extend it, directly or indirectly.

    Raises:
        SpecError: a file is missing, is not a mapping, or extends itself.
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
    """``base`` with the values of ``over``.

    Mappings are merged key by key; a list, a scalar, or a stage of another name replaces the value of ``base``.
    """
    if in_stage and isinstance(base.content, str):
        base = Value({"name": base}, base.place, {"name": base.place})
    if not isinstance(base.content, dict) or not isinstance(over.content, dict):
        return over
    name, base_name = over.entries.get("name"), base.entries.get("name")
    if in_stage and name is not None and base_name is not None and name.content != base_name.content:
        return over
    merged = Value(base.content, over.place, base.keys)
    for key, value in over.entries.items():
        base_value = base.entries.get(key)
        new_value = merge(base_value, value, in_stage or key in FOLDERS) if base_value else value
        merged = merged.put(key, new_value, over.keys[key])
    return merged
