"""The second step of a run: answer the split that is scored, and dev, one line of JSON for each example."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.load import load_dataset
from nlpipe.datasets.splits import example_ids, plain
from nlpipe.errors import DataError, Fault, NlpipeError, SpecError
from nlpipe.files import whole_file, write_json
from nlpipe.pipeline import Pipeline
from nlpipe.predictions import AnyPredictions
from nlpipe.registry import written_name
from nlpipe.runs.fit import sample
from nlpipe.runs.ledger import complete_ledger, recorded
from nlpipe.runs.records import EnvironmentFile, LedgerFile, read_record
from nlpipe.spec.imports import read_imports
from nlpipe.tasks.task import Split, Task
from nlpipe.threads import use_threads
from nlpipe.wire import Tags, Text, Wire
from nlpipe.yaml_reader import read_yaml
from nlpipe.yaml_values import Value


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
    used = dataset.train
    if environment["train_examples"] < len(used):
        used = sample(used, environment["train_examples"], environment["seed"], dataset.name)
    pipeline = pipeline or Pipeline.load(folder)
    use_threads(environment["threads"])
    notes: list[str] = []
    with recorded() as warnings:
        if environment.get("split", "test") == "test":
            report(f"predicting {len(dataset.test):,} examples")
            notes = write_predictions(folder / "predictions.jsonl", dataset.task, dataset.test, pipeline)
            write_predictions(folder / "predictions_dev.jsonl", dataset.task, dataset.dev, pipeline)
        else:
            report(f"predicting {len(dataset.dev):,} examples of dev")
            notes = write_predictions(folder / "predictions.jsonl", dataset.task, dataset.dev, pipeline)
    begun = read_record(folder / "ledger.json", LedgerFile)
    ledger = complete_ledger(dataset, used, pipeline, environment.get("split", "test"), begun, [*warnings, *notes])
    with whole_file(folder / "ledger.json") as partial:
        write_json(partial, ledger)


def data_of(folder: Path) -> Dataset:
    """The data set that the run in ``folder`` was fitted on, read again.

    Raises:
        NlpipeError: it cannot be read, or has changed since.
    """
    file, faults = read_pipeline_file(folder)
    if "data" not in file.entries:
        raise DataError(f"{folder / 'pipeline.yaml'}: the pipeline names no data; give the data set")
    try:
        dataset = load_dataset(file.entries["data"].plain())
    except NlpipeError:
        if faults:  # of a reader or a task of the user's own, perhaps
            raise SpecError(faults) from None
        raise
    environment = read_record(folder / "environment.json", EnvironmentFile)
    if dataset.digest != environment["data_digest"]:
        raise DataError(f"{folder}: the data '{dataset.name}' is not what this run was fitted on; run it again")
    return dataset


def read_pipeline_file(folder: Path) -> tuple[Value, list[Fault]]:
    """The content of ``pipeline.yaml`` as it is written, and the modules of its ``import:`` that cannot be imported.

    Its stages are not looked up, so that the data can be read where a stage is not installed.

    Raises:
        NlpipeError: it is missing or damaged.
    """
    file = read_yaml(folder / "pipeline.yaml")
    faults: list[Fault] = []
    read_imports(file, faults)
    return file, faults


def write_predictions(path: Path, task: Task, split: Split, pipeline: Pipeline, texts: bool = False) -> list[str]:
    """Write the answers to ``split``, a line of JSON for each example; return sentences for the ledger about them.

    Args:
        task: of the data, which writes the lines.
        texts: whether a line has the input too, where that is a text: of data that cannot be read again by a card.
    """
    predictions = pipeline.predict(split.inputs)
    if pipeline.tokenizer is not None:
        predictions = task.with_raw(split.inputs, predictions, pipeline.tokenizer, pipeline.predict)
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for i, name in enumerate(example_ids(split.inputs)):
            record = task.record(split.targets, predictions, i)
            if split.groups is not None:
                record["group"] = split.groups[i]
            if texts and isinstance(split.inputs, Text):
                record["text"] = split.inputs.strings[i]
            file.write(json.dumps({"id": name, **record}, ensure_ascii=False) + "\n")
    return same_answers(split, predictions, written_name(pipeline.head))


def same_answers(split: Split, predictions: AnyPredictions, head: str) -> list[str]:
    """A sentence if all inputs, two at least, get one answer that is not the target of them all; ``majority`` may."""
    lengths = split.inputs.lengths
    answers = {_as_text(predictions.values, i) for i in range(len(split)) if lengths[i]}
    targets = {_as_text(split.targets, i) for i in range(len(split))}
    if len(answers) != 1 or answers == targets or len(split) < 2 or head == "majority":
        return []
    shown = repr(answers.pop())
    return [
        f"every input gets the same answer, {shown if len(shown) <= 60 else shown[:57] + '...'}: the model has learned "
        "nothing that tells them apart; try more epochs, another lr, or more training examples"
    ]


def _as_text(wire: Wire, i: int) -> str:
    """Label, text or kinds of tags of example ``i``; tags are the same answer whatever the number of words."""
    if isinstance(wire, Tags):
        return " ".join(sorted(set(wire.values[i])))
    return str(wire.strings[i] if isinstance(wire, Text) else plain(wire)[i])
