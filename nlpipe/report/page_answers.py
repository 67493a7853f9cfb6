"""The answers of one run, in the form in which the page of a comparison shows them beside those of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from nlpipe.metrics.selective import area, risk_coverage
from nlpipe.metrics.tag_metrics import strict_spans
from nlpipe.predictions import AnyPredictions
from nlpipe.runs.items import read_items
from nlpipe.runs.mistake_records import Group, groups_of, groups_of_sets
from nlpipe.runs.result import Result
from nlpipe.runs.score import metrics_of, read_answers, read_scoring, task_of
from nlpipe.runs.tag_mistakes import of_entities, of_tags
from nlpipe.tasks.task import Task
from nlpipe.wire import Labels, LabelSets, Tags, Text, Wire

Kind = Literal["labels", "sets", "entities", "tags", "texts", "probabilities"]
BINS = 10
"""Groups of equally many answers in which confidence and share of right answers are compared."""
POINTS = 50
"""Of a risk-coverage curve, at most."""


@dataclass(frozen=True)
class Bin:
    """Answers of about the same confidence.

    Args:
        confidence: mean probability of the answered label.
        right: share of right answers.
        count: how many there are.
    """

    confidence: float
    right: float
    count: int


@dataclass(frozen=True)
class Answers:
    """The answers of one run to the n items of the split.

    Args:
        gold: n of a label, a set of labels as a tuple, a text, the tags of the words, or entities as (first word, end,
            type).
        predicted: likewise; of a language model the score that decides, such as nats per word.
        scores: (n,) of each answer, the higher the better: 0 or 1 of a label, the Jaccard index of a set of labels with
            the wanted one, F1 of the entities, share of right tags,
            chrF in [0, 1], what a language model predicted with its sign turned.
        right: (n,) whether the answer is entirely right.
        words: of each item, where the task is about words; else empty.
        groups: of labels, types or tags; empty for texts.
        confusion: how often each pair of gold and predicted label occurs; empty for other tasks.
        calibration: by confidence; empty where there are no probabilities.
        coverage: points of the risk-coverage curve: the share of answers kept, the surest first, and the share of these
            that is wrong; empty where there is no confidence.
        risk_area: the area under that curve (AURC), the lower the better; None where there is no confidence.
    """

    kind: Kind
    gold: tuple[Any, ...]
    predicted: tuple[Any, ...]
    scores: np.ndarray
    right: np.ndarray
    words: tuple[tuple[str, ...], ...] = ()
    groups: tuple[Group, ...] = ()
    confusion: tuple[tuple[str, str, int], ...] = ()
    calibration: tuple[Bin, ...] = ()
    coverage: tuple[tuple[float, float], ...] = ()
    risk_area: float | None = None


def answers_of(result: Result, dev: bool = False) -> Answers | None:
    """The answers of a run, or those to dev; None where they are neither labels, tags nor texts.

    Raises:
        NlpipeError: a file of the run is missing or damaged.
    """
    gold, predictions = result.predictions() if not dev else _dev(result)
    if isinstance(gold, Labels):
        return _with_coverage(_labels(gold, predictions), predictions)
    if isinstance(gold, LabelSets):
        return _with_coverage(_label_sets(gold, predictions), predictions)
    if isinstance(gold, Tags):
        metrics = metrics_of(read_scoring(result.folder))
        marked = any(metric.name == "entities" for metric in metrics)
        return _with_coverage(_tags(gold, predictions, marked), predictions)
    if isinstance(gold, Text) and (task := task_of(read_scoring(result.folder))).capability is not None:
        return _probabilities(gold, predictions, task)
    if isinstance(gold, Text):
        return _texts(gold, predictions, result, dev)
    return None


def joined(parts: Sequence[Answers]) -> Answers:
    """The answers of the folds of a cross-validation as those of one run."""
    if len(parts) == 1:
        return parts[0]
    counts: list[Counter[str]] = [Counter(), Counter(), Counter()]
    pairs: Counter[tuple[str, str]] = Counter()
    for part in parts:
        for group in part.groups:
            for count, number in zip(counts, (group.gold, group.predicted or 0, group.right), strict=True):
                count[group.name] += number
        for one, other, number in part.confusion:
            pairs[one, other] += number
    return Answers(
        parts[0].kind, tuple(item for part in parts for item in part.gold),
        tuple(item for part in parts for item in part.predicted), np.concatenate([part.scores for part in parts]),
        np.concatenate([part.right for part in parts]), tuple(words for part in parts for words in part.words),
        groups_of(*counts), tuple((one, other, number) for (one, other), number in sorted(pairs.items())),
    )  # fmt: skip


def _with_coverage(answers: Answers, predictions: AnyPredictions) -> Answers:
    """With the risk-coverage curve, where the answers have a confidence."""
    confidence = predictions.confidence
    if confidence is None or not len(confidence):
        return answers
    wrong = 1.0 - answers.right
    kept, risk = risk_coverage(confidence, wrong)
    shown = np.unique(np.linspace(0, len(kept) - 1, min(POINTS, len(kept))).round().astype(int))
    points = tuple((float(kept[i]), float(risk[i])) for i in shown)
    return replace(answers, coverage=points, risk_area=area(confidence, wrong))


def _dev(result: Result) -> tuple[Wire, AnyPredictions]:
    task = task_of(read_scoring(result.folder))
    return read_answers(result.folder / "predictions_dev.jsonl", task)


def _labels(gold: Labels, predictions: AnyPredictions) -> Answers:
    wanted, answered = tuple(gold.values), tuple(predictions.values.values)
    right = np.array([one == other for one, other in zip(wanted, answered, strict=True)])
    pairs = Counter(zip(wanted, answered, strict=True))
    both = Counter({one: count for (one, other), count in pairs.items() if one == other})
    calibration = () if predictions.probabilities is None else _bins(np.asarray(predictions.probabilities), right)
    return Answers(
        "labels", wanted, answered, right.astype(float), right,
        groups=groups_of(Counter(wanted), Counter(answered), both),
        confusion=tuple((one, other, count) for (one, other), count in sorted(pairs.items())), calibration=calibration,
    )  # fmt: skip


def _label_sets(gold: LabelSets, predictions: AnyPredictions) -> Answers:
    wanted, answered = ([tuple(labels) for labels in sets.values] for sets in (gold, predictions.values))
    pairs = list(zip(wanted, answered, strict=True))
    right = np.array([one == other for one, other in pairs], dtype=bool)
    alike = [len({*one} & {*other}) / len({*one, *other}) if one or other else 1.0 for one, other in pairs]
    groups = groups_of_sets(wanted, answered)
    return Answers("sets", tuple(wanted), tuple(answered), np.array(alike), right, groups=groups)


def _bins(probabilities: np.ndarray, right: np.ndarray) -> tuple[Bin, ...]:
    """Groups of about equally many answers, the least sure first."""
    confidence = probabilities.max(axis=1)
    parts = np.array_split(np.argsort(confidence, kind="stable"), min(BINS, len(confidence)))
    return tuple(
        Bin(float(confidence[part].mean()), float(right[part].mean()), len(part)) for part in parts if len(part)
    )


def _tags(gold: Tags, predictions: AnyPredictions, marked: bool) -> Answers:
    assert gold.tokens is not None
    words = tuple(tuple(sentence) for sentence in gold.tokens.words)
    if marked:
        wanted: list[Any] = [tuple(strict_spans(tags)) for tags in gold.values]
        answered: list[Any] = [tuple(strict_spans(tags)) for tags in predictions.values.values]
        scores = np.array([_overlap(one, other) for one, other in zip(wanted, answered, strict=True)])
        groups = of_entities(gold, predictions).groups
    else:
        wanted = [tuple(tags) for tags in gold.values]
        answered = [tuple(tags) for tags in predictions.values.values]
        scores = np.array([
            sum(a == b for a, b in zip(one, other, strict=True)) / max(1, len(one))
            for one, other in zip(wanted, answered, strict=True)
        ])  # fmt: skip
        groups = of_tags(gold, predictions).groups
    right = np.array([one == other for one, other in zip(wanted, answered, strict=True)])
    return Answers("entities" if marked else "tags", tuple(wanted), tuple(answered), scores, right, words, groups)


def _overlap(gold: Sequence[Any], predicted: Sequence[Any]) -> float:
    """F1 of the entities of a sentence; 1 where there are none on either side."""
    if not gold and not predicted:
        return 1.0
    return 2 * len(set(gold) & set(predicted)) / (len(gold) + len(predicted))


def _texts(gold: Text, predictions: AnyPredictions, result: Result, dev: bool) -> Answers:
    wanted, answered = tuple(gold.strings), tuple(predictions.values.strings)
    right = np.array([one.strip() == other.strip() for one, other in zip(wanted, answered, strict=True)])
    scores = right.astype(float)
    for metric in metrics_of(read_scoring(result.folder)):
        if "chrf" in metric.definitions:
            stored = None if dev else read_items(result.folder / "items.safetensors", metric.name)
            items = metric.statistics(gold, predictions) if stored is None else stored
            if isinstance(items, np.ndarray) and len(items) == len(wanted):
                scores = metric.scores(items)["chrf"] / 100
    return Answers("texts", wanted, answered, scores, right)


def _probabilities(gold: Text, predictions: AnyPredictions, task: Task) -> Answers:
    metric, name = task.deciding(())
    values = metric.scores(metric.statistics(gold, predictions))[name]  # (n,)
    answered = tuple(round(float(value), 3) for value in values)
    return Answers("probabilities", tuple(gold.strings), answered, -values, np.zeros(len(values), dtype=bool))
