"""What an audit found, in a few sentences and examples, for those who look at a comparison and did not ask for one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from nlpipe.audit.audit import Audit, audit
from nlpipe.audit.contents import Contents, Item, contents_of
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
T = TypeVar("T")


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


@dataclass(frozen=True)
class _Quotes:
    """Quotes examples, but for those of hidden splits.

    Args:
        hidden: names of the splits whose examples are counted and not quoted.
    """

    contents: Contents
    hidden: Collection[str]

    def first(self, found: Sequence[T], items: Callable[[T], Sequence[Item]]) -> list[T]:
        """The first of ``found`` that may be quoted: those of whose ``items`` none is in a hidden split."""
        return [each for each in found if not any(item.split in self.hidden for item in items(each))][:SHOWN]

    def text(self, item: Item) -> str:
        """Where an example stands, and how it begins."""
        text = " ".join(self.contents.text(item)[: 4 * LONGEST].split())
        return f"{item}: {text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}"


def findings(dataset: Dataset, hidden: Collection[str] = ()) -> list[Finding]:
    """What is worth knowing of ``dataset``; a sentence saying so where it is too large to be looked through.

    Args:
        hidden: names of the splits whose examples are counted and not quoted.
    """
    total = len(dataset.train) + len(dataset.dev) + len(dataset.test)
    command = f"nlpipe data audit {dataset.name}"
    if total > MOST_EXAMPLES:
        return [Finding(f"The data has {total:,} examples and was not looked through: {command} does it.")]
    judged = isinstance(dataset.train.targets, Labels) and FEWEST_JUDGED <= total <= MOST_JUDGED
    found = audit(dataset, find_label_errors=judged)
    quotes = _Quotes(contents_of(dataset), hidden)
    parts = [*_duplicates(found, quotes), *_conflicts(found, quotes), *_imbalance(found), *_outliers(found, quotes),
             *_label_errors(found, quotes)]  # fmt: skip
    if parts and hidden:
        parts.append(Finding(f"Examples of {' and '.join(sorted(hidden))} are counted here and not quoted."))
    return parts


def _duplicates(found: Audit, quotes: _Quotes) -> Sequence[Finding]:
    across = [pair for pair in found.duplicates if pair.item.split != pair.of.split]
    within = len(found.duplicates) - len(across)
    parts = []
    if across:
        wheres: dict[str, set[int]] = {}
        for pair in across:
            wheres.setdefault(f"{pair.item.split} in {pair.of.split}", set()).add(pair.item.index)
        listed = ", ".join(f"{len(items):,} of {where}" for where, items in wheres.items())
        examples = tuple(
            f"{quotes.text(pair.item)} — {quotes.text(pair.of)}"
            for pair in quotes.first(across, lambda pair: (pair.item, pair.of))
        )
        parts.append(Finding(f"Examples that stand, exactly or nearly, in two splits: {listed}.", examples))
    if within:
        parts.append(Finding(f"Examples that stand, exactly or nearly, twice in a split: {within:,}."))
    return parts


def _conflicts(found: Audit, quotes: _Quotes) -> Sequence[Finding]:
    if not found.conflicts:
        return ()
    what = {"tagging": "tags", "translation": "translations"}.get(found.task, "labels")
    examples = tuple(
        f"{quotes.text(conflict.items[0])} — {' | '.join(target[:80] for target in conflict.targets)}"
        for conflict in quotes.first(found.conflicts, lambda conflict: conflict.items)
    )
    return (Finding(f"Equal inputs with different {what}: {len(found.conflicts):,}.", examples),)


def _imbalance(found: Audit) -> Sequence[Finding]:
    ratio, classes = found.imbalance(), list(found.classes.get("train", {}))
    if ratio is None or ratio < UNBALANCED:
        return ()
    return (Finding(f"In training '{classes[0]}' is {ratio:,.0f} times as frequent as '{classes[-1]}'."),)


def _outliers(found: Audit, quotes: _Quotes) -> Sequence[Finding]:
    if not found.outliers:
        return ()
    examples = tuple(
        f"{quotes.text(each.item)[:120]} — {each.value:,.4g} {each.measure}; usual are {each.low:,.4g} to "
        f"{each.high:,.4g}"
        for each in quotes.first(found.outliers, lambda each: (each.item,))
    )
    return (Finding(f"Examples of unusual length: {len(found.outliers):,}.", examples),)


def _label_errors(found: Audit, quotes: _Quotes) -> Sequence[Finding]:
    if found.label_errors is None or not found.label_errors.suspects:
        return ()
    suspects = found.label_errors.suspects
    examples = tuple(
        f"{quotes.text(each.item)} — '{each.given}' {each.probability:.2f}, '{each.suggested}' {each.of_suggested:.2f}"
        for each in quotes.first(suspects, lambda each: (each.item,))
    )
    sentence = (
        f"Labels to look at: {len(suspects):,}, which models that were not trained on them doubt (they are right in "
        f"{found.label_errors.accuracy:.0%} of all examples, so that many of these labels are right and only hard)."
    )
    return (Finding(sentence, examples),)
