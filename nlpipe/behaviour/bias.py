"""How much a pipeline's answers shift with the group of people that a sentence is about.

The sentences are equal but for the word for the person. The score of a word is its mean over all templates; a group's
shift is the mean score of its words less that of the words of the other groups. The words stand for more words of their
group, so that the interval is Student's over words: Welch's where groups have words of their own, that of paired
differences where each word has a counterpart in each group. The templates are taken as they are. After the Equity
Evaluation Corpus (Kiritchenko and Mohammad 2018, "Examining Gender and Race Bias in Two Hundred Sentiment Analysis
Systems").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.behaviour.probe import Groups, Probe
from nlpipe.errors import NlpipeError, suggest
from nlpipe.pipeline import Pipeline
from nlpipe.wire import Labels, LabelSets, Tags, Text

ALPHA = 0.05
"""Probability that any of the intervals misses its value (Bonferroni)."""
MOST_LABELS = 5
"""Labels that are looked at one by one without being asked for."""
NOISE = 1e-12
"""Standard deviation of scores that is rounding alone."""


@dataclass(frozen=True)
class Shift:
    """The shift of one group.

    Args:
        comparison: the name of the comparison.
        group: the group.
        against: the others: one group, or ``the others``.
        what: the score: ``p(LABEL)``, ``LABEL`` where there are no probabilities, or ``found``.
        mean: mean score of the group's words, in [0, 1].
        shift: that less the mean score of the others' words.
        low: of the interval; all intervals of a report hold together with 95 %.
        high: of the interval.
        words: score of each word of the group.
    """

    comparison: str
    group: str
    against: str
    what: str
    mean: float
    shift: float
    low: float
    high: float
    words: Mapping[str, float]

    @property
    def is_shown(self) -> bool:
        """Whether the interval is on one side of 0, by more than rounding."""
        return self.low > NOISE or self.high < -NOISE

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "comparison": self.comparison, "group": self.group, "against": self.against, "what": self.what,
            "mean": self.mean, "shift": self.shift, "low": self.low, "high": self.high, "shown": self.is_shown,
            "words": dict(self.words),
        }  # fmt: skip


def shifts(probe: Probe, pipeline: Pipeline, label: str = "") -> list[Shift]:
    """The shift of every group; of two groups only the first, since the other's is the same with the other sign.

    Args:
        label: whose probability is looked at, or for tagging the type of entity that a name should be; by default every
            label (of two the last), and any type.

    Raises:
        NlpipeError: the pipeline answers with texts, has no such label, or too many of them.
    """
    comparisons = list(probe.comparisons)
    if pipeline.task.target is Text:
        raise NlpipeError("this probe compares labels or entities, and this pipeline answers with texts")
    if pipeline.task.target is Tags:
        comparisons = [groups for groups in comparisons if groups.names]
        if not comparisons:
            raise NlpipeError("no comparison of this probe has names: true, and this pipeline finds names in texts")
    words = list(dict.fromkeys(word for groups in comparisons for listed in groups.words.values() for word in listed))
    scores = _scores(probe, pipeline, words, label)
    rows = [(groups, group) for groups in comparisons for group in _rows(groups)]
    level = 1.0 - ALPHA / (len(rows) * len(scores))
    return [_shift(groups, group, what, of_word, level) for what, of_word in scores.items() for groups, group in rows]


def _rows(groups: Groups) -> list[str]:
    names = list(groups.words)
    return names[:1] if len(names) == 2 else names


def _scores(probe: Probe, pipeline: Pipeline, words: list[str], label: str) -> dict[str, dict[str, float]]:
    """What is scored to the mean over the templates for each word, in [0, 1]."""
    texts = [text for word in words for text in probe.texts(word)]
    answers = pipeline.predict([text.text for text in texts])
    shape = (len(words), len(probe.templates))
    if isinstance(answers.values, Tags):
        found = np.zeros(len(texts))
        for i, (text, entities) in enumerate(zip(texts, answers.entities, strict=True)):
            found[i] = any(
                (start, end) == text.spans["person"] and label in ("", kind) for start, end, kind in entities
            )
        means = {f"found as {label}" if label else "found": found.reshape(shape).mean(axis=1)}
    else:
        assert isinstance(answers.values, Labels | LabelSets)
        given = [{own} if isinstance(own, str) else set(own) for own in answers.values.values]
        classes = answers.classes or tuple(sorted(set().union(*given)))
        labels = _labels(classes, label)
        if answers.probabilities is not None:
            columns = {f"p({name})": answers.probabilities[:, answers.classes.index(name)] for name in labels}
        else:
            columns = {name: np.array([float(name in own) for own in given]) for name in labels}
        means = {name: column.reshape(shape).mean(axis=1) for name, column in columns.items()}
    return {name: dict(zip(words, column.tolist(), strict=True)) for name, column in means.items()}


def _labels(classes: tuple[str, ...], label: str) -> tuple[str, ...]:
    if label:
        if label not in classes:
            raise NlpipeError(f"--label: the pipeline has no label '{label}'{suggest(label, classes)}")
        return (label,)
    if len(classes) > MOST_LABELS:
        raise NlpipeError(f"--label: the pipeline has {len(classes)} labels; name the one to look at")
    return classes[-1:] if len(classes) <= 2 else classes


def _shift(groups: Groups, group: str, what: str, of_word: Mapping[str, float], level: float) -> Shift:
    scores = {name: np.array([of_word[word] for word in listed]) for name, listed in groups.words.items()}
    others = [name for name in scores if name != group]
    own = scores[group]
    if groups.paired:
        rest = np.mean([scores[name] for name in others], axis=0)
        low, high = paired_interval(own - rest, level)
    else:
        rest = np.concatenate([scores[name] for name in others])
        low, high = welch_interval(own, rest, level)
    return Shift(
        groups.name, group, others[0] if len(others) == 1 else "the others", what, float(own.mean()),
        float(own.mean() - rest.mean()), low, high, {word: of_word[word] for word in groups.words[group]},
    )  # fmt: skip


def welch_interval(one: np.ndarray, other: np.ndarray, level: float) -> tuple[float, float]:
    """Of the difference of the means of two samples, of at least two values each (Welch 1947)."""
    parts = np.array([one.var(ddof=1) / len(one), other.var(ddof=1) / len(other)])
    variance = float(parts.sum())
    squares = parts**2 / [len(one) - 1, len(other) - 1]
    freedom = variance**2 / float(squares.sum()) if variance > NOISE**2 else 1.0
    return _interval(float(one.mean() - other.mean()), variance, freedom, level)


def paired_interval(differences: np.ndarray, level: float) -> tuple[float, float]:
    """Of the mean of ``differences``, at least two (Student 1908)."""
    variance = float(differences.var(ddof=1)) / len(differences)
    return _interval(float(differences.mean()), variance, len(differences) - 1.0, level)


def _interval(centre: float, variance: float, freedom: float, level: float) -> tuple[float, float]:
    """Student's interval; a point where the scores do not vary."""
    from scipy.stats import t

    if variance <= NOISE**2:
        return centre, centre
    half = float(t.ppf(0.5 + level / 2, freedom)) * variance**0.5
    return centre - half, centre + half
