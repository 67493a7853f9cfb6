"""The inputs of the items of a run, which its folder names by their hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.splits import example_ids
from nlpipe.errors import NlpipeError
from nlpipe.runs.answer import read_pipeline_file
from nlpipe.wire import Text


def texts_of(folder: Path, records: Sequence[Mapping[str, Any]]) -> tuple[list[str], str]:
    """The input of each line of predictions, and why some are empty; that is empty where all are known.

    They are looked up by their hashes, so that they are the right ones also where the data has changed since, and
    where a fold of a cross-validation was answered.
    """
    if all("text" in record or "words" in record for record in records):
        return [str(record.get("text") or " ".join(map(str, record.get("words", ())))) for record in records], ""
    try:
        file, faults = read_pipeline_file(folder)
        if "data" not in file.entries:
            raise NlpipeError(f"{folder / 'pipeline.yaml'}: the pipeline names no data")
        if faults:
            raise NlpipeError(str(faults[0]))
        dataset = load_dataset(file.entries["data"].plain())
    except NlpipeError as error:
        reason = str(error).partition("\n")[0]
        return [""] * len(records), f"The texts are not shown, as the data cannot be read: {reason}"
    by_hash: dict[str, str] = {}
    for split in (dataset.train, dataset.dev, dataset.test):
        if isinstance(split.inputs, Text):
            by_hash.update(zip(map(_hash, example_ids(split.inputs)), split.inputs.strings, strict=True))
    texts = [by_hash.get(_hash(str(record.get("id", ""))), "") for record in records]
    missing = sum(not text for text in texts)
    return texts, f"{missing:,} texts are not shown, as the data does not have them any more" if missing else ""


def _hash(name: str) -> str:
    """The name of an item without the number that equal inputs are told apart by."""
    return name.partition(".")[0]
