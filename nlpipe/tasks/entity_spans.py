"""Entities as spans of characters, as data files and Python give them: read, checked, and moved with their text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nlpipe.errors import DataError
from nlpipe.json_reader import Number
from nlpipe.labels import clean_label
from nlpipe.tasks.task import Note, Row
from nlpipe.wire import Entity, Span

Move = tuple[int, int, int]
"""A replacement in a text: first character, the one after the last, and how many characters took their place."""

TYPE_KEYS = ("label", "type", "tag", "entity", "entity_group", "labels")
"""What data calls an entity's type, in the order looked for."""
END_KEYS = (("start", "end"), ("start_offset", "end_offset"), ("start_char", "end_char"))
"""What data calls an entity's first character and the one after the last."""
SHAPE = "write {start, end, label} or [start, end, label], counted in characters"


def read_entities(row: Row, allowed: Callable[[str, str], str], note: Note) -> tuple[list[Entity], list[str]]:
    """The entities of a record, without the white space at their ends; and a message for each that is none.

    Args:
        allowed: gives the label meant by a label and its place, or raises DataError.
        note: called with ``entities_text_differs`` where an entity's own ``text`` is not what stands in its place.

    Raises:
        DataError: the field is not a list, or a type is not one of the card's.
    """
    text, place, value = row.fields["text"], row.place("entities"), row.fields["entities"]
    if not isinstance(value, list):
        raise DataError(f"{place}: {value!r:.60} is not a list of entities")
    entities, faults = [], []
    for item in value:
        bounds, kind = _parts(item)
        fault = _fault(bounds, kind, text)
        if fault:
            faults.append(f"{place}: {item!r:.80}: {fault}")
            continue
        start, end = bounds
        inside = text[start:end]
        own = item.get("text") if isinstance(item, Mapping) else None
        if isinstance(own, str) and own.strip() != inside.strip():
            note(
                "entities_text_differs",
                f"{place}: {own!r:.40} is {inside!r:.40} in the text{_unit(own, text, start, end)}",
            )
        start, end = start + len(inside) - len(inside.lstrip()), end - (len(inside) - len(inside.rstrip()))
        entities.append((start, end, allowed(clean_label(str(kind)), place)))
    return entities, faults


def looks_like_entity(item: Any) -> bool:
    """Whether ``item`` has the form of an entity: two whole numbers and a type."""
    bounds, kind = _parts(item)
    return all(isinstance(bound, int) for bound in bounds) and isinstance(kind, str)


def moved(entities: Any, moves: Sequence[Sequence[Move]]) -> Any:
    """``entities``, as a file has them, with offsets in the text after some replacements; what is no entity stays.

    Args:
        moves: of each replacement, one after another, the places in the text that it met.
    """
    if not isinstance(entities, list):
        return entities
    return [_moved(item, moves) for item in entities]


def _moved(item: Any, moves: Sequence[Sequence[Move]]) -> Any:
    bounds, _ = _parts(item)
    if not all(isinstance(bound, int) for bound in bounds):
        return item
    start, end = bounds
    for replaced in moves:
        start, end = _place(start, replaced, first=True), _place(end, replaced, first=False)
    if isinstance(item, Mapping):
        dropped = {"text", *(name for names in END_KEYS for name in names)}
        return {**{key: item[key] for key in item if key not in dropped}, "start": start, "end": max(start, end)}
    return [start, max(start, end), *item[2:]]


def _place(position: int, moves: Sequence[Move], first: bool) -> int:
    """Where a border of an entity is after replacements; inside of what was replaced it goes to its outer end."""
    shift = 0
    for start, end, length in moves:
        if position >= end and not (first and position == start == end):
            shift += length - (end - start)
        elif position > start:
            return start + shift if first else start + shift + length
        else:
            break
    return position + shift


def _parts(item: Any) -> tuple[list[Any], Any]:
    """Start and end, as integers where they are spelt so, and type of what may be an entity."""
    if isinstance(item, Mapping):
        key = next((name for name in TYPE_KEYS if name in item), None)
        ends = next((names for names in END_KEYS if names[0] in item), END_KEYS[0])
        parts: list[Any] = [item.get(ends[0]), item.get(ends[1]), item.get(key) if key else None]
    else:
        parts = list(item) if isinstance(item, list) and len(item) == 3 else [None, None, None]
    bounds = [part.whole if isinstance(part, Number) else part for part in parts[:2]]
    kind = parts[2][0] if isinstance(parts[2], list) and len(parts[2]) == 1 else parts[2]
    return [None if isinstance(bound, bool) else bound for bound in bounds], kind


def _fault(bounds: Sequence[Any], kind: Any, text: str) -> str:
    """What is wrong with an entity; empty if nothing is."""
    if not all(isinstance(bound, int) for bound in bounds) or not isinstance(kind, str) or not clean_label(kind):
        return f"this is not an entity; {SHAPE}"
    start, end = bounds
    if not 0 <= start < end <= len(text):
        return f"{start} to {end} is not inside a text of {len(text)} characters"
    return "" if text[start:end].strip() else "holds only white space"


def _unit(own: str, text: str, start: int, end: int) -> str:
    """In which unit the offsets would be right, as the end of a message; empty if in none."""
    for name, codec, size in (("UTF-16 units", "utf-16-le", 2), ("bytes of UTF-8", "utf-8", 1)):
        inside = text.encode(codec, "surrogatepass")[size * start : size * end]
        if inside == own.encode(codec, "surrogatepass"):
            return f"; its offsets count {name}: convert them to characters"
    return ""


def split_at(spans: Sequence[Span], borders: Iterable[int]) -> list[Span]:
    """The spans of words, split at the borders that lie inside them."""
    ordered, parts = sorted(borders), []
    for start, end in spans:
        inside = [border for border in ordered if start < border < end]
        parts += list(zip([start, *inside], [*inside, end], strict=True))
    return parts


def known_spans(spans: Mapping[str, list[Span]], text: str, words: list[str]) -> list[Span]:
    """The spans of a text's words where they are known, in the form that ``Tokens`` asks for them."""
    return spans[text]


def at_words(entities: Iterable[Entity], spans: Sequence[Span]) -> tuple[list[Entity], list[Entity]]:
    """Entities in characters whose ends are those of words, in words; and the others, in characters."""
    starts = {start: i for i, (start, _) in enumerate(spans)}
    ends = {end: i + 1 for i, (_, end) in enumerate(spans)}
    units, others = [], []
    for start, end, kind in sorted(entities):
        if start in starts and end in ends:
            units.append((starts[start], ends[end], kind))
        else:
            others.append((start, end, kind))
    return units, others


def apart(entities: Iterable[Entity]) -> tuple[list[Entity], list[Entity]]:
    """Entities of which none overlap, in order, and those that overlap a longer one, which are left out."""
    kept: list[Entity] = []
    overlapping: list[Entity] = []
    for start, end, kind in sorted(entities, key=lambda each: (each[0] - each[1], each[0])):
        apart = not any(start < last and first < end for first, last, _ in kept)
        (kept if apart else overlapping).append((start, end, kind))
    return sorted(kept), overlapping
