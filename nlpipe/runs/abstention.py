"""The threshold below which a run's pipeline had better say that it is unsure, chosen on dev for a wanted accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlpipe.errors import NlpipeError
from nlpipe.metrics.selective import SHARES, Kept, candidates, items_needed, kept, widest
from nlpipe.pipeline.unsure import confidence_of
from nlpipe.predictions import AnyPredictions
from nlpipe.runs.records import read_environment
from nlpipe.runs.result import Result
from nlpipe.runs.score import read_answers, read_scoring, task_of
from nlpipe.wire import Labels, LabelSets, Tags, Wire


@dataclass(frozen=True)
class Abstention:
    """A threshold for a wanted accuracy, or why there is none.

    Args:
        accuracy: that the answers above the threshold are to have.
        level: probability with which the bound holds.
        what: the unit that is right or wrong, as messages call it: ``answers``, or ``texts`` whose tags or sets of
            labels are right as a whole.
        rule: when such a unit is right, as a sentence; empty where it needs none.
        tried: the thresholds that were tried on dev, the highest first.
        chosen: the one that keeps most answers and whose bound reaches the accuracy; None where no bound does.
        test: what it keeps of the test items; None where nothing was chosen, or the run answered dev alone.
        needed: about how many dev items would be needed; None where no threshold gives that accuracy.
        grouped: whether the items belong to groups and are not independent, as the bound assumes.
    """

    accuracy: float
    level: float
    what: str
    rule: str
    tried: tuple[Kept, ...]
    chosen: Kept | None
    test: Kept | None = None
    needed: int | None = None
    grouped: bool = False

    def lines(self) -> list[str]:
        """All of it, for people."""
        items, sure = self.tried[-1].total, f"{100 * self.level:g} %"
        if self.chosen is None:
            best = max((each for each in self.tried if each.count), key=lambda each: each.bound)
            lines = [
                f"no threshold: none of {len(SHARES)} on {items:,} dev items is shown to reach an accuracy of "
                f"{self.accuracy:g}",
                f"the highest bound is {best.bound:.4f}: the surest {best.coverage:.0%} of the {self.what}, "
                f"{best.right:,} of {best.count:,} right ({best.accuracy:.4f})",
            ]
            if self.needed is None:
                lines.append("no number of items would do: not even the surest answers are that often right")
            else:
                lines.append(f"about {self.needed:,} dev items would be needed, were the answers as good on them")
            return [*lines, f"note: {self.rule}"] if self.rule else lines
        chosen = self.chosen
        lines = [
            f"threshold {chosen.threshold:g}",
            f"dev: {chosen.count:,} of {chosen.total:,} {self.what} ({chosen.coverage:.1%}) reach it; "
            f"{chosen.right:,} of these are right ({chosen.accuracy:.4f})",
            f"bound: at least {chosen.bound:.4f} of such {self.what} are right (Clopper-Pearson, {sure} for the "
            f"{len(SHARES)} thresholds tried together)",
        ]
        if self.test is not None:
            test = self.test
            lines.append(
                f"test: {test.count:,} of {test.total:,} ({test.coverage:.1%}) reach it; {test.right:,} of these are "
                f"right ({test.accuracy:.4f})"
                if test.count
                else f"test: none of {test.total:,} reaches it"
            )
        notes = [self.rule] if self.rule else []
        notes.append("the bound is exact for unseen items; dev had a part in fitting, so that it is a little too high")
        if self.grouped:
            notes.append("the items belong to groups and are not independent, so that the bound is too high")
        return lines + [f"note: {note}" for note in notes]


def find_threshold(run: str | Path, accuracy: float, level: float = 0.95) -> Abstention:
    """The threshold that keeps most answers, of those whose lower bound on dev reaches ``accuracy``.

    Labels are right or wrong; the tags of a text are right where those of all its words are, and a set of labels where
    none is missing and none is wrong. Nothing is answered anew: dev and test answers are in the run's folder.

    The bound is exact for items that had no part in fitting. Dev items chose the epoch, the temperature of the
    probabilities or the thresholds of labels, so that it is a little too high; the answers to test tell how much.

    Args:
        run: the folder of a run.
        accuracy: share of right answers among those that are given, above 0 and below 1.
        level: probability with which the bound holds, above 0 and below 1.

    Raises:
        NlpipeError: a number is out of range; the folder is not that of a run, or a file is damaged; its answers are
            texts, or have no confidence.
    """
    for name, value in (("accuracy", accuracy), ("confidence", level)):
        if not 0 < value < 1:
            raise NlpipeError(f"{name}: invalid value {value:g}: expected a number above 0 and below 1, such as 0.95")
    folder = Path(run)
    environment = read_environment(folder)
    split = environment.get("split", "test")
    if split == "evaluation":
        raise NlpipeError(f"{folder}: this is an evaluation; a threshold is chosen on the dev answers of a run")
    if "answers" in environment:
        raise NlpipeError(f"{folder}: these are answers from elsewhere, to test alone; a threshold is chosen on dev")
    task = task_of(read_scoring(folder))
    dev = folder / ("predictions.jsonl" if split == "dev" else "predictions_dev.jsonl")
    gold, predictions = read_answers(dev, task)
    confidence = confidence_of(predictions, str(folder))
    right = right_of(gold, predictions, folder)
    if not len(right):
        raise NlpipeError(f"{dev}: there are no answers; a threshold is chosen on dev")
    tried = candidates(confidence, right, level)
    chosen = widest(tried, accuracy)
    test = None
    if chosen is not None and split == "test":
        gold, predictions = read_answers(folder / "predictions.jsonl", task)
        right = right_of(gold, predictions, folder)
        test = kept(confidence_of(predictions, str(folder)), right, chosen.threshold, level)
    needed = items_needed(tried, accuracy, level) if chosen is None else None
    grouped = any("group" in record for record in Result(folder).records())
    kind = {Tags: "tags", LabelSets: "labels"}.get(type(gold))
    rule = f"a text is right if all its {kind} are" if kind else ""
    what = "texts" if kind else "answers"
    return Abstention(accuracy, level, what, rule, tuple(tried), chosen, test, needed, grouped)


def right_of(gold: Wire, predictions: AnyPredictions, folder: Path) -> np.ndarray:
    """(N,) whether each answer is right.

    Raises:
        NlpipeError: they are texts, which are better or worse.
    """
    if not isinstance(gold, Labels | LabelSets | Tags):
        raise NlpipeError(f"{folder}: its answers are texts, which are not right or wrong: no accuracy can be wanted")
    pairs = zip(gold.values, predictions.values.values, strict=True)
    return np.array([wanted == answered for wanted, answered in pairs], dtype=bool)
