"""How an exported run does beside the run that it was exported from."""

from __future__ import annotations

from dataclasses import dataclass

from nlpipe.compare.question import default_tolerance
from nlpipe.metrics.estimates import Estimate
from nlpipe.runs.costs import Use


@dataclass(frozen=True)
class Proof:
    """Scores, answers and costs of a run and of its export, on the same items and the same machine.

    Args:
        metric: the primary score, in its own ``unit``.
        split: whose items were answered.
        before: the score of the run.
        after: the score of the export.
        difference: ``after`` less ``before``, with its interval by the luck of the items; None where there is one item.
        items: how many were answered.
        flipped: of how many the answer differs; ``lost`` of these were right before, and ``won`` are right now.
        old: what the run costs in use.
        new: what the export costs in use.
        sizes: bytes of both models.
        already: whether the same runtime computes the run's answers; the export may then take less memory instead.
    """

    metric: str
    unit: str
    higher_is_better: bool
    split: str
    before: float
    after: float
    difference: Estimate | None
    items: int
    flipped: int
    lost: int
    won: int
    old: Use
    new: Use
    sizes: tuple[int, int]
    already: bool = False

    @property
    def tolerance(self) -> float:
        """The loss of the score that does not matter, as in a comparison that names none."""
        return default_tolerance(self.unit)

    @property
    def loss(self) -> float:
        """How much worse the export scores; negative where it is better."""
        return (self.before - self.after) * (1.0 if self.higher_is_better else -1.0)

    @property
    def faster_alone(self) -> float:
        """How many times as fast the median text is answered."""
        return self.old["latency_p50_seconds"] / self.new["latency_p50_seconds"]

    @property
    def faster_together(self) -> float:
        """How many times as many texts are answered in a second, in batches."""
        return self.new["texts_per_second"] / self.old["texts_per_second"]

    @property
    def faults(self) -> list[str]:
        """Why the export should not be used; empty where it is as good as the run, and faster in one way at least."""
        faults = []
        if self.loss > self.tolerance:
            faults.append(
                f"{self.metric} falls from {self.before:.4f} to {self.after:.4f}, by more than {self.tolerance:g}"
            )
        smaller = self.already and self.new["peak_memory_bytes"] < self.old["peak_memory_bytes"]
        if self.faster_alone <= 1 and self.faster_together <= 1 and not smaller:
            faults.append(
                f"it is not faster, neither one by one ({self.faster_alone:.2f} times) nor in batches "
                f"({self.faster_together:.2f} times)"
            )
        return faults

    def lines(self) -> list[str]:
        """All of it, for people."""
        within = ""
        if self.difference is not None:
            low, high = self.difference.interval()
            within = f" (95 %: {low:+.4f} to {high:+.4f})"
            worst = -low if self.higher_is_better else high
            if self.loss <= self.tolerance < worst:
                within += f"; {self.items:,} items are too few to rule out a loss of {self.tolerance:g}"
        old, new = self.old, self.new
        score = f"{self.metric} on {self.split}: {self.before:.4f} -> {self.after:.4f}, {self.after - self.before:+.4f}"
        alone = [1000 * use["latency_p50_seconds"] for use in (old, new)]
        together = [use["texts_per_second"] for use in (old, new)]
        memory = [use["peak_memory_bytes"] / 1e6 for use in (old, new)]
        return [
            f"{score}{within}",
            f"answers that differ: {self.flipped:,} of {self.items:,}; {self.lost:,} were right, {self.won:,} are now",
            f"one by one: {alone[0]:.2f} -> {alone[1]:.2f} ms a text, {self.faster_alone:.2f} times as fast",
            f"in batches: {together[0]:,.0f} -> {together[1]:,.0f} texts/s, {self.faster_together:.2f} times as fast",
            f"model: {self.sizes[0] / 1e6:,.1f} -> {self.sizes[1] / 1e6:,.1f} MB; memory: {memory[0]:,.0f} -> "
            f"{memory[1]:,.0f} MB",
        ]
