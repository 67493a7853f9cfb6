"""What an audit found, in a few sentences and examples, for those who look at a comparison and did not ask for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nlpipe.audit.audit import Audit, audit
from nlpipe.audit.contents import Item, contents_of
from nlpipe.datasets.dataset import Dataset
from nlpipe.wire import Labels

MOST_EXAMPLES = 50_000
"""Examples of a data set up to which a comparison looks for its faults; 'nlpipe data audit' has no such limit."""
MOST_JUDGED, FEWEST_JUDGED = 20_000, 200
"""Examples between which it looks for likely label errors, which trains five models."""
SHOWN = 10
"""Examples of each kind of finding."""
LONGEST = 300
"""Characters of an example that are kept."""
UNBALANCED = 4.0
"""How many times as frequent as the rarest the most frequent class must be for it to be said."""


@dataclass(frozen=True)
class Finding:
    """One kind of fault.

    Args:
        sentence: what was found, and how often.
        examples: what is worth a look.
    """

    sentence: str
    examples: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"sentence": self.sentence, "examples": list(self.examples)}


def findings(dataset: Dataset) -> list[Finding]:
    """What is worth knowing of ``dataset``; a sentence saying so where it is too large to be looked through."""
    total = len(dataset.train) + len(dataset.dev) + len(dataset.test)
    command = f"nlpipe data audit {dataset.name}"
    if total > MOST_EXAMPLES:
        return [Finding(f"The data has {total:,} examples and was not looked through: {command} does it.")]
    judged = isinstance(dataset.train.targets, Labels) and FEWEST_JUDGED <= total <= MOST_JUDGED
    found = audit(dataset, find_label_errors=judged)
    texts = contents_of(dataset)

    def quoted(item: Item) -> str:
        text = " ".join(texts.text(item)[: 4 * LONGEST].split())
        return f"{item}: {text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}"

    return [*_duplicates(found, quoted), *_conflicts(found, quoted), *_imbalance(found), *_outliers(found, quoted),
            *_label_errors(found, quoted)]  # fmt: skip


def _duplicates(found: Audit, quoted: Any) -> Sequence[Finding]:
    across = [pair for pair in found.duplicates if pair.item.split != pair.of.split]
    within = len(found.duplicates) - len(across)
    parts = []
    if across:
        wheres: dict[str, set[int]] = {}
        for pair in across:
            wheres.setdefault(f"{pair.item.split} in {pair.of.split}", set()).add(pair.item.index)
        listed = ", ".join(f"{len(items):,} of {where}" for where, items in wheres.items())
        examples = tuple(f"{quoted(pair.item)} — {quoted(pair.of)}" for pair in across[:SHOWN])
        parts.append(Finding(f"Examples that stand, exactly or nearly, in two splits: {listed}.", examples))
    if within:
        parts.append(Finding(f"Examples that stand, exactly or nearly, twice in a split: {within:,}."))
    return parts


def _conflicts(found: Audit, quoted: Any) -> Sequence[Finding]:
    if not found.conflicts:
        return ()
    what = {"tagging": "tags", "translation": "translations"}.get(found.task, "labels")
    examples = tuple(
        f"{quoted(conflict.items[0])} — {' | '.join(target[:80] for target in conflict.targets)}"
        for conflict in found.conflicts[:SHOWN]
    )
    return (Finding(f"Equal inputs with different {what}: {len(found.conflicts):,}.", examples),)


def _imbalance(found: Audit) -> Sequence[Finding]:
    ratio, classes = found.imbalance(), list(found.classes.get("train", {}))
    if ratio is None or ratio < UNBALANCED:
        return ()
    return (Finding(f"In training '{classes[0]}' is {ratio:,.0f} times as frequent as '{classes[-1]}'."),)


def _outliers(found: Audit, quoted: Any) -> Sequence[Finding]:
    if not found.outliers:
        return ()
    examples = tuple(
        f"{quoted(each.item)[:120]} — {each.value:,.4g} {each.measure}; usual are {each.low:,.4g} to {each.high:,.4g}"
        for each in found.outliers[:SHOWN]
    )
    return (Finding(f"Examples of unusual length: {len(found.outliers):,}.", examples),)


def _label_errors(found: Audit, quoted: Any) -> Sequence[Finding]:
    if found.label_errors is None or not found.label_errors.suspects:
        return ()
    suspects = found.label_errors.suspects
    examples = tuple(
        f"{quoted(each.item)} — '{each.given}' {each.probability:.2f}, '{each.suggested}' {each.of_suggested:.2f}"
        for each in suspects[:SHOWN]
    )
    sentence = (
        f"Labels to look at: {len(suspects):,}, which models that were not trained on them doubt (they are right in "
        f"{found.label_errors.accuracy:.0%} of all examples, so that many of these labels are right and only hard)."
    )
    return (Finding(sentence, examples),)
