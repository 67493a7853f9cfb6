"""A data set in memory: three splits of one task, with where they come from and what was dropped."""

from __future__ import annotations

from dataclasses import dataclass, field

from nlpipe.tasks.task import Ledger, Split, Task


@dataclass(frozen=True)
class Dataset:
    """Train, dev and test examples of one task.

    Args:
        labels: of the training split: in the card's order where it gives one, else sorted (as numbers if all are);
            empty for other tasks. Where ``ordinal``, the card's whole order, so that ranks never shift.
        ordinal: whether that order means something (stars).
        digest: hash of the three splits' content; part of a run's hash.
        ledger: counts of what reading and splitting dropped, by split name and ``all``.
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

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {len(getattr(self, name)):,}" for name in ("train", "dev", "test"))
        return f"Dataset({self.name!r}, {self.task.name}: {sizes})"
