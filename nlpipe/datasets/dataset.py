"""A data set in memory: three splits of one task, with counts of what was dropped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nlpipe.tasks.task import Ledger, Split, Task


@dataclass(frozen=True)
class Dataset:
    """Train, dev and test examples of one task.

    Args:
        labels: the labels of the training split, in the card's order if it has one, otherwise sorted; empty for tasks
            without labels. If ``ordinal``, all labels of the card, so that ranks do not depend on the split.
        ordinal: whether the order of the labels has a meaning (stars).
        digest: hash of the three splits' content; part of a run's hash.
        ledger: counts of what reading and splitting dropped, by split name and ``all``.
        reading: how its files are read, as ``Card.reading`` gives it.
        made: names of the splits that the source lacks and that were taken from its training split.
    """

    name: str
    task: Task
    train: Split
    dev: Split
    test: Split
    labels: tuple[str, ...] = ()
    ordinal: bool = False
    digest: str = ""
    ledger: dict[str, Ledger] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)
    made: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(getattr(self, name)):,}" for name in ("train", "dev", "test"))
        return f"Dataset({self.name!r}, {self.task.name}: {sizes})"
