"""A pipeline file to start from, made from a user's data: which column is the text and which the label."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nlpipe.datasets.load import load_dataset, sorted_labels
from nlpipe.datasets.readers import Layout, Origin, format_of
from nlpipe.datasets.readers.json_lines import objects
from nlpipe.datasets.readers.lines import file_origin
from nlpipe.datasets.readers.separated import records
from nlpipe.errors import DataError
from nlpipe.tag_schemes import marks_entities
from nlpipe.yaml_reader import to_yaml

MAX_ROWS = 2000
"""Rows that the columns are guessed from."""
MAX_LABELS = 200
MAX_SHOWN_LABELS = 20

LABEL_NAMES = ("label", "labels", "sentiment", "class", "target")

Column = str | int


@dataclass
class _Summary:
    """The values of a column in the rows that were read."""

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
        """Whether it could be the label: at least two values, most of them more than once."""
        return 2 <= len(self.values) <= min(MAX_LABELS, self.rows // 2) and "" not in self.values

    @property
    def numbers(self) -> bool:
        """Whether all its values are numbers."""
        return all(_number(value) for value in self.values)


@dataclass(frozen=True)
class Starter:
    """A pipeline file to start from.

    Args:
        files: the user's files, as they were named.
        findings: sentences about the files, for comments.
        data: the keys of ``data:``.
        stages: the lines of the stages.
        advice: comments under the keys of ``data:``.
    """

    files: str
    findings: tuple[str, ...]
    data: dict[str, Any]
    stages: tuple[str, ...]
    advice: tuple[str, ...] = ()

    def text(self, folder: Path | None) -> str:
        """The file's text, with paths that start from ``folder``; as they were named where it is None."""
        data = to_yaml({**self.data, "train": _from(folder, self.data["train"])}, width=1000)
        lines = [
            f"# A starter for {_comment(self.files)}: {self.findings[0]}",
            *(f"# {line}" for line in self.findings[1:]),
            "# A dev and a test split are taken from it; name your own with dev: and test: beside train:.",
            "data:",
            *(f"  {line}" for line in [*data.rstrip("\n").split("\n"), *self.advice]),
            *self.stages,
            "seed: 13",
        ]
        return "\n".join(lines) + "\n"


def _from(folder: Path | None, files: Any) -> Any:
    """A path, or a list of paths, that started from the working directory, to start from ``folder``."""
    if isinstance(files, list):
        return [_from(folder, file) for file in files]
    return files if folder is None or Path(files).is_absolute() else os.path.relpath(files, folder)


def init_spec(*paths: str | Path, folder: Path | None = None) -> str:
    """The text of a pipeline file for a user's own data.

    Args:
        paths: one file, gzipped or not, or two parallel ones.
        folder: where the pipeline file will stand, if its paths are to start from there.

    Raises:
        DataError: a file cannot be read, or no column looks like a text or a label.
    """
    return _starter([str(path) for path in paths]).text(folder)


def _starter(shown: list[str]) -> Starter:
    """The starter for files, as their names, columns and values suggest.

    The format decides the task: conll, and jsonl with lists of ``entities``, are tagging; po, two files, and tables of
    two columns without repeated values are translation; other tables are classification. There the longest column is
    taken as the text, and the shortest one with repeated values as the label. Comments in the file say what was found,
    so that a wrong guess is noticed.
    """
    if len(shown) == 2:
        return _translation({"format": "parallel", "train": shown}, " and ".join(shown))
    if len(shown) != 1:
        raise DataError(f"expected one file of examples, or two parallel files, not {len(shown)}: {', '.join(shown)}")
    path = shown[0]
    kind = format_of(path)
    if kind is None:
        raise DataError(f"{path}: unknown suffix; expected .csv, .tsv, .jsonl, .conll or .po, or two parallel files")
    if kind == "conll":
        return _tagging({"format": kind, "train": path}, path, "The word is column 0, the tag the last one")
    if kind == "po":
        return _translation({"format": kind, "train": path}, path)
    origin = file_origin(path)
    if kind == "jsonl" and isinstance(next(objects(origin, "utf-8"), (0, {}))[1].get("entities"), list):
        columns = {"text": "text", "entities": "entities"}
        return _tagging({"format": kind, "train": path, "columns": columns}, path, "Entities are spans of characters")
    return _table_starter(origin, path, kind)


def _table_starter(origin: Origin, shown: str, kind: str) -> Starter:
    """The starter for a table; the file is read twice and is never in memory as a whole."""
    layout = Layout(header=False, delimiter=_delimiter(origin, kind))
    header = kind != "jsonl" and _has_header(origin, kind, layout)
    columns = _summaries(origin, kind, layout, header)
    data: dict[str, Any] = {"format": kind}
    if layout.delimiter:
        data["delimiter"] = layout.delimiter
    if len(columns) == 2 and not any(seen.repeats or seen.numbers for seen in columns.values()):
        named = kind == "jsonl" or (header and not any(" " in str(name) for name in columns))
        source, target = columns if named else (0, 1)
        return _translation({**data, "train": shown, "columns": {"source": source, "target": target}}, shown)
    text, label = _guess(shown, columns)
    counts: Counter[str] = Counter(row.get(label, "").strip() for row in _table(origin, kind, layout, header))
    data |= {"train": shown, "columns": {"text": text, "label": label}}
    return _classification(shown, {"task": "classification", **data}, counts, columns[text], header)


def _tagging(data: dict[str, Any], shown: str, columns: str) -> Starter:
    """The starter for sentences with tags; the whole file is read, so that its faults are found now."""
    data = {"task": "tagging", **data}
    dataset = load_dataset(data)
    splits = dataset.train, dataset.dev, dataset.test
    tags = Counter(tag for split in splits for sentence in split.targets.values for tag in sentence)  # type: ignore[attr-defined]
    marked = marks_entities(tags)
    kinds = Counter({tag[2:]: count for tag, count in tags.items() if tag[:2] == "B-"}) if marked else tags
    scheme = f" in the scheme {dataset.task.scheme}" if marked and data["format"] == "conll" else ""  # type: ignore[attr-defined]
    findings = (
        f"{sum(map(len, splits))} sentences, {tags.total()} words.",
        f"{columns}{scheme}; {'entities' if marked else 'tags'}: {_listed(kinds)}.",
    )
    stages = (
        "tokenizer: {name: regex, lowercase: false}",
        "representation: {name: window, min_count: 2}",
        "head: {name: logistic_regression, C: 10}",
    )
    return Starter(shown, findings, data, stages)


def _translation(data: dict[str, Any], shown: str) -> Starter:
    """The starter for pairs of texts; the whole file is read, so that its faults are found now."""
    data = {"task": "translation", **data}
    dataset = load_dataset(data)
    findings = [f"{sum(map(len, (dataset.train, dataset.dev, dataset.test)))} pairs of texts."]
    if "columns" in data:
        source, target = data["columns"].values()
        counted = "; no header line was seen, so columns are counted from 0" if source == 0 else ""
        findings.append(f"The source is column {_comment(source)}, the target column {_comment(target)}{counted}.")
    stages = ("tokenizer: regex", "head: {name: lexical, tokenizer: {name: regex, lowercase: false}}")
    return Starter(shown, tuple(findings), data, stages)


def _delimiter(origin: Origin, kind: str) -> str | None:
    """A semicolon if a csv file has no commas in its first line, as spreadsheets in much of Europe write it."""
    if kind != "csv":
        return None
    _, first = next(records(origin, Layout(quoting=False), "\n", quoting=False), (0, [""]))
    return ";" if ";" in first[0] and "," not in first[0] else None


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


def _has_header(origin: Origin, kind: str, layout: Layout) -> bool:
    """Whether the first line has the names of the columns: short, different, and none of them a value further down."""
    rows = _records(origin, kind, layout)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{origin.name}: the file is empty")
    if len(set(first)) < len(first) or any(not name.strip() or len(name) > 60 or _number(name) for name in first):
        return False
    names = [name.strip() for name in first]
    for _, row in zip(range(MAX_ROWS), rows, strict=False):
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
    """Rows as column to text; columns are names if the file has them, otherwise indices."""
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


def _summaries(origin: Origin, kind: str, layout: Layout, header: bool) -> dict[Column, _Summary]:
    columns: dict[Column, _Summary] = {}
    for _, row in zip(range(MAX_ROWS), _table(origin, kind, layout, header), strict=False):
        for column, value in row.items():
            columns.setdefault(column, _Summary()).add(value)
    if not columns:
        raise DataError(f"{origin.name}: there are no rows")
    return columns


def _guess(shown: str, columns: dict[Column, _Summary]) -> tuple[Column, Column]:
    """The columns of the text and of the label.

    Raises:
        DataError: no column has repeated values, as labels do.
    """
    text = max(columns, key=lambda column: columns[column].length)
    candidates = [column for column, summary in columns.items() if column != text and summary.repeats]
    if not candidates:
        counts = ", ".join(f"{column} ({len(summary.values)} different)" for column, summary in columns.items())
        raise DataError(
            f"{shown}: no column beside the text {text!r} has values that repeat, as labels do; there are: {counts}"
        )
    by_name = [column for column in candidates if str(column).lower() in LABEL_NAMES]
    by_size = sorted(candidates, key=lambda column: (len(columns[column].values), columns[column].length))
    return text, (by_name or by_size)[0]


def _classification(shown: str, data: dict[str, Any], counts: Counter[str], text: _Summary, header: bool) -> Starter:
    labels = sorted_labels(set(counts))
    columns = data["columns"]
    head = "" if header or data["format"] == "jsonl" else "; no header line was seen, so columns are counted from 0"
    findings = (
        f"{counts.total()} rows{head}.",
        f"The text is column {_comment(columns['text'])}, {text.length:.0f} characters on average.",
        f"The label is column {_comment(columns['label'])}, {len(labels)} values: {_listed(counts)}.",
    )
    ranks = all(label.isdecimal() for label in labels) and 3 <= len(labels) <= 11
    order = ", ".join(label if str(int(label)) == label else f"'{label}'" for label in labels) if ranks else ""
    advice = (f"# these look like ranks; if they are: {{labels: [{order}], ordinal: true}}",) if ranks else ()
    stages = ("tokenizer: regex", "representation: tfidf", "head: logistic_regression")
    return Starter(shown, findings, data, stages, advice)


def _listed(counts: Counter[str]) -> str:
    """Each label with the number of times it occurs; of many labels, the first ones."""
    labels = sorted_labels(set(counts))
    more = f", and {len(labels) - MAX_SHOWN_LABELS} more" if len(labels) > MAX_SHOWN_LABELS else ""
    return ", ".join(f"{_comment(label) or '(none)'} {counts[label]}" for label in labels[:MAX_SHOWN_LABELS]) + more


def _comment(value: Any) -> str:
    """A value as part of a comment of one line."""
    text = repr(value) if isinstance(value, str) and not value.isprintable() else str(value)
    return text if len(text) <= 200 else text[:197] + "..."
