"""What the columns of a table hold: which is the text, which the label; by their names first, then by their values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from nlpipe.datasets.readers import Layout, Origin
from nlpipe.datasets.readers.headers import is_heading
from nlpipe.datasets.readers.json_lines import Annotated, objects
from nlpipe.datasets.readers.lines import read_lines
from nlpipe.datasets.readers.parquet import parquet_rows
from nlpipe.datasets.readers.separated import NAMED_DELIMITER, records
from nlpipe.errors import DataError

MAX_ROWS = 2000
"""Rows that the columns are guessed from."""
MAX_LABELS = 200
FEW_ROWS = 20
"""Rows below which values tell little, and a classifier learns little."""
MIN_PAIRS = 10
"""Rows from which two columns without names that tell are taken as pairs of texts."""
LONGEST_NAME = 60

LABEL_NAMES = (
    "label", "labels", "category", "categories", "class", "intent", "sentiment", "target", "tag", "topic", "emotion",
    "polarity", "accept", "stars", "rating", "overall", "y", "subject", "department", "queue", "type", "score", "v1",
    "coarse",
)  # fmt: skip
TEXT_NAMES = (
    "text", "sentence", "review", "comment", "message", "body", "content", "tweet", "utterance", "query", "question",
    "document", "description", "post", "email", "abstract", "phrase", "headline", "title", "x", "v2",
)  # fmt: skip
SOURCE_NAMES = ("source", "src", "input", "original", "en", "english")
TARGET_NAMES = ("target", "tgt", "translation", "output", "translated", "reference")
"""What columns are called, likeliest first, in lower case."""
ANSWERS = frozenset({"accept", "reject", "ignore"})
"""What prodigy writes as ``answer`` beside each example; only what was accepted is an example."""

Column = str | int
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")
_IDENTIFIER = re.compile(r"[\w.-]+( [\w.-]+){0,2}")


@dataclass
class Summary:
    """The values of a column in the rows that were read."""

    values: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    rows: int = 0
    lists: int = 0
    """Rows that hold several values."""

    def add(self, value: str) -> None:
        self.rows += 1
        self.characters += len(value)
        self.values[value.strip()] += 1

    @property
    def length(self) -> float:
        """Characters of a value, on average."""
        return self.characters / max(self.rows, 1)

    @property
    def filled(self) -> list[str]:
        """Its different values, without the empty one."""
        return [value for value in self.values if value]

    @property
    def repeats(self) -> bool:
        """Whether it could be the label: at least two values, most of them more than once; some may be missing."""
        return 2 <= len(self.filled) <= min(MAX_LABELS, self.rows // 2)

    @property
    def numbers(self) -> bool:
        """Whether all its values are numbers."""
        return all(is_number(value) for value in self.filled)


def is_number(value: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(value)
    except ValueError:
        return False
    return True


def rank(column: Column, names: Sequence[str]) -> int | None:
    """How likely a column is one of ``names`` by what it is called, 0 for the likeliest; None if nothing tells.

    A whole name (``label``) comes before the last word of one (``Ticket Category``), and that before other words.
    """
    if not isinstance(column, str):
        return None
    words = [word.lower() for word in _WORD.findall(column)]
    places = (["".join(words)], words[-1:], words[:-1])
    ranks = [i * len(names) + names.index(w) for i, each in enumerate(places) for w in each if w in names]
    return min(ranks, default=None)


def by_rank(columns: Iterable[Column], names: Sequence[str]) -> list[Column]:
    """The columns whose names tell, the likeliest first."""
    ranked = [(place, column) for column in columns if (place := rank(column, names)) is not None]
    return [column for _, column in sorted(ranked, key=lambda each: each[0])]


def delimiter_of(origin: Origin, encoding: str) -> str | None:
    """The character between the fields of a csv file that is not a comma; None for a comma, or where the file names it.

    It is the one that gives most lines the same number of fields, more than one.
    """
    lines = [line.rstrip("\r\n") for line in islice(read_lines(origin, encoding), 50)]
    if lines and NAMED_DELIMITER.fullmatch(lines[0]):
        return None
    lines = [line for line in lines if line]
    best, most = None, 0.0
    for character in ("\t", "|", ";", ","):
        counts = [_outside_quotes(line).count(character) for line in lines]
        first = counts[0] if counts else 0
        share = sum(count == first for count in counts) / max(len(counts), 1)
        if first and share > most:
            best, most = character, share
    return None if best == "," else best


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def has_header(origin: Origin, kind: str, layout: Layout) -> bool:
    """Whether the first line has the names of the columns.

    It has if they are no numbers, no values further down, and one is a usual name; or if they are different, each looks
    like a name and, further down, a column has only numbers or values that repeat.
    """
    rows = _records(origin, kind, layout)
    first = [name.strip() for name in next(rows, [])]
    if not first:
        raise DataError(f"{origin.name}: the file is empty")
    named = [name for name in first if name]
    if not named or any(len(name) > LONGEST_NAME or is_number(name) for name in named):
        return False
    columns = [Summary() for _ in first]
    for row in islice(rows, MAX_ROWS):
        for column, value in zip(columns, row, strict=False):
            column.add(value)
    if any(name in column.values for name, column in zip(first, columns, strict=True) if name):
        return False
    if any(is_heading(name) or rank(name, (*LABEL_NAMES, *TEXT_NAMES)) is not None for name in named):
        return all(len(name.split()) <= 4 for name in named)
    if len(set(named)) < len(named):
        return False
    contrast = any(
        column.rows and column.filled and (column.numbers or column.repeats)
        for name, column in zip(first, columns, strict=True)
        if name
    )
    return contrast and all(_IDENTIFIER.fullmatch(name) for name in named)


def _records(origin: Origin, kind: str, layout: Layout) -> Iterator[list[str]]:
    """The fields of each record.

    Raises:
        DataError: a record has fewer fields than the first.
    """
    width = 0
    for line, values in records(origin, layout, "," if kind == "csv" else "\t", quoting=kind == "csv"):
        width = width or len(values)
        if len(values) < width:
            raise DataError(f"{origin.name}:{line}: too few fields: {len(values)}, where the first line has {width}")
        yield values


def table_rows(origin: Origin, kind: str, layout: Layout, header: bool) -> Iterator[dict[Column, str | list[Any]]]:
    """Rows as column to text; columns are names if the file has them, otherwise indices. Lists stay lists."""
    if kind in ("jsonl", "parquet"):
        named = objects(origin, layout.encoding) if kind == "jsonl" else enumerate(parquet_rows(origin), 1)
        for _, record in named:
            if not isinstance(record, Annotated) or record.annotations:
                yield {name: _plain(value) for name, value in record.items() if not isinstance(value, dict)}
        return
    rows = _records(origin, kind, layout)
    first = [name.strip() for name in next(rows, [])] if header else []
    names: list[Column] = [name if name and first.count(name) == 1 else i for i, name in enumerate(first)]
    for row in rows:
        yield dict(zip(names or range(len(row)), row, strict=False))


def _plain(value: Any) -> str | list[Any]:
    if isinstance(value, list):
        return value if len(value) > 1 or not all(isinstance(item, str) for item in value) else "".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def summaries(origin: Origin, kind: str, layout: Layout, header: bool) -> dict[Column, Summary]:
    """What each column holds in the first rows, without columns of nested values.

    Raises:
        DataError: there are no rows.
    """
    columns: dict[Column, Summary] = {}
    number = 0
    for number, row in enumerate(islice(table_rows(origin, kind, layout, header), MAX_ROWS), 1):  # noqa: B007
        for column, value in row.items():
            summary = columns.setdefault(column, Summary())
            if isinstance(value, str):
                summary.add(value)
            else:
                summary.lists += 1
    if not number:
        raise DataError(f"{origin.name}: there are no rows")
    for summary in columns.values():  # objects may lack a key
        if missing := number - summary.rows - summary.lists:
            summary.values[""] += missing
            summary.rows += missing
    return {column: summary for column, summary in columns.items() if summary.filled or not summary.lists}


def are_pairs(columns: Mapping[Column, Summary]) -> tuple[Column, Column] | None:
    """The two columns that are pairs of texts: their names say so, or there are many rows and no values repeat."""
    texts = [name for name, seen in columns.items() if not seen.repeats and not seen.numbers and not seen.values[""]]
    source = next(iter(by_rank(texts, SOURCE_NAMES)), None)
    target = next((name for name in by_rank(texts, TARGET_NAMES) if name != source), None)
    if source is not None and target is not None:
        return source, target
    if len(columns) != 2 or len(texts) != 2:
        return None
    names = list(columns)
    if any(rank(name, LABEL_NAMES) is not None and rank(name, TARGET_NAMES) is None for name in names):
        return None
    many = columns[names[0]].rows >= MIN_PAIRS
    told = source is not None or target is not None
    return (names[0], names[1]) if many or (told and rank(names[0], TEXT_NAMES) is None) else None


def text_column(columns: Mapping[Column, Summary], label: Column | None) -> Column:
    """The column of the text: one that is called so and holds texts, else the longest."""
    others = {name: seen for name, seen in columns.items() if name != label and not seen.lists} or dict(columns)
    longest = max(others, key=lambda name: (not others[name].numbers, others[name].length))
    for name in by_rank(others, TEXT_NAMES):
        seen = others[name]
        choice = seen.rows >= FEW_ROWS and seen.repeats and seen.length < others[longest].length / 2
        if not seen.numbers and not choice and seen.values[""] <= seen.rows // 2:
            return name
    return longest


def label_columns(columns: Mapping[Column, Summary], text: Column) -> list[Column]:
    """The columns that could be the label, the likeliest first: by name, then by their number of values."""
    answers = columns.get("answer")
    only_answers = answers is not None and ANSWERS.issuperset(answers.filled)
    possible = {
        name: seen
        for name, seen in columns.items()
        if name != text and not (name == "answer" and only_answers) and _could_be_label(name, seen)
    }
    named = by_rank(possible, LABEL_NAMES)
    if "accept" in named and not only_answers:
        named.remove("accept")
    others = sorted(possible, key=lambda name: (len(possible[name].filled), possible[name].length))
    return list(dict.fromkeys([*named, *others]))


def _could_be_label(name: Column, seen: Summary) -> bool:
    """Whether values repeat; of few rows, whether they are short and not all different, unless the name tells."""
    if seen.rows >= FEW_ROWS:
        return seen.repeats
    most = seen.rows - (rank(name, LABEL_NAMES) is None)
    return 2 <= len(seen.filled) <= most and seen.length < LONGEST_NAME
