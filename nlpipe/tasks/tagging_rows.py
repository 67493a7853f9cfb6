"""Rows of data as words with tags: lists of both, or a text with its entities as spans of characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from nlpipe import tag_schemes
from nlpipe.errors import DataError, suggest
from nlpipe.labels import clean_label
from nlpipe.tasks.entity_spans import apart, at_words, read_entities
from nlpipe.tasks.task import Note, Row
from nlpipe.tokenizers import Regex
from nlpipe.wire import Entity

SPLITTER = Regex(lowercase=False)
"""Finds the words of texts whose entities are given as characters."""
OTHER_FORM = "entities as spans of characters need columns: {text: …, entities: …}"


def bare_type(sentences: Sequence[Sequence[str]]) -> str:
    """A tag that is perhaps the type of an entity, as most words have the tag O; empty if there is none."""
    counts = Counter(tag for tags in sentences for tag in tags)
    others = [tag for tag, _ in counts.most_common() if tag != "O"]
    return others[0] if others and counts["O"] > sum(counts[tag] for tag in others) else ""


def item_place(row: Row, role: str, i: int) -> str:
    """Where item ``i`` of a field stands."""
    return f"{row.path}:{row.lines[i]}" if row.lines else f"{row.place(role)}, item {i + 1}"


def words_of(row: Row) -> list[str]:
    """The words of a record.

    Raises:
        DataError: they are not a list of words.
    """
    value = row.fields["token"]
    if not isinstance(value, list):
        raise DataError(f"{row.place('token')}: {value!r:.60} is not a list of words; {OTHER_FORM}")
    for i, word in enumerate(value):
        if not isinstance(word, str) or not word.strip(" \t\r\n"):
            raise DataError(f"{item_place(row, 'token', i)}: {word!r} is not a word")
    return value


def tags_of(row: Row, words: Sequence[str], labels: Mapping[str, str] | None) -> list[str]:
    """The tags of a record, one for each of its ``words``.

    Args:
        labels: the spelling in the data to the label, where the card has them.

    Raises:
        DataError: they are not a list of as many tags, or one is not one of the card's labels.
    """
    value = row.fields["tag"]
    if not isinstance(value, list) or len(value) != len(words):
        raise DataError(f"{row.place('tag')}: {value!r:.60} is not a list of {len(words)} tags, one for each word")
    tags = []
    for i, item in enumerate(value):
        tag = clean_label(str(item)) if isinstance(item, str | int) and not isinstance(item, bool) else ""
        if not tag:
            raise DataError(f"{item_place(row, 'tag', i)}: {item!r} is not a tag")
        tags.append(_allowed(tag, labels, item_place(row, "tag", i)))
    return tags


def _allowed(label: str, labels: Mapping[str, str] | None, place: str) -> str:
    if labels is None:
        return label
    if label not in labels:
        raise DataError(f"{place}: '{label}' is not one of the card's labels{suggest(label, labels)}")
    return labels[label]


def words_from_spans(
    row: Row, labels: Mapping[str, str] | None, note: Note
) -> tuple[str, list[str], list[str], list[Entity]]:
    """Text, words, IOB2 tags and entities of a record with spans of characters; of those that words express and that
    overlap the longest is kept."""
    text = row.fields["text"]
    if not isinstance(text, str):
        raise DataError(f"{row.place('text')}: {text!r:.60} is not a text")
    entities, faults = read_entities(row, lambda label, where: _allowed(label, labels, where), note)
    for fault in faults:
        note("entities_invalid", fault)
    words, spans = SPLITTER.split(text), SPLITTER.cut(text)
    units, others = at_words(entities, spans)
    kept, overlapping = apart(units)
    shown = f"{row.path}:{row.line}: {{!r}} ({{}}, {{}}-{{}})"
    for start, end, kind in others:
        note("entities_not_at_words", shown.format(text[start:end], kind, start, end))
    for first, last, kind in overlapping:
        start, end = spans[first][0], spans[last - 1][1]
        note("entities_overlapping", shown.format(text[start:end], kind, start, end))
    expressed = [(spans[first][0], spans[last - 1][1], kind) for first, last, kind in kept]
    tags = tag_schemes.from_spans(kept, len(words), "IOB2")
    return text, words, tags, sorted({*expressed, *others})
