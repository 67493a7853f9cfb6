"""A pipeline file to start from, made from a user's data: which column is the text and which the label."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from nlpipe.datasets.load import load_dataset, sorted_labels
from nlpipe.datasets.readers import Layout, Origin, format_of
from nlpipe.datasets.readers.json_lines import objects
from nlpipe.datasets.readers.lines import file_origin, read_lines
from nlpipe.datasets.readers.separated import NAMED_DELIMITER, records
from nlpipe.errors import DataError
from nlpipe.tag_schemes import marks_entities
from nlpipe.tasks.entity_spans import looks_like_entity
from nlpipe.yaml_reader import to_yaml

MAX_ROWS = 2000
"""Rows that the columns are guessed from."""
MAX_LABELS = 200
MAX_SHOWN_LABELS = 20

MIN_PAIRS = 10
"""Rows from which a table of two columns without names that tell is taken as pairs of texts."""

LABEL_NAMES = (
    "label", "labels", "category", "categories", "class", "intent", "sentiment", "target", "tag", "topic", "emotion",
    "polarity", "stars", "rating", "y",
)  # fmt: skip
TEXT_NAMES = (
    "text", "sentence", "review", "comment", "message", "body", "content", "tweet", "utterance", "query", "question",
    "document", "description", "title",
)  # fmt: skip
SOURCE_NAMES, TARGET_NAMES = ("source", "src", "input", "en", "english"), ("target", "tgt", "translation", "output")
"""What columns are called, likeliest first, in lower case."""
UNREAD = {
    ".json": "write one object a line and name the file .jsonl: jq -c '.[]' {0} > data.jsonl",
    ".xlsx": "save it as CSV in UTF-8",
    ".xls": "save it as CSV in UTF-8",
    ".parquet": "convert it: python -c \"import pandas; pandas.read_parquet('{0}').to_json('data.jsonl', "
    "orient='records', lines=True)\"",
    ".zip": "unpack it",
}
"""Formats that are not read, and how to make one that is."""

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
        """Whether it could be the label: at least two values, most of them more than once; some may be missing."""
        return 2 <= len(self.filled) <= min(MAX_LABELS, self.rows // 2)

    @property
    def filled(self) -> list[str]:
        """Its different values, without the empty one."""
        return [value for value in self.values if value]

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
        rivals: lines of further pipelines for a first comparison.
    """

    files: str
    findings: tuple[str, ...]
    data: dict[str, Any]
    stages: tuple[str, ...]
    advice: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()

    def comparison(self, pipeline: Path) -> str:
        """The text of a comparison of the pipeline file ``pipeline`` with others; it stands beside that file."""
        data = to_yaml({**self.data, "train": _from(pipeline.parent, self.data["train"])}, width=1000)
        lines = [
            f"# Three quick approaches to {_comment(self.files)}; run it with nlpipe compare.",
            "data:",
            *(f"  {line}" for line in data.rstrip("\n").split("\n")),
            "pipelines:",
            f"  - {pipeline.name}",
            *(f"  - {line}" for line in self.rivals),
            "seeds: [13]",
        ]
        return "\n".join(lines) + "\n"

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


@dataclass(frozen=True)
class Wanted:
    """What a user says of the data; None: as names and values suggest.

    Args:
        text: the column of the text (the source, in translation), by name or number.
        label: the column of the label (the target, in translation).
        task: classification, tagging or translation.
    """

    text: str | None = None
    label: str | None = None
    task: str | None = None


def init_spec(*paths: str | Path, folder: Path | None = None, wanted: Wanted | None = None) -> str:
    """The text of a pipeline file for a user's own data.

    Args:
        paths: one file, gzipped or not, or two parallel ones.
        folder: where the pipeline file will stand, if its paths are to start from there.
        wanted: what is known of the data.

    Raises:
        DataError: a file cannot be read, or no column looks like a text or a label.
    """
    return starter(*paths, wanted=wanted).text(folder)


def starter(*paths: str | Path, wanted: Wanted | None = None) -> Starter:
    """The pipeline to start from; see ``init_spec``."""
    return _starter([str(path) for path in paths], wanted or Wanted())


def _starter(shown: list[str], wanted: Wanted) -> Starter:
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
        suffix = Path(path).suffix.lower()
        if suffix in UNREAD:
            raise DataError(f"{path}: {suffix} is not read; {UNREAD[suffix].format(path)}")
        raise DataError(f"{path}: unknown suffix; expected .csv, .tsv, .jsonl, .conll or .po, or two parallel files")
    if kind == "conll":
        if _is_conllu(path):
            columns: dict[str, Any] = {"columns": {"token": 1, "tag": 3}, "scheme": "none"}
            return _tagging(
                {"format": kind, "train": path, **columns}, path, "The word is column 1, its part of speech 3"
            )
        return _tagging({"format": kind, "train": path}, path, "The word is column 0, the tag the last one")
    if kind == "po":
        return _translation({"format": kind, "train": path}, path)
    origin = file_origin(path)
    if kind == "jsonl" and wanted.task in (None, "tagging"):
        spans = _annotated(origin)
        if spans:
            return _tagging({"format": kind, "train": path, **spans}, path, "Entities are spans of characters")
    if wanted.task == "tagging":
        raise DataError(
            f"{path}: no words with tags and no spans of characters in it; expected conll, or jsonl with spans"
        )
    return _table_starter(origin, path, kind, wanted)


def _is_conllu(path: str) -> bool:
    """Whether the first line of a word has the ten columns of CoNLL-U."""
    lines = (line.rstrip("\r\n") for line in read_lines(file_origin(path)))
    first = next((line.split("\t") for line in lines if line.strip() and not line.startswith("#")), [])
    return len(first) == 10 and first[0].partition("-")[0].isdecimal()


def _annotated(origin: Origin) -> dict[str, Any]:
    """The keys of ``data:`` for an export of an annotation tool with spans of characters; empty if it is none.

    doccano has them in ``label`` or ``entities``, prodigy in ``spans`` beside an ``answer``.

    Raises:
        DataError: it is an export of Label Studio, whose spans are nested.
    """
    for _, record in islice(objects(origin, "utf-8"), MAX_ROWS):
        if "annotations" in record and "data" in record:
            raise DataError(f"{origin.name}: an export of Label Studio, with nested spans; export it as CoNLL instead")
        text = next((name for name in TEXT_NAMES if isinstance(record.get(name), str)), None)
        for name, value in record.items():
            if (
                text is not None
                and isinstance(value, list)
                and value
                and all(looks_like_entity(item) for item in value)
            ):
                where = {"where": {"answer": "accept"}} if record.get("answer") in ANSWERS else {}
                return {"columns": {"text": text, "entities": name}, **where}
    return {}


ANSWERS = ("accept", "reject", "ignore")
"""What prodigy writes beside each example; only what was accepted is an example."""


def _table_starter(origin: Origin, shown: str, kind: str, wanted: Wanted) -> Starter:
    """The starter for a table; the file is read twice and is never in memory as a whole."""
    layout = Layout(header=False, delimiter=_delimiter(origin, kind))
    header = kind != "jsonl" and _has_header(origin, kind, layout)
    columns = _summaries(origin, kind, layout, header)
    data: dict[str, Any] = {"format": kind}
    if layout.delimiter:
        data["delimiter"] = layout.delimiter
    for column in (wanted.text, wanted.label):
        if column is not None and _column(column, columns) is None:
            raise DataError(f"{shown}: there is no column {column!r}; there are: {', '.join(map(str, columns))}")
    if wanted.task == "translation" or (
        wanted.task is None and wanted.label is None and _are_pairs(columns, header or kind == "jsonl")
    ):
        if wanted.text is not None and wanted.label is not None:
            pair = {"source": _column(wanted.text, columns), "target": _column(wanted.label, columns)}
            return _translation({**data, "train": shown, "columns": pair}, shown)
        if len(columns) != 2:
            raise DataError(
                f"{shown}: {len(columns)} columns; say which are the source and the target: --text, --label"
            )
        named = kind == "jsonl" or (header and not any(" " in str(name) for name in columns))
        source, target = columns if named else (0, 1)
        return _translation({**data, "train": shown, "columns": {"source": source, "target": target}}, shown)
    text, label, others = _guess(shown, columns, wanted)
    counts: Counter[str] = Counter(row.get(label, "").strip() for row in _table(origin, kind, layout, header))
    data |= {"train": shown, "columns": {"text": text, "label": label}}
    answers = columns.get("answer")
    if answers is not None and set(answers.filled) <= set(ANSWERS):
        data["where"] = {"answer": "accept"}
    found = _classification(shown, {"task": "classification", **data}, counts, columns[text], header)
    return replace(found, findings=(*found.findings, *others))


def _column(name: str, columns: Iterable[Column]) -> Column | None:
    """The column that a user calls ``name``, which may be its number."""
    return next((column for column in columns if str(column).lower() == name.lower()), None)


def _are_pairs(columns: Mapping[Column, _Summary], named: bool) -> bool:
    """Whether two columns are pairs of texts: their names say so, or there are many rows and no values repeat."""
    if len(columns) != 2:
        return False
    names = [str(column).lower() for column in columns]
    if named and any(name in LABEL_NAMES and name not in TARGET_NAMES for name in names):
        return False
    if named and (names[0] in SOURCE_NAMES or names[1] in TARGET_NAMES) and names[0] not in TEXT_NAMES:
        return True
    summaries = list(columns.values())
    return summaries[0].rows >= MIN_PAIRS and not any(seen.repeats or seen.numbers for seen in summaries)


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
    rivals = (
        "{name: dictionary, head: dictionary}",
        "{name: perceptron, tokenizer: {name: regex, lowercase: false}, representation: window, head: perceptron}",
    )
    return Starter(shown, findings, data, stages, rivals=rivals)


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
    rivals = ("{name: memory, representation: tfidf, head: translation_memory}",)
    return Starter(shown, tuple(findings), data, stages, rivals=rivals)


def _delimiter(origin: Origin, kind: str) -> str | None:
    """A semicolon if a csv file has no commas in its first line, as spreadsheets in much of Europe write it; None where
    the file names it itself (``sep=;``)."""
    if kind != "csv":
        return None
    _, first = next(records(origin, Layout(quoting=False), "\n", quoting=False), (0, [""]))
    return ";" if ";" in first[0] and "," not in first[0] and not NAMED_DELIMITER.fullmatch(first[0]) else None


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


def _guess(shown: str, columns: Mapping[Column, _Summary], wanted: Wanted) -> tuple[Column, Column, tuple[str, ...]]:
    """The columns of the text and of the label, and a comment on the others that could be the label.

    What the user wants comes first, then what columns are called, then what they hold.

    Raises:
        DataError: no column has repeated values, as labels do, or there are too few rows to tell.
    """
    text = _column(wanted.text, columns) if wanted.text is not None else None
    if text is None:
        named = [column for name in TEXT_NAMES if (column := _column(name, columns)) is not None]
        longest = max(columns, key=lambda column: columns[column].length)
        text = next((column for column in named if str(column).lower() != (wanted.label or "").lower()), longest)
    label = _column(wanted.label, columns) if wanted.label is not None else None
    candidates = [column for column, summary in columns.items() if column != text and summary.repeats]
    by_size = sorted(candidates, key=lambda column: (len(columns[column].values), columns[column].length))
    if label is None:
        named = [column for name in LABEL_NAMES if (column := _column(name, columns)) is not None and column != text]
        label = next((column for column in [*named, *by_size] if len(columns[column].filled) > 1), None)
    if label is None:
        counts = ", ".join(f"{column} ({len(summary.values)} different)" for column, summary in columns.items())
        raise DataError(
            f"{shown}: no column beside the text {text!r} has values that repeat, as labels do; there are: {counts}; "
            "say which with --label"
        )
    others = [f"{_comment(column)} ({len(columns[column].filled)} values)" for column in by_size if column != label]
    findings = [f"Other columns that could be the label: {', '.join(others)}."] if others else []
    missing = columns[label].values[""]
    if missing:
        findings.append(
            f"{missing} of the first {columns[label].rows} rows have no label: fill or remove them before a run."
        )
    if columns[label].rows < 20:
        findings.append(f"{columns[label].rows} rows are too few to learn from: expect errors or scores of chance.")
    return text, label, tuple(findings)


def _classification(shown: str, data: dict[str, Any], counts: Counter[str], text: _Summary, header: bool) -> Starter:
    labels = sorted_labels({label for label in counts if label})
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
    rivals = (
        "{name: majority, representation: bow, head: majority}",
        "{name: bow_nb, representation: bow, head: naive_bayes}",
    )
    return Starter(shown, findings, data, stages, advice, rivals)


def _listed(counts: Counter[str]) -> str:
    """Each label with the number of times it occurs; of many labels, the first ones."""
    labels = sorted_labels(set(counts))
    more = f", and {len(labels) - MAX_SHOWN_LABELS} more" if len(labels) > MAX_SHOWN_LABELS else ""
    return ", ".join(f"{_comment(label) or '(none)'} {counts[label]}" for label in labels[:MAX_SHOWN_LABELS]) + more


def _comment(value: Any) -> str:
    """A value as part of a comment of one line."""
    text = repr(value) if isinstance(value, str) and not value.isprintable() else str(value)
    return text if len(text) <= 200 else text[:197] + "..."
