"""What ``nlpipe errors`` says of a run, as data: wrong answers, what is taken for what, and groups of examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Mistake:
    """A wrong answer.

    Args:
        line: of ``predictions.jsonl``, from 1.
        text: the input; empty where the data cannot be read.
        gold: the label, the entities or words that were tagged wrongly, or the text, that was wanted.
        predicted: what was answered in its place.
        value: see ``Mistakes.measure``; None where there is none.
    """

    line: int
    id: str
    text: str
    gold: str
    predicted: str
    value: float | None


@dataclass(frozen=True)
class Confusion:
    """What was taken for what.

    Args:
        gold: a label, tag or type; empty where there is no entity.
        predicted: likewise.
        same_words: of entities: whether both have the same words.
    """

    gold: str
    predicted: str
    count: int
    same_words: bool = True


@dataclass(frozen=True)
class Group:
    """A label, a type of entity, or the texts of some length.

    Args:
        gold: how many there are.
        predicted: how many were answered; None for texts.
        right: how many of those are right.
        score: F1 in [0, 1]; of texts chrF in [0, 100].
    """

    name: str
    gold: int
    predicted: int | None
    right: int
    score: float


@dataclass(frozen=True)
class Kind:
    """A kind of mistake in texts (empty, copied, too short …), and the number of texts that have it."""

    what: str
    count: int


@dataclass(frozen=True)
class Mistakes:
    """Where the answers of a run are wrong.

    Args:
        examples: how many were answered.
        wrong: examples whose answer is not entirely right.
        measure: what the worst answers are ordered by.
        worst: the wrong answers, the worst first.
        confusions: the most frequent first; none for texts.
        groups: of labels and types, the lowest score first; of texts, the shortest references first.
        kinds: kinds of mistake in texts, the most frequent first.
        note: why the inputs are not shown; empty where they are.
    """

    run: Path
    name: str
    data: str
    split: str
    examples: int
    wrong: int
    measure: str
    worst: tuple[Mistake, ...]
    confusions: tuple[Confusion, ...] = ()
    groups: tuple[Group, ...] = ()
    kinds: tuple[Kind, ...] = ()
    note: str = ""

    def plain(self, limit: int | None = None) -> dict[str, Any]:
        """As JSON has it, with the ``limit`` worst answers."""
        return {**asdict(self), "run": str(self.run), "worst": [asdict(each) for each in self.worst[:limit]]}


Wrong = tuple[int, float | None, str, str]
"""A wrong answer: its index, its value (see ``Mistakes.measure``), what was wanted, what was answered."""


@dataclass(frozen=True)
class Found:
    """What the search of a kind of answers gives; see ``Mistakes``."""

    measure: str
    worst: tuple[Wrong, ...]
    confusions: tuple[Confusion, ...] = ()
    groups: tuple[Group, ...] = ()
    kinds: tuple[Kind, ...] = ()


def confusions_of(pairs: Counter[tuple[str, str, bool]]) -> tuple[Confusion, ...]:
    """The most frequent first; each pair is gold, predicted, and whether both have the same words."""
    ordered = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Confusion(gold, predicted, count, same) for (gold, predicted, same), count in ordered)


def groups_of_sets(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> tuple[Group, ...]:
    """As ``groups_of``, of the labels of texts that have any number of them."""
    counts = [Counter(label for labels in sets for label in labels) for sets in (gold, predicted)]
    right = Counter(label for one, other in zip(gold, predicted, strict=True) for label in set(one) & set(other))
    return groups_of(counts[0], counts[1], right)


def groups_of(gold: Counter[str], predicted: Counter[str], right: Counter[str]) -> tuple[Group, ...]:
    """Labels or types by how often each is gold, predicted, and right; the lowest F1 first."""
    groups = [
        Group(name, gold[name], predicted[name], right[name], 2 * right[name] / (gold[name] + predicted[name]))
        for name in gold.keys() | predicted.keys()
    ]
    return tuple(sorted(groups, key=lambda group: (group.score, -group.gold, group.name)))
