"""Score a finished run on further labelled examples; its folder is read and never written."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlpipe.datasets.card_finder import find_card
from nlpipe.datasets.cards import Card
from nlpipe.datasets.labelled import NAME, Changes, Labelled, read_labelled
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError, SpecError
from nlpipe.files import whole_folder, write_json
from nlpipe.metrics.jackknife import score_intervals
from nlpipe.pipeline import Pipeline
from nlpipe.runs.answer import read_pipeline_file, write_predictions
from nlpipe.runs.environment import made_with
from nlpipe.runs.fit import sample
from nlpipe.runs.items import read_items
from nlpipe.runs.ledger import evaluation_ledger, recorded
from nlpipe.runs.records import (
    EnvironmentFile,
    LedgerFile,
    MetricsFile,
    ScoringFile,
    read_environment,
    read_metrics,
    read_record,
)
from nlpipe.runs.score import metrics_of, read_scoring, score, task_of
from nlpipe.tasks.task import Task
from nlpipe.threads import thread_count, use_threads
from nlpipe.yaml_values import Value

Intervals = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Evaluation:
    """How a run's pipeline does on further examples.

    Args:
        run: the run's folder.
        data: the files, or ``card:split``.
        examples: how many there are.
        metrics: their scores.
        intervals: of each score, by the luck of the examples (the jackknife's, as in a comparison); with one example
            there are none.
        before: the scores of the run itself, on its own test split.
        ledger: what reading lost, and every warning.
        folder: where it was written; None where it was not.
    """

    run: Path
    data: str
    examples: int
    metrics: MetricsFile
    intervals: Intervals
    before: MetricsFile
    ledger: LedgerFile
    folder: Path | None = None


def evaluate(
    run: str | Path,
    data: str | Sequence[str],
    out: str | Path | None = None,
    changes: Changes | None = None,
    report: Callable[[str], None] = lambda message: None,
) -> Evaluation:
    """Answer the examples of ``data`` with the pipeline of a run, and score the answers as the run was scored.

    Args:
        run: the run's folder.
        data: files that are read as the training data was, a card (its test split), or ``CARD:SPLIT``.
        out: a new folder that gets what a run's folder has without the model: answers, statistics of each, scores.
        changes: how the files are read where that differs from the training data.
        report: called with what is being done, in a few words.

    Raises:
        NlpipeError: the folder is not that of a run, or is damaged; the examples cannot be read or are of another
            task; ``out`` exists.
    """
    folder, target = Path(run), None if out is None else Path(out)
    if target is not None and target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise NlpipeError(f"--out {target}: exists already; name a new folder")
    environment = read_environment(folder)
    if "evaluated" in environment:
        raise NlpipeError(f"{folder}: this is an evaluation, which has no model; its run is {environment['evaluated']}")
    scoring, before = read_scoring(folder), read_metrics(folder / "metrics.json")
    file, faults = read_pipeline_file(folder)
    if faults:
        raise SpecError(faults)
    task, pipeline = task_of(scoring), Pipeline.load(folder)
    report("reading the data")
    files = [data] if isinstance(data, str) else list(data)
    labelled = read_labelled(files, task, scoring["labels"], pipeline.reading, _card_of(file), changes)
    notes = _in_training(labelled, task, file, environment)
    report(f"predicting {len(labelled.split):,} examples")
    with contextlib.ExitStack() as stack:
        if target is not None:
            partial = stack.enter_context(whole_folder(target))
        else:
            partial = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _answer(partial, labelled, task, pipeline, notes)
        _describe(partial, folder.resolve(), labelled, environment, scoring)
        metrics = score(partial)
        intervals = _intervals(partial, labelled.split.groups)
        ledger = read_record(partial / "ledger.json", LedgerFile)
    return Evaluation(folder, labelled.name, len(labelled.split), metrics, intervals, before, ledger, target)


def _card_of(file: Value) -> Card | None:
    """The card of the training data; None where it is no longer there."""
    try:
        return find_card(file.entries["data"]).card
    except (KeyError, NlpipeError):
        return None


def _in_training(labelled: Labelled, task: Task, file: Value, environment: EnvironmentFile) -> list[str]:
    """Count the examples whose input is a training example too; a sentence about them, or why none was looked for."""
    try:
        data = file.entries["data"].plain() if "data" in file.entries else ""
        dataset = load_dataset(data)
        if dataset.digest != environment["data_digest"]:
            raise NlpipeError(f"{dataset.name} has changed since")
        train = dataset.train
        if environment["train_examples"] < len(train):
            train = sample(train, environment["train_examples"], environment["seed"], dataset.name)
    except NlpipeError as error:
        reason = str(error).partition("\n")[0]
        return [
            f"it was not checked whether these are training examples too, as the training data cannot be read: {reason}"
        ]
    known = {task.key(train.inputs, i) for i in range(len(train))}
    inputs = labelled.split.inputs
    labelled.ledger.counts["in_train"] = 0
    for i in range(len(inputs)):
        if (key := task.key(inputs, i)) in known:
            labelled.ledger.add("in_train", key)
    count = int(labelled.ledger.counts["in_train"])
    if not count:
        return []
    first = labelled.ledger.examples["in_train"][0]
    return [f"{count:,} of {len(inputs):,} examples are training examples too, the first '{first}'"]


def _answer(folder: Path, labelled: Labelled, task: Task, pipeline: Pipeline, notes: Sequence[str]) -> None:
    """Write ``predictions.jsonl`` and ``ledger.json``."""
    use_threads(thread_count())
    with recorded() as warnings:
        remarks = write_predictions(folder / "predictions.jsonl", task, labelled.split, pipeline, texts=True)
    ledger = evaluation_ledger(labelled.split, labelled.ledger, pipeline, [*notes, *warnings, *remarks])
    write_json(folder / "ledger.json", ledger)


def _describe(folder: Path, run: Path, labelled: Labelled, environment: EnvironmentFile, scoring: ScoringFile) -> None:
    """Write ``environment.json`` and ``scoring.json``: those of the run, with what is different here."""
    record: EnvironmentFile = {
        **environment, **made_with(), "data": labelled.name, "data_digest": labelled.digest, "split": NAME,
        "threads": thread_count(), "evaluated": str(run),
    }  # fmt: skip
    write_json(folder / "environment.json", record)
    write_json(folder / "scoring.json", {**scoring, "split": NAME})


def _intervals(folder: Path, groups: Sequence[str] | None) -> Intervals:
    """The 95 % interval of each score, from the stored statistics of the examples."""
    numbers = None if groups is None else np.unique(np.array(groups), return_inverse=True)[1]
    intervals: Intervals = {}
    for metric in metrics_of(read_scoring(folder)):
        statistics = read_items(folder / "items.safetensors", metric.name)
        if statistics is not None:
            intervals |= score_intervals(metric, statistics, numbers)
    return intervals
