"""Starters for tables: which column is the text and which the label, and what is doubtful about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from nlpipe.datasets.column_guess import (
    ANSWERS,
    FEW_ROWS,
    LABEL_NAMES,
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
from nlpipe.datasets.readers import Layout, Origin
from nlpipe.datasets.readers.json_lines import objects
from nlpipe.datasets.starter_file import (
    Starter,
    Wanted,
    classification_starter,
    comment,
    counted_labels,
    translation_starter,
)
from nlpipe.datasets.starter_label_sets import label_set_columns, label_sets_starter
from nlpipe.errors import DataError


def table_starter(origin: Origin, data: dict[str, Any], shown: str, wanted: Wanted) -> Starter:
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
            return translation_starter(
                {**data, **_header(header, pair), "columns": dict(zip(("source", "target"), pair, strict=True))},
                shown,
                wanted,
            )
    text = text if text is not None else text_column(columns, label)
    candidates = label_columns(columns, text)
    if wanted.task in (None, "multilabel"):
        lists = next((name for name, seen in columns.items() if seen.lists), None)
        guess = label if label is not None else lists if lists is not None else next(iter(candidates), None)
        found_sets = label_set_columns(columns, text, guess, wanted.task is not None)
        if found_sets is not None:
            return label_sets_starter(shown, {**data, **_header(header, (text, text)), **found_sets}, header)
        if wanted.task is not None:
            raise DataError(
                f"{shown}: no column has several labels: expected lists (jsonl), labels between '|', ';' or ',', or "
                "two columns or more of 0 and 1; --label names the column"
            )
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
    found = classification_starter(shown, data, counts, columns[text], header)
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
            "keep one of them, or leave out --task, so that the file is read as multilabel"
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
    labels = [f"{comment(name)} ({len(columns[name].filled)} values)" for name in candidates if name != label]
    if labels:
        findings.append(f"Other columns that could be the label: {', '.join(labels)}; --label says which.")
    texts = [
        f"{comment(name)} ({seen.length:.0f} characters)"
        for name, seen in columns.items()
        if name not in (text, label, *candidates) and not seen.numbers
        and (rank(name, TEXT_NAMES) is not None or seen.length > columns[text].length / 2)
    ]  # fmt: skip
    if texts:
        findings.append(f"Other columns that could be the text: {', '.join(texts)}; --text says which.")
    unlike = [
        f"{comment(name)} ({len(seen.filled)} different values)"
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
        doubts.append(
            f"{several} of {total} rows have several labels, at which a run stops: keep one of them, or "
            "give --task multilabel"
        )
    if total < FEW_ROWS:
        doubts.append(f"{total} rows are too few to learn from: expect errors, or scores of chance")
    elif rare := [label for label, count in counts.items() if label and count < 3]:
        doubts.append(
            f"{len(rare)} labels have fewer than 3 examples, one for each split: {counted_labels(counts, rare)}"
        )
    return tuple(doubts)
