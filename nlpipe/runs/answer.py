"""The second step of a run: answer the split that is scored, and dev, one line of JSON for each example."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.splits import plain
from nlpipe.errors import DataError
from nlpipe.files import whole_file, write_json
from nlpipe.pipeline import Pipeline
from nlpipe.runs.environment import use_threads
from nlpipe.runs.ledger import complete_ledger, recorded
from nlpipe.runs.records import EnvironmentFile, LedgerFile, read_record
from nlpipe.spec import read_pipeline
from nlpipe.tasks.task import Split
from nlpipe.wire import Wire


def answer(
    folder: Path,
    dataset: Dataset | None = None,
    pipeline: Pipeline | None = None,
    report: Callable[[str], None] = lambda message: None,
) -> None:
    """Write ``predictions.jsonl`` of a fitted run, ``predictions_dev.jsonl`` where test is answered, and its ledger.

    Args:
        folder: of a run that has been fitted.
        dataset: what the run was fitted on; read again by default.
        pipeline: the fitted pipeline; loaded from the folder by default.

    Raises:
        NlpipeError: the folder is not that of a fitted run, or its data is not what it was fitted on.
    """
    environment = read_record(folder / "environment.json", EnvironmentFile)
    dataset = dataset or data_of(folder)
    pipeline = pipeline or Pipeline.load(folder)
    use_threads(environment["threads"])
    with recorded() as warnings:
        if environment.get("split", "test") == "test":
            report(f"predicting {len(dataset.test):,} examples")
            _write_predictions(folder / "predictions.jsonl", dataset, dataset.test, pipeline)
            _write_predictions(folder / "predictions_dev.jsonl", dataset, dataset.dev, pipeline)
        else:
            report(f"predicting {len(dataset.dev):,} examples of dev")
            _write_predictions(folder / "predictions.jsonl", dataset, dataset.dev, pipeline)
    begun = read_record(folder / "ledger.json", LedgerFile)
    ledger = complete_ledger(dataset, pipeline, environment.get("split", "test"), begun, warnings)
    with whole_file(folder / "ledger.json") as partial:
        write_json(partial, ledger)


def data_of(folder: Path) -> Dataset:
    """The data set that the run in ``folder`` was fitted on, read again.

    Raises:
        NlpipeError: it cannot be read, or has changed since.
    """
    path = folder / "pipeline.yaml"
    spec = read_pipeline(path)
    if spec.data is None:
        raise DataError(f"{path}: the pipeline names no data; give the data set")
    dataset = load_dataset(spec.data)
    environment = read_record(folder / "environment.json", EnvironmentFile)
    if dataset.digest != environment["data_digest"]:
        raise DataError(f"{folder}: the data '{dataset.name}' is not what this run was fitted on; run it again")
    return dataset


def example_ids(inputs: Wire) -> list[str]:
    """A name for each example that is the same in every run on the same data, whatever the pipeline.

    It is the first 12 hexadecimal digits of the sha256 of the input (the text, or the list of words of data that
    comes split) as JSON. The second of two equal inputs ends in ``.2``, the third in ``.3``, in the order of the data.
    """
    seen: Counter[str] = Counter()
    names = []
    for content in plain(inputs):
        written = json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
        name = hashlib.sha256(written).hexdigest()[:12]
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return names


def _write_predictions(path: Path, dataset: Dataset, split: Split, pipeline: Pipeline) -> None:
    predictions = pipeline.predict(split.inputs)
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for i, name in enumerate(example_ids(split.inputs)):
            record = dataset.task.record(split.targets, predictions, i)
            file.write(json.dumps({"id": name, **record}, ensure_ascii=False) + "\n")
