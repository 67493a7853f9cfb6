"""The pipeline file that ``nlpipe init --task language_modelling`` writes: plain text, or a column of texts."""

from __future__ import annotations

from typing import Any

from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.starter_file import Starter, Wanted, comment
from nlpipe.errors import DataError
from nlpipe.tasks.language_modelling import FEWEST

TABLES = ("csv", "tsv", "jsonl", "parquet")
CUTS = ("file", "paragraph", "line")
"""What one text may be, the longest first."""


def texts_starter(path: str, kind: str | None, wanted: Wanted) -> Starter:
    """The starter for a language model; the whole file is read, so that its faults are found now.

    Args:
        path: the user's file.
        kind: its format by its name; None: plain text.

    Raises:
        DataError: the file cannot be read, or has no texts.
    """
    if kind is not None and kind not in TABLES:
        raise DataError(f"{path}: {kind} is not read as texts; expected plain text, {', '.join(TABLES)}")
    data: dict[str, Any] = {"task": "language_modelling", "format": kind or "text", "train": path}
    if wanted.encoding is not None:
        data["encoding"] = wanted.encoding
    if wanted.text is not None:
        data["columns"] = {"text": wanted.text}
    if kind is None and wanted.text is not None:
        raise DataError(f"{path}: plain text has no columns; leave --text out")
    dataset = load_dataset(data) if kind is not None else _first_cut_enough(data)
    splits = dataset.train, dataset.dev, dataset.test
    texts = [text for split in splits for text in split.inputs.strings]  # type: ignore[attr-defined]
    words = sum(len(text.split()) for text in texts)
    found = [f"{len(texts):,} texts, {words:,} words."]
    if kind is None:
        data = {**data, "documents": dataset.task.documents}  # type: ignore[attr-defined]
        found.append("A text is all of a file (documents: file), a paragraph up to a blank line, or each line.")
    else:
        found.append(f"The texts are in column {comment(wanted.text or 'text')}, one in each record.")
    stages = ("tokenizer: {name: whitespace, lowercase: false}", "head: {name: ngram, order: 3}")
    rivals = (
        "{name: single_words, tokenizer: {name: whitespace, lowercase: false}, head: {name: ngram, order: 1}}",
        "{name: five_characters, tokenizer: characters, head: {name: ngram, order: 6}}",
    )
    return Starter(path, tuple(found), data, stages, rivals=rivals)


def _first_cut_enough(data: dict[str, Any]) -> Dataset:
    """The plain text in the longest texts of which there are enough; in lines where there are enough of none.

    Raises:
        DataError: the file cannot be read, or is too short even in lines.
    """
    for cut in CUTS[:-1]:
        try:
            dataset = load_dataset({**data, "documents": cut})
        except DataError:  # too few; what else is wrong is found again with lines
            continue
        if sum(map(len, (dataset.train, dataset.dev, dataset.test))) >= FEWEST:
            return dataset
    return load_dataset({**data, "documents": CUTS[-1]})
