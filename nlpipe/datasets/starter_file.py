"""The pipeline file that ``nlpipe init`` writes, and the comparison beside it, for each task."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpipe.datasets.column_guess import (
    Summary,
)
from nlpipe.datasets.load import load_dataset, sorted_labels
from nlpipe.errors import DataError
from nlpipe.tag_schemes import marks_entities
from nlpipe.yaml_reader import to_yaml

MAX_SHOWN_LABELS = 20
SENTENCES = 200
"""Sentences whose columns are looked at."""


@dataclass(frozen=True)
class Wanted:
    """What a user says of the data; None: as names and values suggest.

    Args:
        text: the column of the text (the source, in translation), by name or number.
        label: the column of the label (the target, in translation).
        task: classification, multilabel, tagging, translation or language_modelling.
        encoding: of the files; None for UTF-8.
    """

    text: str | None = None
    label: str | None = None
    task: str | None = None
    encoding: str | None = None


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
            f"# Three quick approaches to {comment(self.files)}; run it with nlpipe compare.",
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
            f"# A starter for {comment(self.files)}: {self.findings[0]}",
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


def tagging_starter(data: dict[str, Any], shown: str, columns: str) -> Starter:
    """The starter for sentences with tags; the whole file is read, so that its faults are found now."""
    data = {"task": "tagging", **data}
    dataset = load_dataset(data)
    splits = dataset.train, dataset.dev, dataset.test
    tags = Counter(tag for split in splits for sentence in split.targets.values for tag in sentence)  # type: ignore[attr-defined]
    marked = marks_entities(tags)
    kinds = Counter({tag[2:]: count for tag, count in tags.items() if tag[:2] == "B-"}) if marked else tags
    scheme = f" in the scheme {dataset.task.scheme}" if marked and data["format"] == "conll" else ""  # type: ignore[attr-defined]
    roles = ", ".join(f"the {role} {comment(column)}" for role, column in data.get("columns", {}).items())
    columns = columns or f"{'Entities are spans of characters' if 'entities' in roles else 'Lists'}: {roles}"
    findings = (
        f"{sum(map(len, splits))} sentences, {tags.total()} words.",
        f"{columns}{scheme}; {'entities' if marked else 'tags'}: {counted_labels(kinds)}.",
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


def translation_starter(data: dict[str, Any], shown: str, wanted: Wanted) -> Starter:
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
        findings.append(f"The source is column {comment(source)}, the target column {comment(target)}{counted}.")
    stages = ("tokenizer: regex", "head: {name: lexical, tokenizer: {name: regex, lowercase: false}}")
    rivals = (
        "{name: memory, representation: tfidf, head: translation_memory}",
        "{name: memory_characters, representation: {name: tfidf, unit: character, ngrams: [2, 4]}, "
        "head: translation_memory}",
    )
    return Starter(shown, tuple(findings), data, stages, rivals=rivals)


def classification_starter(
    shown: str, data: dict[str, Any], counts: Counter[str], text: Summary, header: bool
) -> Starter:
    """The starter for a table of texts and labels.

    Args:
        counts: rows of each label.
        text: what the column of the text holds.
        header: whether the file names its columns.
    """
    labels = sorted_labels({label for label in counts if label})
    columns = data["columns"]
    head = (
        ""
        if header or data["format"] in ("jsonl", "parquet")
        else "; no header line was seen, so columns are counted from 0"
    )
    findings = (
        f"{counts.total()} rows{head}.",
        f"The text is column {comment(columns['text'])}, {text.length:.0f} characters on average.",
        f"The label is column {comment(columns['label'])}, {len(labels)} values: {counted_labels(counts)}.",
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


def counted_labels(counts: Counter[str], labels: Iterable[str] | None = None) -> str:
    """Each label with the number of times it occurs; of many labels, the first ones."""
    labels = sorted_labels(set(counts if labels is None else labels))
    more = f", and {len(labels) - MAX_SHOWN_LABELS} more" if len(labels) > MAX_SHOWN_LABELS else ""
    return ", ".join(f"{comment(label) or '(none)'} {counts[label]}" for label in labels[:MAX_SHOWN_LABELS]) + more


def comment(value: Any) -> str:
    """A value as part of a comment of one line."""
    text = repr(value) if isinstance(value, str) and not value.isprintable() else str(value)
    return text if len(text) <= 200 else text[:197] + "..."
