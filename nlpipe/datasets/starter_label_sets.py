"""Starters for texts with any number of labels each: lists, a separator, or a column of 0 and 1 for each label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from nlpipe.datasets.column_guess import Column, Summary
from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.starter_file import Starter, comment, counted_labels

SEPARATORS = "|", ";", ",", "/"
"""What labels are separated by, the surest sign first."""
MARKS = frozenset({"0", "1", "true", "false", "True", "False", "TRUE", "FALSE"})
OFTEN = 0.05
"""Share of rows with several labels from which these are no slips."""
LEAST_MARKED = 3
"""Columns of 0 and 1 that are taken for labels without being told; two may be anything."""


def label_set_columns(
    columns: Mapping[Column, Summary], text: Column, label: Column | None, told: bool
) -> dict[str, Any] | None:
    """What ``data:`` says of the labels: ``columns`` and ``separator``; None where a text has one label.

    Args:
        columns: what each holds.
        text: the column of the text.
        label: the one that a user named, or that looks like a label.
        told: whether the user says that texts have several labels.
    """
    if label is not None and columns[label].lists and (told or _often(columns[label])):
        return {"columns": {"text": text, "labels": label}}
    marked = [name for name, seen in columns.items() if name != text and _marks(seen)]
    if label is None or label in marked:
        if len(marked) >= (2 if told else LEAST_MARKED):
            return {"columns": {"text": text, "labels": marked}}
        if label is None:
            return None
    separator = _separator(columns[label].values, told)
    return None if separator is None else {"columns": {"text": text, "labels": label}, "separator": separator}


def _often(seen: Summary) -> bool:
    return seen.lists >= OFTEN * (seen.rows + seen.lists)


def _marks(seen: Summary) -> bool:
    return bool(seen.filled) and not seen.lists and MARKS.issuperset(seen.filled)


def _separator(rows: Counter[str], told: bool) -> str | None:
    """What separates labels: a sign between parts that occur in other combinations too.

    Args:
        rows: how often each value occurs.
        told: whether the user says that texts have several labels; else one row in twenty has several at least.
    """
    values = [value for value in rows if value]
    for separator in SEPARATORS if told else SEPARATORS[:2]:
        split = [[part.strip() for part in value.split(separator)] for value in values if separator in value]
        alone = {value.strip() for value in values if separator not in value}
        counts = Counter(part for parts in split for part in parts)
        often = told or sum(rows[value] for value in values if separator in value) >= OFTEN * rows.total()
        if split and often and all(count > 1 or part in alone for part, count in counts.items()):
            return separator
    return None


def label_sets_starter(shown: str, data: dict[str, Any], header: bool) -> Starter:
    """The starter for texts with sets of labels; the whole file is read, so that its faults are found now."""
    data = {"task": "multilabel", **data}
    dataset = load_dataset(data)
    sets = [each for split in (dataset.train, dataset.dev, dataset.test) for each in split.targets.values]  # type: ignore[attr-defined]
    counts = Counter(label for each in sets for label in each)
    labels = data["columns"]["labels"]
    where = f"columns {', '.join(map(comment, labels))}" if isinstance(labels, list) else f"column {comment(labels)}"
    unnamed = (
        ""
        if header or data["format"] in ("jsonl", "parquet")
        else "; no header line was seen, so columns are counted from 0"
    )
    findings = (
        f"{len(sets)} rows{unnamed}.",
        f"The text is column {comment(data['columns']['text'])}.",
        f"The labels are in {where}: {counted_labels(counts)}; {sum(not each for each in sets)} rows have none, "
        f"{sum(len(each) > 1 for each in sets)} have several.",
    )
    stages = ("tokenizer: regex", "representation: tfidf", "head: {name: logistic_regression, class_weight: auto}")
    rivals = (
        "{name: majority, representation: bow, head: majority}",
        "{name: nbsvm, representation: {name: bow, ngrams: [1, 2]}, head: nbsvm}",
    )
    return Starter(shown, findings, data, stages, rivals=rivals)
