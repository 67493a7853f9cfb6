"""One trial: fit a pipeline and score it on dev, or in folds of training and dev. The test split is not read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.folds import inner_folds
from nlpipe.errors import NlpipeError
from nlpipe.pipeline import Pipeline
from nlpipe.runs.fit import import_ahead, sample
from nlpipe.runs.ledger import recorded
from nlpipe.spec import PipelineSpec
from nlpipe.tasks.task import Split
from nlpipe.threads import thread_count, use_threads

if TYPE_CHECKING:
    from nlpipe.training.history import Epoch

State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Args:
        number: from 1, in the order in which they ended.
        settings: the value of each option that is searched, by its key path.
        state: ``pruned`` if its training was stopped because others were better after as many epochs.
        score: the primary score on dev, or its mean over folds; of a pruned trial, that on dev after its last epoch;
            None if it failed.
        fit_seconds: how long its pipelines learned.
        seconds: the whole trial, with its predictions.
        epochs: of training by gradients, in all folds; 0 if there is none.
        repeats: the number of an earlier trial with the same values, whose score it has; None if it was fitted.
        error: why it failed.
        warnings: of fitting.
    """

    number: int
    settings: Mapping[str, Any]
    state: State
    score: float | None
    fit_seconds: float = 0.0
    seconds: float = 0.0
    epochs: int = 0
    repeats: int | None = None
    error: str = ""
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Scored:
    """What fitting and scoring gave."""

    score: float
    fit_seconds: float
    epochs: int
    warnings: tuple[str, ...]


def primary_score(dataset: Dataset) -> tuple[str, bool]:
    """The name of the score that trials are compared by, and whether higher is better."""
    metric, primary = dataset.task.deciding(dataset.labels, dataset.ordinal)
    return primary, metric.higher_is_better[primary]


@dataclass(frozen=True)
class TrialData:
    """What a trial fits a pipeline on, the training and dev splits of ``dataset``, and what it then scores."""

    dataset: Dataset
    scored: Split


def trial_data(dataset: Dataset, folds: int | None) -> tuple[TrialData, ...]:
    """What each trial fits on and is scored on.

    Without ``folds``, it is fitted on the training split and scored on dev. With them, training and dev are cut into
    that many folds together, and each fold is scored once, by a pipeline fitted on the others.

    Raises:
        NlpipeError: there is no dev split, or there are too few examples for the folds.
    """
    if folds is not None:
        return tuple(TrialData(each, each.test) for each in inner_folds(dataset, folds))
    if not len(dataset.dev):
        raise NlpipeError(f"{dataset.name}: there is no dev split to tune on; 'tune: {{folds: 5}}' needs none")
    return (TrialData(dataset, dataset.dev),)


def fit_and_score(
    spec: PipelineSpec,
    data: Sequence[TrialData],
    report: Callable[[str], None],
    after_epoch: Callable[[Epoch], None],
) -> Scored:
    """Fit ``spec`` on each of ``data``, and score it there; the score is the mean.

    Args:
        after_epoch: called after each epoch of training by gradients on the first of ``data``; what it raises ends the
            trial.

    Raises:
        NlpipeError: the pipeline cannot be fitted, or its answers have not what the primary score needs.
    """
    scored = [
        _fit_and_score(spec, each, report, after_epoch if i == 0 else lambda epoch: None) for i, each in enumerate(data)
    ]
    return Scored(
        float(np.mean([each.score for each in scored])), sum(each.fit_seconds for each in scored),
        sum(each.epochs for each in scored), tuple(dict.fromkeys(text for each in scored for text in each.warnings)),
    )  # fmt: skip


def _fit_and_score(
    spec: PipelineSpec, data: TrialData, report: Callable[[str], None], after_epoch: Callable[[Epoch], None]
) -> Scored:
    dataset, scored, task = data.dataset, data.scored, data.dataset.task
    pipeline = Pipeline([stage.make() for stage in spec.stages], task.name, spec.trainer, spec.seed, spec.name)
    pipeline.reading = dataset.reading
    import_ahead(pipeline)
    use_threads(thread_count())
    train = (
        dataset.train if spec.train_size is None else sample(dataset.train, spec.train_size, spec.seed, dataset.name)
    )
    metric, primary = task.deciding(dataset.labels, dataset.ordinal)
    with recorded() as warnings:
        pipeline.fit_split(
            train, dataset.dev, report=report, progress=False, deciding=(metric, primary), after_epoch=after_epoch
        )
        predictions = pipeline.predict(scored.inputs)
        if pipeline.tokenizer is not None:
            predictions = task.with_raw(scored.inputs, predictions, pipeline.tokenizer, pipeline.predict)
    if not metric.applies(predictions):
        raise NlpipeError(f"'{primary}' cannot be computed from the answers of this pipeline; choose another score")
    epochs = len(pipeline.history.epochs) if pipeline.history is not None else 0
    seconds = sum(pipeline.fit_seconds.values())
    return Scored(metric(scored.targets, predictions)[primary], seconds, epochs, tuple(warnings))


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds until now."""
        return time.perf_counter() - self.start
