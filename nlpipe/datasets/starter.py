"""A pipeline file to start from, out of somebody's own table."""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter
from pathlib import Path

from nlpipe.datasets.readers import Layout, form_of, read_file
from nlpipe.errors import DataError

LOOKED_AT = 5000
"""Rows that the guess is made from."""


def init_spec(path: Path) -> str:
    """The text of a pipeline file for the examples in ``path``: text and label columns guessed, said in comments.

    Raises:
        DataError: the file cannot be read, or has no column that could be text or label.
    """
    form = form_of(str(path))
    names = _columns(path, form)
    rows = list(itertools.islice(read_file(path, Layout(form, {name: name for name in names})), LOOKED_AT))
    if not rows:
        raise DataError(f"{path}: is empty below its header; there is no example in it")
    values = {name: [str(row.fields[name]) for row in rows] for name in names}
    text = max(names, key=lambda name: sum(map(len, values[name])))
    labels = [name for name in names if name != text and 2 <= len(set(values[name])) <= max(2, len(rows) // 2)]
    if not labels:
        raise DataError(
            f"{path}: no column could be a label: besides '{text}', none has at least two values that repeat; columns "
            f"here: {', '.join(names)}"
        )
    label = min(labels, key=lambda name: len(set(values[name])))
    counts = Counter(values[label])
    shown = ", ".join(f"{name} {count}" for name, count in counts.most_common(8))
    words = sum(len(value.split()) for value in values[text]) / len(rows)
    return (
        f"# A first pipeline for {path.name}: {len(rows)}{' or more' if len(rows) == LOOKED_AT else ''} examples,\n"
        f"# {words:.0f} words each on average. Check that these guesses are right:\n"
        f"#   text:  column '{text}', such as {json.dumps(values[text][0][:60], ensure_ascii=False)}\n"
        f"#   label: column '{label}', {len(counts)} labels: {shown}{', …' if len(counts) > 8 else ''}\n"
        "# Dev and test splits are cut off by a fixed seed, after duplicates are dropped.\n"
        "data:\n"
        "  task: classification\n"
        f"  format: {form}\n"
        f"  train: {json.dumps(str(path.resolve()))}\n"
        f"  columns: {{text: {json.dumps(text)}, label: {json.dumps(label)}}}\n"
        "tokenizer: regex\n"
        "representation: {name: tfidf, ngrams: [1, 2], sublinear: true}\n"
        "head: {name: logistic_regression, class_weight: auto}\n"
    )


def _columns(path: Path, form: str) -> list[str]:
    """The names in the header, or the fields of the first object."""
    if form == "jsonl":
        first = next(iter(read_file(path, Layout("tsv", {"line": 0}, header=False))), None)
        record = json.loads(str(first.fields["line"])) if first else {}
        return [str(name) for name in record]
    first = next(iter(read_file(path, Layout(form, {"all": 0}, header=False))), None)
    if first is None:
        raise DataError(f"{path}: is empty")
    opener = _first_line(path)
    return next(csv.reader([opener], delimiter="," if form == "csv" else "\t"))


def _first_line(path: Path) -> str:
    import gzip

    if path.name.endswith(".gz"):
        with gzip.open(path, "rt", encoding="utf-8-sig") as file:
            return file.readline().rstrip("\r\n")
    with path.open(encoding="utf-8-sig") as file:
        return file.readline().rstrip("\r\n")
