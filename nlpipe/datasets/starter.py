"""A pipeline file to start from, made from a user's data, and a comparison of it with two other quick approaches."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from nlpipe.datasets.column_guess import (
    ANSWERS,
    FEW_ROWS,
    LABEL_NAMES,
    MAX_ROWS,
    TEXT_NAMES,
    Column,
    Summary,
    are_pairs,
    by_rank,
    delimiter_of,
    has_header,
    label_columns,
    rank,
    summaries,
    table_rows,
    text_column,
)
from nlpipe.datasets.load import load_dataset, sorted_labels
from nlpipe.datasets.readers import Layout, Origin, format_of
from nlpipe.datasets.readers.conll import sentences
from nlpipe.datasets.readers.json_lines import objects
from nlpipe.datasets.readers.lines import file_origin
from nlpipe.datasets.readers.parquet import parquet_rows
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.tag_schemes import marks_entities
from nlpipe.tasks.entity_spans import looks_like_entity
from nlpipe.yaml_reader import to_yaml

MAX_SHOWN_LABELS = 20
SENTENCES = 200
"""Sentences whose columns are looked at."""

UNREAD = {
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".numbers"), "save it as CSV in UTF-8, in the program that wrote it"),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".bz2", ".xz", ".zst"), "unpack it, or pack the one file with gzip"),
    **dict.fromkeys(
        (".pkl", ".pickle", ".feather", ".arrow", ".dta", ".sav"),
        "write it as parquet or jsonl in the program that wrote it",
    ),
    **dict.fromkeys(
        (".iob", ".iob2", ".bio", ".bioes", ".conll03", ".tags"),
        "words with tags, one a line, are read from .conll: rename it",
    ),
    **dict.fromkeys(
        (".xml", ".tmx", ".xliff", ".html"), "convert it to one JSON object a line (.jsonl), or to two parallel files"
    ),
    ".txt": "name it by what is in it: .csv, .tsv, .jsonl or .conll; of two parallel files give both",
}
"""Endings of files that are not read, and what to do instead."""


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
        doubts: what will stop a run or spoil its scores.
    """

    files: str
    findings: tuple[str, ...]
    data: dict[str, Any]
    stages: tuple[str, ...]
    advice: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

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
            *(f"# Warning: {line}." for line in self.doubts),
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
        encoding: of the files; None for UTF-8.
    """

    text: str | None = None
    label: str | None = None
    task: str | None = None
    encoding: str | None = None


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
    found = _starter([str(path) for path in paths], wanted or Wanted())
    for doubt in found.doubts:
        warnings.warn(f"{found.files}: {doubt}", NlpipeWarning, stacklevel=2)
    return found


def _starter(shown: list[str], wanted: Wanted) -> Starter:
    """The starter for files, as their names, columns and values suggest; what the user wants comes first.

    Words with tags (conll) and spans of characters are tagging; po, two files, and tables with two columns of texts
    are translation; other tables are classification. Comments in the file say what was found and what else it could
    be, so that a wrong guess is noticed.
    """
    if len(shown) == 2:
        return _translation({"format": "parallel", "train": shown}, " and ".join(shown), wanted)
    if len(shown) != 1:
        raise DataError(f"expected one file of examples, or two parallel files, not {len(shown)}: {', '.join(shown)}")
    path = shown[0]
    kind = format_of(path)
    if kind is None:
        suffix = Path(path.lower().removesuffix(".gz")).suffix
        if suffix in UNREAD:
            raise DataError(f"{path}: {suffix} is not read; {UNREAD[suffix]}")
        raise DataError(
            f"{path}: unknown suffix; expected .csv, .tsv, .jsonl, .json, .parquet, .conll or .po, or two parallel "
            "files"
        )
    data: dict[str, Any] = {"format": kind, "train": path}
    if wanted.encoding is not None:
        data["encoding"] = wanted.encoding
    if kind == "conll":
        return _words(data, path, wanted)
    if kind == "po":
        return _translation(data, path, wanted)
    origin = file_origin(path)
    if kind in ("jsonl", "parquet") and wanted.task in (None, "tagging"):
        columns = _annotated(origin, kind, wanted)
        if columns:
            return _tagging({**data, **columns}, path, "")
    if wanted.task == "tagging":
        raise DataError(
            f"{path}: no words with tags and no spans of characters in it; expected conll, or jsonl with spans"
        )
    return _table(origin, data, path, wanted)


def _words(data: dict[str, Any], path: str, wanted: Wanted) -> Starter:
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
    token = _number(wanted.text, width, path, "--text")
    token = token if token is not None else 1 if conllu else 0
    entities = [i for i in range(width) if i != token and marks_entities(values[i])]
    tag = _number(wanted.label, width, path, "--label")
    tag = tag if tag is not None else entities[-1] if entities else 3 if conllu else width - 1
    columns = {"token": token, "tag": tag if conllu or tag != width - 1 else -1}
    if conllu and not marks_entities(values[tag]):
        data = {**data, "scheme": "none"}
    others = [
        f"{i} ({len(values[i])} values)"
        for i in range(width)
        if i not in (token, tag) and 2 <= len(values[i]) <= 60 and not all(value.isdecimal() for value in values[i])
    ]
    found = _tagging({**data, "columns": columns} if columns != {"token": 0, "tag": -1} else data, path,
                     f"The word is column {token}, the tag column {tag}")  # fmt: skip
    told = (f"Other columns that could be the tag: {', '.join(others)}.",) if others else ()
    return replace(found, findings=(*found.findings, *told))


def _number(typed: str | None, width: int, path: str, option: str) -> int | None:
    if typed is None:
        return None
    if not typed.lstrip("-").isdecimal() or not -width <= int(typed) < width:
        raise DataError(f"{path}: {option} {typed}: there is no such column; they are numbered 0 to {width - 1}")
    return int(typed) % width


def _annotated(origin: Origin, kind: str, wanted: Wanted) -> dict[str, Any]:
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


def _table(origin: Origin, data: dict[str, Any], shown: str, wanted: Wanted) -> Starter:
    """The starter for a table; the file is read twice and is never in memory as a whole."""
    kind = data["format"]
    encoding = wanted.encoding or "utf-8"
    delimiter = delimiter_of(origin, encoding) if kind == "csv" else None
    layout = Layout(header=False, delimiter=delimiter, encoding=encoding)
    header = kind not in ("jsonl", "parquet") and has_header(origin, kind, layout)
    columns = summaries(origin, kind, layout, header)
    if delimiter:
        data = {**data, "delimiter": delimiter}
    if not columns or all(seen.lists for seen in columns.values()):
        raise DataError(f"{shown}: {_whole_table(origin, encoding, kind)}")
    text, label = (_column(each, columns, shown) for each in (wanted.text, wanted.label))
    pair = (text, label) if text is not None and label is not None else None
    if wanted.task == "translation" or (wanted.task is None and text is None and label is None):
        pair = pair or are_pairs(columns)
        if pair is None and wanted.task == "translation" and len(columns) == 2:
            first, second = columns
            pair = (first, second)
        if pair is None and wanted.task == "translation":
            raise DataError(
                f"{shown}: {len(columns)} columns; say which are the source and the target: --text, --label"
            )
        if pair is not None:
            return _translation(
                {**data, **_header(header, pair), "columns": dict(zip(("source", "target"), pair, strict=True))},
                shown,
                wanted,
            )
    text = text if text is not None else text_column(columns, label)
    candidates = label_columns(columns, text)
    if label is None and not candidates:
        raise DataError(f"{shown}: {_no_label(columns, text)}{_nested(origin, encoding, kind)}")
    label = label if label is not None else candidates[0]
    counts: Counter[str] = Counter()
    several = 0
    answers = columns.get("answer")
    accepted = label != "answer" and answers is not None and ANSWERS.issuperset(answers.filled)
    for row in table_rows(origin, kind, layout, header):
        if accepted and row.get("answer") != "accept":
            continue
        value = row.get(label, "")
        several += not isinstance(value, str)
        counts[value.strip() if isinstance(value, str) else ""] += 1
    data = {
        "task": "classification",
        **data,
        **_header(header, (text, label)),
        "columns": {"text": text, "label": label},
    }
    if accepted:
        data["where"] = {"answer": "accept"}
    found = _classification(shown, data, counts, columns[text], header)
    return replace(
        found, findings=(*found.findings, *_others(columns, text, label, candidates)), doubts=_doubts(counts, several)
    )


def _header(header: bool, columns: tuple[Column, Column]) -> dict[str, Any]:
    """The key that says that there is a header, where no column is given by a name."""
    return {"header": True} if header and not any(isinstance(column, str) for column in columns) else {}


def _column(typed: str | None, columns: Mapping[Column, Summary], shown: str) -> Column | None:
    """The column that a user calls ``typed``, which may be its number.

    Raises:
        DataError: there is none.
    """
    if typed is None:
        return None
    for same in (str.__eq__, lambda one, other: one.lower() == other.lower()):
        for column in columns:
            if same(str(column), typed):
                return column
    raise DataError(f"{shown}: there is no column {typed!r}; there are: {', '.join(map(str, columns))}")


def _whole_table(origin: Origin, encoding: str, kind: str) -> str:
    """Why a file without columns of texts is none of examples."""
    if kind == "jsonl":
        for _, record in islice(objects(origin, encoding), 1):
            if any(isinstance(value, dict) for value in record.values()):
                keys = ", ".join(record)
                return (
                    f"an object of objects ({keys:.60}), not a list of examples; pandas writes examples with "
                    "to_json(FILE, orient='records', lines=True)"
                )
            if any(isinstance(value, list) for value in record.values()):
                name = next(name for name, value in record.items() if isinstance(value, list))
                return f"one object that holds lists; write the examples of '{name}' alone, one a line"
    return "no column has texts"


def _nested(origin: Origin, encoding: str, kind: str) -> str:
    """A hint at fields that hold objects; empty where there are none."""
    first = next(objects(origin, encoding), (0, {}))[1] if kind == "jsonl" else {}
    names = [name for name, value in first.items() if isinstance(value, dict)]
    return (
        f"; what is inside of '{names[0]}' is not looked at: text and label must be fields of the object"
        if names
        else ""
    )


def _no_label(columns: Mapping[Column, Summary], text: Column) -> str:
    """Why no column can be the label."""
    several = [name for name, seen in columns.items() if seen.lists]
    if several:
        return (
            f"column '{several[0]}' holds several labels in {columns[several[0]].lists} rows, and a text has one here; "
            "keep one of them"
        )
    single = next((name for name in by_rank(columns, LABEL_NAMES) if len(columns[name].filled) == 1), None)
    if single is not None and single != text:
        value = columns[single].filled[0]
        answered = "answer" in columns and ANSWERS.issuperset(columns["answer"].filled)
        way = "--label answer learns whether it was accepted" if answered else "there is nothing to learn from one"
        return f"every row has the {single} {value!r:.60}; {way}"
    counts = ", ".join(f"{name} ({len(seen.filled)} different)" for name, seen in columns.items())
    return (
        f"no column beside the text {text!r} has values that repeat, as labels do; there are: {counts}; "
        "say which with --label"
    )


def _others(
    columns: Mapping[Column, Summary], text: Column, label: Column, candidates: list[Column]
) -> tuple[str, ...]:
    """Comments on the columns that were not chosen."""
    findings = []
    labels = [f"{_comment(name)} ({len(columns[name].filled)} values)" for name in candidates if name != label]
    if labels:
        findings.append(f"Other columns that could be the label: {', '.join(labels)}; --label says which.")
    texts = [
        f"{_comment(name)} ({seen.length:.0f} characters)"
        for name, seen in columns.items()
        if name not in (text, label, *candidates) and not seen.numbers
        and (rank(name, TEXT_NAMES) is not None or seen.length > columns[text].length / 2)
    ]  # fmt: skip
    if texts:
        findings.append(f"Other columns that could be the text: {', '.join(texts)}; --text says which.")
    unlike = [
        f"{_comment(name)} ({len(seen.filled)} different values)"
        for name, seen in columns.items()
        if name not in (text, label, *candidates) and rank(name, LABEL_NAMES) is not None and seen.filled
        and rank(name, TEXT_NAMES) is None
    ]  # fmt: skip
    if unlike:
        findings.append(f"Called like a label, but no classes: {', '.join(unlike)}.")
    return tuple(findings)


def _doubts(counts: Counter[str], several: int) -> tuple[str, ...]:
    """What will stop a run or spoil its scores: too few rows, rows without a label or with several."""
    total, missing = counts.total(), counts[""] - several
    doubts = []
    if missing:
        rows = f"{missing} of {total} rows have" if missing > 1 else f"1 of {total} rows has"
        doubts.append(f"{rows} no label, at which a run stops: fill it in, or remove them")
    if several:
        doubts.append(f"{several} of {total} rows have several labels, at which a run stops: keep one of them")
    if total < FEW_ROWS:
        doubts.append(f"{total} rows are too few to learn from: expect errors, or scores of chance")
    elif rare := [label for label, count in counts.items() if label and count < 3]:
        doubts.append(f"{len(rare)} labels have fewer than 3 examples, one for each split: {_listed(counts, rare)}")
    return tuple(doubts)


def _tagging(data: dict[str, Any], shown: str, columns: str) -> Starter:
    """The starter for sentences with tags; the whole file is read, so that its faults are found now."""
    data = {"task": "tagging", **data}
    dataset = load_dataset(data)
    splits = dataset.train, dataset.dev, dataset.test
    tags = Counter(tag for split in splits for sentence in split.targets.values for tag in sentence)  # type: ignore[attr-defined]
    marked = marks_entities(tags)
    kinds = Counter({tag[2:]: count for tag, count in tags.items() if tag[:2] == "B-"}) if marked else tags
    scheme = f" in the scheme {dataset.task.scheme}" if marked and data["format"] == "conll" else ""  # type: ignore[attr-defined]
    roles = ", ".join(f"the {role} {_comment(column)}" for role, column in data.get("columns", {}).items())
    columns = columns or f"{'Entities are spans of characters' if 'entities' in roles else 'Lists'}: {roles}"
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


def _translation(data: dict[str, Any], shown: str, wanted: Wanted) -> Starter:
    """The starter for pairs of texts; the whole file is read, so that its faults are found now.

    Raises:
        DataError: the user wants another task.
    """
    if wanted.task not in (None, "translation"):
        raise DataError(f"{shown}: pairs of texts are for translation, not for {wanted.task}")
    if wanted.encoding is not None:
        data = {**data, "encoding": wanted.encoding}
    data = {"task": "translation", **data}
    dataset = load_dataset(data)
    findings = [f"{sum(map(len, (dataset.train, dataset.dev, dataset.test)))} pairs of texts."]
    if "columns" in data:
        source, target = data["columns"].values()
        counted = "; no header line was seen, so columns are counted from 0" if source == 0 else ""
        findings.append(f"The source is column {_comment(source)}, the target column {_comment(target)}{counted}.")
    stages = ("tokenizer: regex", "head: {name: lexical, tokenizer: {name: regex, lowercase: false}}")
    rivals = (
        "{name: memory, representation: tfidf, head: translation_memory}",
        "{name: memory_characters, representation: {name: tfidf, unit: character, ngrams: [2, 4]}, "
        "head: translation_memory}",
    )
    return Starter(shown, tuple(findings), data, stages, rivals=rivals)


def _classification(shown: str, data: dict[str, Any], counts: Counter[str], text: Summary, header: bool) -> Starter:
    labels = sorted_labels({label for label in counts if label})
    columns = data["columns"]
    head = (
        ""
        if header or data["format"] in ("jsonl", "parquet")
        else "; no header line was seen, so columns are counted from 0"
    )
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


def _listed(counts: Counter[str], labels: Iterable[str] | None = None) -> str:
    """Each label with the number of times it occurs; of many labels, the first ones."""
    labels = sorted_labels(set(counts if labels is None else labels))
    more = f", and {len(labels) - MAX_SHOWN_LABELS} more" if len(labels) > MAX_SHOWN_LABELS else ""
    return ", ".join(f"{_comment(label) or '(none)'} {counts[label]}" for label in labels[:MAX_SHOWN_LABELS]) + more


def _comment(value: Any) -> str:
    """A value as part of a comment of one line."""
    text = repr(value) if isinstance(value, str) and not value.isprintable() else str(value)
    return text if len(text) <= 200 else text[:197] + "..."
