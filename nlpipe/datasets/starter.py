"""A starter pipeline file from a user's data: which column is the text, which the label, and what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nlpipe.datasets.load import sorted_labels
from nlpipe.datasets.readers import Layout, Origin, format_of
from nlpipe.datasets.readers.json_lines import objects
from nlpipe.datasets.readers.lines import file_origin
from nlpipe.datasets.readers.separated import records
from nlpipe.errors import DataError

LOOKED_AT = 2000
"""Rows the columns are guessed from."""
MOST_LABELS = 200
SHOWN_LABELS = 20

Column = str | int


@dataclass
class _Seen:
    """What a column holds in the rows looked at."""

    values: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    rows: int = 0

    def add(self, value: str) -> None:
        self.rows += 1
        self.characters += len(value)
        self.values[value.strip()] += 1

    @property
    def length(self) -> float:
        return self.characters / max(self.rows, 1)

    @property
    def repeats(self) -> bool:
        """Whether it could be a label: at least two values, most of them more than once."""
        return 2 <= len(self.values) <= min(MOST_LABELS, self.rows // 2) and "" not in self.values


def init_spec(path: str | Path) -> str:
    """The text of a pipeline file that classifies the rows of a csv, tsv or jsonl file (gzipped or not).

    The longest column is taken for the text, the shortest one whose values repeat for the label; comments say what
    was seen, so that a wrong guess shows. The file is read twice and never held.

    Raises:
        DataError: the file cannot be read, or no column looks like a text or a label.
    """
    shown = str(path)
    origin = file_origin(path)
    kind = format_of(shown)
    if kind is None:
        raise DataError(f"{shown}: the ending tells no format; name it .csv, .tsv or .jsonl")
    if kind not in ("csv", "tsv", "jsonl"):
        raise DataError(f"{shown}: a {kind} file has no labels; write data: {{task: translation, train: {shown}}}")
    layout = Layout(header=False, delimiter=_delimiter(origin, kind))
    header = kind != "jsonl" and _has_header(origin, kind, layout)
    columns = _look(origin, kind, layout, header)
    text, label = _guess(shown, columns)
    counts: Counter[str] = Counter(row.get(label, "").strip() for row in _table(origin, kind, layout, header))
    data: dict[str, Any] = {"task": "classification", "format": kind}
    if layout.delimiter:
        data["delimiter"] = layout.delimiter
    data |= {"train": shown, "columns": {"text": text, "label": label}}
    return _written(shown, data, counts, columns[text], header)


def _delimiter(origin: Origin, kind: str) -> str | None:
    """A semicolon where a csv file has those alone, as spreadsheets in much of Europe write it."""
    if kind != "csv":
        return None
    _, first = next(records(origin, Layout(quoting=False), "\n", quoting=False), (0, [""]))
    return ";" if ";" in first[0] and "," not in first[0] else None


def _records(origin: Origin, kind: str, layout: Layout) -> Iterator[list[str]]:
    found = records(origin, layout, "," if kind == "csv" else "\t", quoting=kind == "csv")
    width = 0
    for line, values in found:
        width = width or len(values)
        if len(values) < width:
            raise DataError(f"{origin.name}:{line}: too few fields: {len(values)}, where the first line has {width}")
        yield values


def _has_header(origin: Origin, kind: str, layout: Layout) -> bool:
    """Whether the first line names columns: short words that differ, none of which is a value further down."""
    rows = _records(origin, kind, layout)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{origin.name}: the file is empty")
    if len(set(first)) < len(first) or any(not name.strip() or len(name) > 60 or _number(name) for name in first):
        return False
    names = [name.strip() for name in first]
    for _, row in zip(range(LOOKED_AT), rows, strict=False):
        if any(name == value.strip() for name, value in zip(names, row, strict=False)):
            return False
    return True


def _number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _table(origin: Origin, kind: str, layout: Layout, header: bool) -> Iterator[dict[Column, str]]:
    """Rows as column to text; columns by name where the file names them."""
    if kind == "jsonl":
        for _, record in objects(origin, layout.encoding):
            yield {name: _plain(value) for name, value in record.items() if not isinstance(value, dict | list)}
        return
    rows = _records(origin, kind, layout)
    names: list[Column] = [name.strip() for name in next(rows, [])] if header else []
    for row in rows:
        yield dict(zip(names or range(len(row)), row, strict=False))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _look(origin: Origin, kind: str, layout: Layout, header: bool) -> dict[Column, _Seen]:
    columns: dict[Column, _Seen] = {}
    for _, row in zip(range(LOOKED_AT), _table(origin, kind, layout, header), strict=False):
        for column, value in row.items():
            columns.setdefault(column, _Seen()).add(value)
    if not columns:
        raise DataError(f"{origin.name}: there are no rows")
    return columns


def _guess(shown: str, columns: dict[Column, _Seen]) -> tuple[Column, Column]:
    text = max(columns, key=lambda column: columns[column].length)
    could = [column for column, seen in columns.items() if column != text and seen.repeats]
    if not could:
        there = ", ".join(f"{column} ({len(seen.values)} different)" for column, seen in columns.items())
        raise DataError(
            f"{shown}: no column beside the text {text!r} has values that repeat, as labels do; there are: {there}"
        )
    called = [column for column in could if str(column).lower() in ("label", "labels", "sentiment", "class", "target")]
    return text, (called or sorted(could, key=lambda column: (len(columns[column].values), columns[column].length)))[0]


def _written(shown: str, data: dict[str, Any], counts: Counter[str], text: _Seen, header: bool) -> str:
    """The file's text."""
    labels = sorted_labels(set(counts))
    listed = ", ".join(f"{_comment(label) or '(none)'} {counts[label]}" for label in labels[:SHOWN_LABELS])
    more = f", and {len(labels) - SHOWN_LABELS} more" if len(labels) > SHOWN_LABELS else ""
    columns = data["columns"]
    head = "" if header or data["format"] == "jsonl" else "; no header line was seen, so columns are counted from 0"
    ranks = all(label.isdigit() for label in labels) and 3 <= len(labels) <= 11
    lines = [
        f"# A starter for {_comment(shown)}: {counts.total()} rows{head}.",
        f"# The text is column {_comment(columns['text'])}, {text.length:.0f} characters on average.",
        f"# The label is column {_comment(columns['label'])}, {len(labels)} values: {listed}{more}.",
        "# A dev and a test split are taken from it; name your own with dev: and test: beside train:.",
        "data:",
    ]
    written = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000)
    lines += [f"  {line}" for line in written.rstrip("\n").split("\n")]
    if ranks:
        lines.append(f"  # these look like ranks; if they are: {{labels: [{', '.join(labels)}], ordinal: true}}")
    lines += ["tokenizer: regex", "representation: tfidf", "head: logistic_regression", "seed: 13", ""]
    return "\n".join(lines)


def _comment(value: Any) -> str:
    """A value as one line of a comment may hold it."""
    text = repr(value) if isinstance(value, str) and not value.isprintable() else str(value)
    return text if len(text) <= 200 else text[:197] + "..."
