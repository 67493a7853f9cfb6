"""Carries out a suite on a pipeline: which cases fail, and how often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nlpipe.behaviour.changes import CHANGES
from nlpipe.behaviour.suite import BehaviourTest, Case, Suite
from nlpipe.errors import NlpipeError, suggest
from nlpipe.pipeline import Pipeline
from nlpipe.predictions import AnyPredictions
from nlpipe.wire import Labels, LabelSets, Tags, Text

NO_LABELS = "no labels"
"""How suites write an answer of several labels that has none."""


@dataclass(frozen=True)
class Failure:
    """A case that failed.

    Args:
        texts: what was asked: one text of an MFT, else the first and the first of its changed forms that failed.
        answers: of each text.
        expected: in words.
    """

    texts: tuple[str, ...]
    answers: tuple[str, ...]
    expected: str


@dataclass(frozen=True)
class Outcome:
    """What became of one test.

    Args:
        cases: how many were judged; those that a change left as they are are not.
        failures: those that failed, in order.
    """

    name: str
    kind: str
    cases: int
    failures: tuple[Failure, ...]

    @property
    def failure_rate(self) -> float | None:
        """In [0, 1]; None where no case could be judged."""
        return len(self.failures) / self.cases if self.cases else None

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        failures = [
            {"texts": list(failure.texts), "answers": list(failure.answers), "expected": failure.expected}
            for failure in self.failures
        ]
        return {
            "name": self.name, "kind": self.kind, "cases": self.cases, "failed": len(failures),
            "failure_rate": self.failure_rate, "failures": failures,
        }  # fmt: skip


def check(suite: Suite, pipeline: Pipeline, test_texts: Callable[[], Sequence[str]]) -> list[Outcome]:
    """The outcome of each test.

    Args:
        test_texts: gives the test texts of the run's data, for tests that change those.

    Raises:
        NlpipeError: a test cannot be carried out with this pipeline: it expects a label that it does not know, compares
            probabilities that it does not give, or is not for its task.
    """
    return [_outcome(test, pipeline, test_texts) for test in suite.tests]


def _outcome(test: BehaviourTest, pipeline: Pipeline, test_texts: Callable[[], Sequence[str]]) -> Outcome:
    cases = test.cases
    if test.sample:
        change = CHANGES[test.change]
        cases = tuple(Case((text, change(text)), {}) for text in test_texts()[: test.sample])
    if test.change:
        cases = tuple(case for case in cases if len(set(case.texts)) > 1)
    texts = [text for case in cases for text in case.texts]
    if not texts:
        return Outcome(test.name, test.kind, 0, ())
    answers = pipeline.predict(texts)
    _check_task(test, answers)
    failures, start = [], 0
    for case in cases:
        failure = _judge(test, case, answers, start)
        if failure is not None:
            failures.append(failure)
        start += len(case.texts)
    return Outcome(test.name, test.kind, len(cases), tuple(failures))


def _check_task(test: BehaviourTest, answers: AnyPredictions) -> None:
    values = answers.values
    if test.kind == "INV" and isinstance(values, Text):
        raise NlpipeError(f"{test.place}: INV compares labels or entities, and this pipeline answers with texts")
    if test.kind == "DIR" and answers.probabilities is None:
        raise NlpipeError(f"{test.place}: DIR compares probabilities of labels, and this pipeline gives none")
    if (test.entities is not None) != isinstance(values, Tags) and test.kind == "MFT":
        way = "expect: {slot: TYPE}" if isinstance(values, Tags) else "expect: ANSWER"
        raise NlpipeError(f"{test.place}: this pipeline gives {type(values).__name__.lower()}; write {way}")
    if test.kind == "DIR" and isinstance(values, LabelSets) and not test.label:
        raise NlpipeError(f"{test.place}: a text may have several labels; say the probability of which, label: LABEL")
    if isinstance(values, Labels | LabelSets) and answers.classes:
        named = [*test.accepted, *test.rejected, *([test.label] if test.label else [])]
        for label in named:
            if label not in answers.classes and not (isinstance(values, LabelSets) and label == NO_LABELS):
                raise NlpipeError(f"{test.place}: the pipeline has no label '{label}'{suggest(label, answers.classes)}")


def _judge(test: BehaviourTest, case: Case, answers: AnyPredictions, start: int) -> Failure | None:
    if test.kind == "MFT":
        return _judge_answer(test, case, answers, start)
    if test.kind == "INV":
        given = [_answer(answers, start + i, with_places=False) for i in range(len(case.texts))]
        other = next((i for i, answer in enumerate(given) if answer != given[0]), None)
        if other is None:
            return None
        return Failure((case.texts[0], case.texts[other]), (given[0], given[other]), "the same answer")
    assert answers.probabilities is not None
    label = test.label or str(answers.values.values[start])
    column = answers.classes.index(label)
    before, after = (float(answers.probabilities[start + i, column]) for i in range(2))
    change = after - before
    passed = {
        "higher": change >= test.tolerance,
        "lower": change <= -test.tolerance,
        "not higher": change <= test.tolerance,
        "not lower": change >= -test.tolerance,
    }[test.direction]
    if passed:
        return None
    return Failure(case.texts, (f"{before:.3f}", f"{after:.3f}"), f"p({label}) {test.direction}")


def _judge_answer(test: BehaviourTest, case: Case, answers: AnyPredictions, i: int) -> Failure | None:
    answer = _answer(answers, i, with_places=True)
    if test.entities is not None:
        found = answers.entities[i]
        expected = [(*case.spans[slot], kind) for slot, kind in test.entities.items()]
        missing = [(start, end, kind) for start, end, kind in expected if (start, end, kind) not in found]
        wanted = ", ".join(f"{case.texts[0][start:end]}/{kind}" for start, end, kind in missing)
        return Failure(case.texts, (answer,), wanted) if missing else None
    if isinstance(answers.values, Text):
        right = not test.accepted or any(part.casefold() in answer.casefold() for part in test.accepted)
        right = right and not any(part.casefold() in answer.casefold() for part in test.rejected)
    else:
        several = isinstance(answers.values, LabelSets)
        given = {*answers.values.values[i]} or {NO_LABELS} if several else {answer}
        right = (not test.accepted or bool(given & {*test.accepted})) and not given & {*test.rejected}
    if right:
        return None
    wanted = " or ".join(test.accepted) if test.accepted else f"not {' or '.join(test.rejected)}"
    return Failure(case.texts, (answer,), wanted)


def _answer(answers: AnyPredictions, i: int, with_places: bool) -> str:
    """The answer as text: the label or labels, the translation, or the entities (types alone, or with their words)."""
    values = answers.values
    if isinstance(values, Labels):
        return values.values[i]
    if isinstance(values, LabelSets):
        return ", ".join(values.values[i]) or NO_LABELS
    if isinstance(values, Text):
        return values.strings[i]
    assert isinstance(values, Tags) and values.tokens is not None
    if not with_places:
        return " ".join(kind for _, _, kind in answers.entities[i]) or "no entities"
    text = values.tokens.texts[i]
    return ", ".join(f"{text[start:end]}/{kind}" for start, end, kind in answers.entities[i]) or "no entities"
