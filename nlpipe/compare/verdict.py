"""The verdict of a comparison: the cheapest pipeline that is not worse than the best by more than a tolerance.

Every sentence is made from the evidence and the costs, and from nothing else. All sentences are in this file, so that
they can be read one after another, as a person reads them below the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.compare.evidence import Evidence
from nlpipe.compare.question import COSTS, Candidate, Question, known_costs, significant

AS_CHEAP = 1.1
"""Costs up to this many times the smallest count as equal to it, as a measurement is not more exact."""


@dataclass(frozen=True)
class Verdict:
    """The answer to a question, with everything that it rests on.

    Args:
        chosen: the name of the cheapest pipeline that qualifies; None where there is none.
        sentences: the answer and its reasons, the answer first.
        qualifies: names of all pipelines that are shown to be within the tolerance.
        tie: names of those that are not shown to be worse than another.
        curve: from which tolerance on which pipeline is the cheapest that qualifies.
    """

    question: Question
    candidates: tuple[Candidate, ...]
    evidence: Evidence | None
    chosen: str | None
    sentences: tuple[str, ...]
    qualifies: tuple[str, ...] = ()
    tie: tuple[str, ...] = ()
    curve: tuple[tuple[float, str], ...] = ()

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def bound(self, name: str) -> float | None:
        """What the pipeline called ``name`` may lose to the best at most; None where there is no evidence of it."""
        names = [candidate.name for candidate in self.candidates]
        if self.evidence is None or name not in names:
            return None
        return float(self.evidence.bounds[names.index(name)])

    def record(self) -> dict[str, Any]:
        """The content of ``verdict.json``."""
        question = self.question
        record: dict[str, Any] = {
            "chosen": self.chosen, "sentences": list(self.sentences), "metric": question.metric,
            "unit": question.unit, "tolerance": question.tolerance, "cost": question.cost, "budget": question.budget,
            "qualifies": list(self.qualifies), "not_shown_worse": list(self.tie),
            "curve": [{"tolerance": tolerance, "pipeline": name} for tolerance, name in self.curve],
        }  # fmt: skip
        if self.evidence is None:
            return record
        evidence = self.evidence
        record["items"] = evidence.items
        record["pipelines"] = [
            {
                "name": candidate.name, "score": question.reported(evidence.scores[i]),
                "interval": sorted(question.reported(end) for end in evidence.intervals[i]),
                "may_lose": float(evidence.bounds[i]), "shown_to_lose": float(evidence.least_losses[i]),
                "seeds": int(evidence.seeds[i]),
                "seed_luck_unknown": bool(evidence.unknown[i]), "added": candidate.added,
                "costs": known_costs(candidate.costs),
            }
            for i, candidate in enumerate(self.candidates)
        ]  # fmt: skip
        record["differences"] = [
            {
                "better": self.candidates[j].name, "worse": self.candidates[i].name,
                "difference": float(evidence.difference[j, i]), "low": evidence.interval(j, i)[0],
                "high": evidence.interval(j, i)[1], "shown": bool(evidence.different[j, i]),
                "detectable": evidence.detectable(j, i),
            }
            for j in range(len(self.candidates)) for i in range(len(self.candidates))
            if (evidence.difference[j, i], -j) > (evidence.difference[i, j], -i)
        ]  # fmt: skip
        return record


def decide(question: Question, candidates: Sequence[Candidate], evidence: Evidence | None) -> Verdict:
    """The verdict on pipelines of which at least one has a score.

    Args:
        candidates: in the order of the evidence.
        evidence: None where one item, or one fold, is all that was answered.
    """
    if evidence is None:
        return Verdict(question, tuple(candidates), None, None, ("No verdict: one item, or one fold, shows nothing.",))
    return _Judge(question, tuple(candidates), evidence).verdict()


class _Judge:
    """Puts the parts of a verdict together.

    Numbers i and j stand for pipelines in the order of the candidates.
    """

    def __init__(self, question: Question, candidates: tuple[Candidate, ...], evidence: Evidence) -> None:
        self.question, self.candidates = question, candidates
        self.cost = COSTS[question.cost]
        self.costs = [self.cost.of(candidate.costs) for candidate in candidates]
        self.over = [self._over_budget(candidate) for candidate in candidates]
        self.fits = np.array([not text for text in self.over])
        self.all = evidence
        inside = np.flatnonzero(self.fits)
        self.bounds = np.full(len(candidates), np.inf)  # against the best of those within the budget
        if len(inside):
            losses = evidence.losses()[np.ix_(inside, inside)]
            self.bounds[inside] = np.maximum(0.0, losses.max(axis=0))
        self.leader = int(evidence.scores.argmax())

    def name(self, i: int) -> str:
        """The pipeline's name, marked if it was added."""
        candidate = self.candidates[i]
        return f"{candidate.name} (the added baseline)" if candidate.added else candidate.name

    def verdict(self) -> Verdict:
        """All sentences, and what they say as data."""
        tolerance = self.question.tolerance
        chosen = self._cheapest(tolerance)
        qualifies = [i for i in range(len(self.candidates)) if self.bounds[i] <= tolerance]
        tie = [i for i in range(len(self.candidates)) if not self.all.not_best[i]]
        sentences = [
            *self._answer(chosen, qualifies),
            *self._scope(chosen),
            *self._over_the_budget(),
            *self._dearer(chosen),
            *self._open(chosen),
            *self._tie(tie),
            *self._baselines(),
            *self._alike(),
            *self._curve_sentence(),
            *self._bias(tie),
            *(candidate.failed for candidate in self.candidates if candidate.failed),
        ]
        return Verdict(
            self.question, self.candidates, self.all,
            None if chosen is None else self.candidates[chosen].name, tuple(sentences),
            tuple(self.candidates[i].name for i in qualifies), tuple(self.candidates[i].name for i in tie),
            tuple((tolerance, self.candidates[i].name) for tolerance, i in self._curve()),
        )  # fmt: skip

    def _over_budget(self, candidate: Candidate) -> str:
        """Which costs of the pipeline are over the budget, or not known; empty if it fits."""
        faults = []
        for name, most in self.question.budget.items():
            cost = COSTS[name]
            value = cost.of(candidate.costs)
            if value is None:
                faults.append(f"{cost.words} not measured")
            elif value > most:
                faults.append(f"{cost.words} {cost.text(value)}, the budget is {cost.text(most)}")
        return "; ".join(faults)

    def _cheapest(self, tolerance: float) -> int | None:
        """The cheapest of those whose bound is within ``tolerance``; of those as cheap, the one with the best score."""
        known = [(cost, i) for i, cost in enumerate(self.costs) if cost is not None and self.bounds[i] <= tolerance]
        if not known or len(self.candidates) < 2:
            return None
        least = min(cost for cost, _ in known)
        return max((i for cost, i in known if cost <= AS_CHEAP * least), key=lambda i: self.all.scores[i])

    def _answer(self, chosen: int | None, qualifies: list[int]) -> list[str]:
        question, amount = self.question, self.question.amount
        of_whom = "of those within the budget" if question.budget else "of all"
        if len(self.candidates) < 2:
            return ["No verdict: there is one pipeline with a score, and nothing to compare it with."]
        if not self.fits.any():
            return ["No verdict: no pipeline is within the budget."]
        if chosen is None and qualifies:
            names = _listed([self.name(i) for i in qualifies])
            return [
                f"No verdict: {names} would qualify, but the {self.cost.words} was not measured, so that no cheapest "
                "can be named."
            ]
        if chosen is None:
            closest = int(self.bounds.argmin())
            return [
                f"No verdict: no pipeline is shown to be within {question.tolerance_text} of the best {of_whom}. The "
                f"nearest to it is {self.name(closest)}, which may lose {amount(self.bounds[closest])}."
            ]
        text = (
            f"{self.name(chosen)} is the cheapest pipeline that is shown to be within {question.tolerance_text} of the "
        )
        text += f"best {of_whom}: it may lose at most {amount(self.bounds[chosen])}. Its {self.cost.words} is "
        text += f"{self.cost.text(self.costs[chosen] or 0.0)}, its score {self._score(chosen)}"
        return [text + (", which is the best." if chosen == self.leader else ".")]

    def _scope(self, chosen: int | None) -> list[str]:
        """Whether other seeds could change the answer."""
        if self.all.folds:
            repeated = "" if self.all.items == self.all.folds else f", {self.all.items} in all"
            return [
                f"This rests on {self.all.folds} folds{repeated}, which share training examples: their variance is "
                "corrected for it (Nadeau and Bengio 2003), so that all bounds are approximate."
            ]
        unknown = [self.name(int(i)) for i in np.flatnonzero(self.all.unknown)]
        if not unknown:
            lucky = self.all.seeds[self.all.seeds > 1]
            if not len(lucky):
                return []
            seeds = f"{lucky.min()} to {lucky.max()}" if lucky.min() < lucky.max() else f"{lucky.min()}"
            return [
                f"This is about the recipes, whatever the seed: pipelines that use one were run with {seeds} seeds."
            ]
        were = "was" if len(unknown) == 1 else "were"
        text = (
            f"This is about these trained models, not about the recipes: {_listed(unknown)} {were} run with one seed."
        )
        if chosen is not None:
            deviation = self.all.tipping_deviation(chosen, self.question.tolerance)
            if deviation is not None:
                text += (
                    f" If scores vary from seed to seed by a standard deviation of more than "
                    f"{self.question.amount(deviation)}, {self.name(chosen)} no longer qualifies."
                )
        return [text]

    def _over_the_budget(self) -> list[str]:
        parts = [f"{self.name(i)} ({text})" for i, text in enumerate(self.over) if text]
        if not parts:
            return []
        text = f"Not within the budget: {_listed(parts)}."
        inside = np.flatnonzero(self.fits)
        if len(inside) and not self.fits[self.leader]:
            best = int(inside[self.all.scores[inside].argmax()])
            text += f" What the budget costs: {self._difference(self.leader, best)}."
        return [text]

    def _score(self, i: int) -> str:
        """A score as it is reported; those of which a smaller one is better have the other sign in the evidence."""
        return self.question.amount(self.question.reported(self.all.scores[i]))

    def _difference(self, j: int, i: int) -> str:
        """How much better j scores than i."""
        amount = self.question.amount
        low, high = self.all.interval(j, i)
        shown = "" if self.all.different[j, i] else ", not shown to be different"
        return (
            f"{self.name(j)} scores {amount(self.all.difference[j, i])} better than {self.name(i)} "
            f"(95 % interval {amount(low)} to {amount(high)}{shown})"
        )

    def _dearer(self, chosen: int | None) -> list[str]:
        """What the next dearer pipelines with a better score would buy."""
        if chosen is None or (base := self.costs[chosen]) is None:
            return []
        sentences: list[str] = []
        best = self.all.scores[chosen]
        dearer = [(cost, i) for i, cost in enumerate(self.costs) if cost is not None and cost > base and self.fits[i]]
        for cost, i in sorted(dearer):
            if self.all.scores[i] > best and len(sentences) < 3:
                best = self.all.scores[i]
                times = f"{significant(cost / base)} times the {self.cost.words}" if base > 0 else self.cost.text(cost)
                sentences.append(f"Dearer: {self._difference(i, chosen)}, for {times} ({self.cost.text(cost)}).")
        return sentences

    def _open(self, chosen: int | None) -> list[str]:
        """Cheaper pipelines that neither qualify nor are shown to lose more than the tolerance, and what would tell."""
        tolerance, amount = self.question.tolerance, self.question.amount
        limit = np.inf if chosen is None else self.costs[chosen]
        sentences = []
        for i, cost in enumerate(self.costs):
            cheaper = cost is None or limit is None or cost < limit
            if not self.fits[i] or self.bounds[i] <= tolerance or not cheaper or len(self.candidates) < 2:
                continue
            j = self.all.rival(i)
            if self.all.least_losses[i] > tolerance:
                continue
            detectable = amount(self.all.detectable(j, i))
            text = (
                f"Cannot tell whether {self.name(i)} is within the tolerance: it may lose up to "
                f"{amount(self.bounds[i])}, or nothing; the smallest difference to {self.name(j)} that is found in "
                f"80 % of such comparisons is {detectable}. "
            )
            items = self.all.items_needed(i, tolerance)
            if self.all.folds:
                text += "Further labelled examples would tell more than further folds."
            elif np.isfinite(items):
                text += f"If the two are equal, about {_rounded_up(items):,} items would settle it."
            else:
                seeds = self.all.seeds_needed(i, tolerance)
                text += (
                    "No number of items settles it, as scores vary too much from seed to seed; "
                    f"about {_rounded_up(seeds):,} seeds of each would leave room for the tolerance."
                )
            sentences.append(text)
        return sentences

    def _tie(self, tie: list[int]) -> list[str]:
        if len(self.candidates) < 2:
            return []
        worse = [int(i) for i in np.flatnonzero(self.all.not_best)]
        sentences = []
        if worse:
            parts = [f"{self.name(i)} (loses at least {self.question.amount(self.all.least_losses[i])})" for i in worse]
            sentences.append(f"Shown not to be the best: {_listed(parts)}.")
        if len(tie) == 1:
            sentences.append(f"{self.name(tie[0])} is shown to be the best.")
        else:
            sentences.append(f"Not shown to be worse than another: {_listed([self.name(i) for i in tie])}.")
        return sentences

    def _baselines(self) -> list[str]:
        """Neural pipelines that a classical one is shown to beat, or scores at least as well as."""
        classical = [i for i, candidate in enumerate(self.candidates) if candidate.neural is False]
        if not classical:
            return []
        base = max(classical, key=lambda i: self.all.scores[i])
        sentences = []
        for i, candidate in enumerate(self.candidates):
            if candidate.neural and self.all.difference[base, i] > 0:
                sentences.append(f"A neural network is behind its classical baseline: {self._difference(base, i)}.")
        return sentences

    def _alike(self) -> list[str]:
        """Pipelines that answered every item alike."""
        groups: list[list[int]] = []
        for i in range(len(self.candidates)):
            for group in groups:
                if self.all.variance[group[0], i] == 0 and self.all.difference[group[0], i] == 0:
                    group.append(i)
                    break
            else:
                groups.append([i])
        return [
            f"{_listed([self.name(i) for i in group])} score the same on every item."
            for group in groups
            if len(group) > 1
        ]

    def _curve(self) -> list[tuple[float, int]]:
        """From which tolerance on which pipeline is the cheapest that qualifies."""
        steps: list[tuple[float, int]] = []
        for bound in sorted({float(bound) for bound in self.bounds if np.isfinite(bound)}):
            cheapest = self._cheapest(bound)
            if cheapest is not None and (not steps or steps[-1][1] != cheapest):
                steps.append((bound, cheapest))
        return steps

    def _curve_sentence(self) -> list[str]:
        steps = self._curve()
        if not steps:
            return []
        parts = [f"from {self.question.amount(bound)} {self.name(i)}" for bound, i in steps]
        return [f"By tolerance, the cheapest that qualifies: {', '.join(parts)}."]

    def _bias(self, tie: list[int]) -> list[str]:
        if len(tie) < 2 or self.all.bias <= 0:
            return []
        return [
            f"The best score of {len(self.candidates)} looks better than it is: if all were equal, the best of them "
            f"would show {self.question.amount(self.all.bias)} too much."
        ]


def _rounded_up(value: float) -> int:
    """Two significant digits, upwards."""
    unit: int = 10 ** max(0, len(str(int(value))) - 2)
    return math.ceil(value / unit) * unit


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
