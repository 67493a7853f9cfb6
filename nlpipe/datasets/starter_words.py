"""Starters for data whose words have tags: one word a line, lists of words, and texts with spans of characters."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import Any

from nlpipe.datasets.column_guess import (
    ANSWERS,
    MAX_ROWS,
    TEXT_NAMES,
    by_rank,
)
from nlpipe.datasets.readers import Layout, Origin
from nlpipe.datasets.readers.conll import sentences
from nlpipe.datasets.readers.json_lines import objects
from nlpipe.datasets.readers.lines import file_origin
from nlpipe.datasets.readers.parquet import parquet_rows
from nlpipe.datasets.starter_file import (
    Starter,
    Wanted,
    tagging_starter,
)
from nlpipe.errors import DataError
from nlpipe.tag_schemes import marks_entities
from nlpipe.tasks.entity_spans import looks_like_entity

SENTENCES = 200
"""Sentences whose columns are looked at."""


def words_starter(data: dict[str, Any], path: str, wanted: Wanted) -> Starter:
    """The starter for one word a line; the tag is the last column that marks entities, or else the part of speech of
    CoNLL-U, or the last one."""
    if wanted.task not in (None, "tagging"):
        raise DataError(f"{path}: words in columns are for tagging, not for {wanted.task}")
    lines = islice(sentences(file_origin(path), Layout(encoding=wanted.encoding or "utf-8")), SENTENCES)
    words = [[values for _, values in sentence] for sentence in lines]
    if not words:
        raise DataError(f"{path}: the file is empty")
    width = len(words[0][0])
    if width < 2:
        raise DataError(f"{path}: one column only: words without tags")
    values = [Counter(word[i] for sentence in words for word in sentence) for i in range(width)]
    counted = sum(all(word[0].partition("-")[0].isdecimal() for word in sentence) for sentence in words)
    conllu = width == 10 and counted == len(words)
    token = _column_number(wanted.text, width, path, "--text")
    token = token if token is not None else 1 if conllu else 0
    entities = [i for i in range(width) if i != token and marks_entities(values[i])]
    tag = _column_number(wanted.label, width, path, "--label")
    tag = tag if tag is not None else entities[-1] if entities else 3 if conllu else width - 1
    columns = {"token": token, "tag": tag if conllu or tag != width - 1 else -1}
    if conllu and not marks_entities(values[tag]):
        data = {**data, "scheme": "none"}
    others = [
        f"{i} ({len(values[i])} values)"
        for i in range(width)
        if i not in (token, tag) and 2 <= len(values[i]) <= 60 and not all(value.isdecimal() for value in values[i])
    ]
    found = tagging_starter({**data, "columns": columns} if columns != {"token": 0, "tag": -1} else data, path,
                     f"The word is column {token}, the tag column {tag}")  # fmt: skip
    told = (f"Other columns that could be the tag: {', '.join(others)}.",) if others else ()
    return replace(found, findings=(*found.findings, *told))


def _column_number(typed: str | None, width: int, path: str, option: str) -> int | None:
    if typed is None:
        return None
    if not typed.lstrip("-").isdecimal() or not -width <= int(typed) < width:
        raise DataError(f"{path}: {option} {typed}: there is no such column; they are numbered 0 to {width - 1}")
    return int(typed) % width


def annotated_columns(origin: Origin, kind: str, wanted: Wanted) -> dict[str, Any]:
    """The keys of ``data:`` where examples are words with tags or have spans of characters; empty if they do not.

    doccano has spans in ``label`` or ``entities``, prodigy in ``spans`` beside an ``answer``, Label Studio under the
    name of its control, the data sets of the hub ``tokens`` and ``ner_tags``.
    """
    rows = (
        (record for _, record in objects(origin, wanted.encoding or "utf-8"))
        if kind == "jsonl"
        else parquet_rows(origin)
    )
    for record in islice(rows, MAX_ROWS):
        texts = [name for name, value in record.items() if isinstance(value, str)]
        text = next((str(name) for name in (wanted.text, *by_rank(texts, TEXT_NAMES)) if name in texts), None)
        where = {"where": {"answer": "accept"}} if record.get("answer") in ANSWERS else {}
        lists = {name: value for name, value in record.items() if isinstance(value, list) and value}
        for name, value in lists.items():
            if text is not None and wanted.label in (None, name) and all(looks_like_entity(item) for item in value):
                return {"columns": {"text": text, "entities": name}, **where}
        words = [name for name in lists if name in ("tokens", "words") or name == wanted.text]
        tags = [
            name
            for name, value in lists.items()
            if words and name != words[0] and len(value) == len(lists[words[0]])
            and all(isinstance(item, str | int) for item in value)
        ]  # fmt: skip
        tags.sort(key=lambda name: ("ner" not in name.lower(), "tag" not in name.lower()))
        if wanted.label is not None:
            tags = [name for name in tags if name == wanted.label]
        if words and tags:
            return {"columns": {"token": words[0], "tag": tags[0]}, **where}
    return {}
