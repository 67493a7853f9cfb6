"""The inputs of the items of a run, which its folder names by their hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.splits import example_ids
from nlpipe.errors import NlpipeError, SpecError
from nlpipe.runs.answer import read_pipeline_file
from nlpipe.wire import Text


def data_as_it_is(folder: Path) -> Dataset:
    """The data that the run in ``folder`` names, as it is now; it may be another than the run was fitted on.

    Raises:
        NlpipeError: it cannot be read.
    """
    file, faults = read_pipeline_file(folder)
    if "data" not in file.entries:
        raise NlpipeError(f"{folder / 'pipeline.yaml'}: the pipeline names no data")
    try:
        return load_dataset(file.entries["data"].plain())
    except NlpipeError:
        if faults:  # of a reader or a task of the user's own, perhaps
            raise SpecError(faults) from None
        raise


def stored(records: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the lines of predictions have the inputs themselves."""
    return all("text" in record or "words" in record for record in records)


def texts_of(dataset: Dataset | None, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The input of each line of predictions; empty where it is not known.

    They are looked up by their hashes, so that they are the right ones also where the data has changed since, and
    where a fold of a cross-validation was answered.
    """
    if stored(records):
        return [str(record.get("text") or " ".join(map(str, record.get("words", ())))) for record in records]
    by_hash: dict[str, str] = {}
    for split in () if dataset is None else (dataset.train, dataset.dev, dataset.test):
        if isinstance(split.inputs, Text):
            by_hash.update(zip(map(_hash, example_ids(split.inputs)), split.inputs.strings, strict=True))
    return [by_hash.get(_hash(str(record.get("id", ""))), "") for record in records]


def _hash(name: str) -> str:
    """The hash in the id of an item: the id without the number that distinguishes items with equal inputs."""
    return name.partition(".")[0]
