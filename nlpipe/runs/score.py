"""The fourth step of a run: score the predictions; it needs the run's folder and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nlpipe.errors import NlpipeError
from nlpipe.files import whole_file, write_json
from nlpipe.metrics.metric import Metric
from nlpipe.predictions import AnyPredictions
from nlpipe.runs.items import write_items
from nlpipe.runs.ledger import with_warnings
from nlpipe.runs.records import DefinitionRecord, LedgerFile, MetricsFile, ScoringFile, read_metrics, read_record
from nlpipe.tasks import task_named
from nlpipe.tasks.task import Task
from nlpipe.wire import Wire


def score(folder: Path) -> MetricsFile:
    """Write ``items.safetensors`` and ``metrics.json`` from ``predictions.jsonl`` and ``scoring.json``.

    Raises:
        NlpipeError: a file is missing or damaged, or the run was written by nlpipe 0.1.0, which did not store what
            scoring needs.
    """
    scoring = read_scoring(folder)
    task, metrics = task_of(scoring), metrics_of(scoring)
    registered = {metric.name: metric.fingerprint for metric in task.user_metrics()}
    if missing := sorted(_registered(folder).keys() - registered.keys()):
        raise NlpipeError(
            f"{folder}: it was scored with {', '.join(missing)}, which is not registered here: import the module that "
            "registers it (--import MODULE), or remove metrics.json to score without it"
        )
    gold, predictions = read_answers(folder / "predictions.jsonl", task)
    statistics = {metric.name: metric.statistics(gold, predictions) for metric in applying(metrics, predictions)}
    scores: dict[str, float] = {}
    definitions: dict[str, DefinitionRecord] = {}
    for metric in applying(metrics, predictions):
        for name, value in metric.of(statistics[metric.name]).items():
            scores[name], definition = value, metric.definitions[name]
            definitions[name] = {
                "unit": definition.unit, "higher_is_better": definition.higher_is_better,
                "full_name": definition.full_name,
            }  # fmt: skip
    _, primary = task.deciding(scoring["labels"], scoring["ordinal"])
    if primary not in scores:
        raise NlpipeError(
            f"{folder}: primary: '{primary}' cannot be computed: it needs probabilities, or texts that the pipeline "
            f"splits itself, and the answers of this pipeline have none; choose another score ({', '.join(scores)})"
        )
    record: MetricsFile = {
        "split": scoring["split"], "primary": primary, "scores": scores, "definitions": definitions,
    }  # fmt: skip
    if task.reason:
        record["primary_reason"] = task.reason
    if registered:
        record["registered"] = registered
    if scoring["split"] == "test" and (folder / "predictions_dev.jsonl").exists():
        record["dev"] = _numbers(metrics, *read_answers(folder / "predictions_dev.jsonl", task))
    _warn(folder, task.remarks(scores))
    write_items(folder / "items.safetensors", statistics)
    with whole_file(folder / "metrics.json") as partial:
        write_json(partial, record)
    return record


def _warn(folder: Path, messages: list[str]) -> None:
    """Write the warnings of this step into the ledger, where there is one."""
    path = folder / "ledger.json"
    if path.exists():
        ledger = with_warnings(read_record(path, LedgerFile), "score", messages)
        with whole_file(path) as partial:
            write_json(partial, ledger)


def lacks_metrics(folder: Path, task: Task) -> bool:
    """Whether a metric of the user's own is new or has changed since the run in ``folder`` was scored."""
    before = _registered(folder)
    return any(before.get(metric.name) != metric.fingerprint for metric in task.user_metrics())


def _registered(folder: Path) -> dict[str, str]:
    path = folder / "metrics.json"
    return read_metrics(path).get("registered", {}) if path.exists() else {}


def applying(metrics: Iterable[Metric], predictions: AnyPredictions) -> list[Metric]:
    """The metrics that can be computed from these predictions."""
    return [metric for metric in metrics if metric.applies(predictions)]


def _numbers(metrics: Iterable[Metric], gold: Wire, predictions: AnyPredictions) -> dict[str, float]:
    return {name: value for metric in metrics for name, value in metric(gold, predictions).items()}


def read_scoring(folder: Path) -> ScoringFile:
    """``scoring.json`` of a run.

    Raises:
        NlpipeError: it is missing, as in runs of nlpipe 0.1.0, or damaged.
    """
    path = folder / "scoring.json"
    if not path.exists() and (folder / "metrics.json").exists():
        raise NlpipeError(f"{folder}: this run was scored by nlpipe 0.1.0, which left no scoring.json; run it again")
    return read_record(path, ScoringFile)


def task_of(scoring: ScoringFile) -> Task:
    """The task that was fitted, with what it keeps of the training split."""
    task = task_named(scoring["task"])
    task.load_state(scoring["state"])
    return task


def metrics_of(scoring: ScoringFile) -> list[Metric]:
    """The metrics of the run."""
    return task_of(scoring).every_metric(scoring["labels"], scoring["ordinal"])


def read_answers(path: Path, task: Task) -> tuple[Wire, AnyPredictions]:
    """Gold and predicted of ``predictions.jsonl``.

    Raises:
        NlpipeError: as ``read_predictions``; or the lines are not those of the task.
    """
    records = read_predictions(path)
    try:
        return task.restore(records)
    except NlpipeError as error:
        raise NlpipeError(f"{path}: {error}; answer again") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise NlpipeError(f"{path}: damaged, or not of the task {task.name} ({what}); answer again") from None


def read_predictions(path: Path) -> list[Mapping[str, Any]]:
    """The lines of ``predictions.jsonl``.

    Raises:
        NlpipeError: the file is missing, or a line is not a JSON object.
    """
    records: list[Mapping[str, Any]] = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise NlpipeError(f"{path}:{number}: not a JSON object")
                records.append(record)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise NlpipeError(f"{path}:{len(records) + 1}: not JSON: {error}; answer again") from None
    except OSError as error:
        raise NlpipeError(f"{path}: {error.strerror or error}; answer the run first") from None
    return records
