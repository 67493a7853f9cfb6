"""The finished runs of a cascade's members: their models, their answers to dev, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlpipe.datasets.dataset import Dataset
from nlpipe.metrics.metric import Metric
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.cascade import Cascade, sureness_of
from nlpipe.predictions import AnyPredictions
from nlpipe.runs import costs
from nlpipe.runs.records import SplitName
from nlpipe.runs.result import Result
from nlpipe.runs.score import read_answers, read_scoring, task_of
from nlpipe.spec import PipelineSpec
from nlpipe.threads import thread_count
from nlpipe.wire import Wire


def cascade_of(spec: PipelineSpec, members: Sequence[Result]) -> Cascade:
    """The cascade of the members' models; its thresholds are not yet fitted.

    Raises:
        NlpipeError: a model is missing or damaged, or the members answer other labels.
    """
    assert spec.aim is not None
    cascade = Cascade([Pipeline.load(each.folder) for each in members], spec.aim, spec.name)
    for name, stage, seconds in (
        (each.name, stage, seconds)
        for each in members
        for stage, seconds in each.costs.get("fit_seconds_by_stage", {}).items()
    ):
        cascade.fit_seconds[f"{name}: {stage}"] = seconds
    return cascade


def fit_thresholds(
    cascade: Cascade, members: Sequence[Result], dataset: Dataset, split: SplitName, deciding: tuple[Metric, str]
) -> None:
    """Fit the thresholds to the members' stored answers to dev.

    What a member costs is what its run measured; where that is needed and was not measured, it is measured on dev.

    Raises:
        NlpipeError: a file is missing or damaged, a member has no confidence, or no threshold reaches the aim.
    """
    stored = [_dev_answers(each, split) for each in members]
    seconds = [each.costs.get("latency_mean_seconds", 0.0) for each in members]
    if not all(seconds):
        seconds = []
        if cascade.needs_costs:
            seconds = [
                costs.measure_model(each.folder / "model", dataset.dev.inputs, thread_count())["latency_mean_seconds"]
                for each in members
            ]
    cascade.fit_thresholds(stored[0][0], [answers for _, answers in stored], *deciding, seconds)


def check_confidence(member: Result, name: str, head: str) -> None:
    """Check that the answers of a member that is not the last have confidences.

    Args:
        name: the member's.
        head: the name of its head.

    Raises:
        NlpipeError: they have none.
    """
    split = member.environment.get("split", "test")
    _, answers = _dev_answers(member, "dev" if split == "dev" else "test")
    sureness_of(answers, name, head)


def cascade_record(cascade: Cascade, members: Sequence[Result]) -> dict[str, Any]:
    """The content of ``cascade.json``: for each member its run, threshold and share of dev, and the expected cost."""
    fitted = cascade.thresholds
    assert fitted is not None
    values = [*fitted.values, None]
    folders: list[str | None] = [each.folder.name for each in members]
    folders += [None] * (len(values) - len(folders))
    seconds: list[float | None] = [*fitted.seconds]
    seconds += [None] * (len(values) - len(seconds))
    parts = zip(cascade.members, folders, values, fitted.reached, seconds, strict=True)
    return {
        "aim": cascade.aim.plain(), "metric": fitted.metric, "dev_score": fitted.score,
        "dev_score_of_last": fitted.last, "expected_latency_mean_seconds": fitted.expected_seconds,
        "members": [
            {
                "name": member.name, "run": folder, "threshold": value, "share_of_dev_reached": share,
                "latency_mean_seconds": cost,
            }
            for member, folder, value, share, cost in parts
        ],
    }  # fmt: skip


def _dev_answers(member: Result, split: SplitName) -> tuple[Wire, AnyPredictions]:
    task = task_of(read_scoring(member.folder))
    return read_answers(member.folder / ("predictions.jsonl" if split == "dev" else "predictions_dev.jsonl"), task)
