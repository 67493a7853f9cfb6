"""What ``nlpipe data audit`` prints: a sentence or a short table of each kind of finding, with a few examples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from nlpipe.audit.audit import Audit
from nlpipe.audit.contents import Contents, Item
from nlpipe.compare.table import Line, Table

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 3
"""Examples of each kind."""
SHOWN_CLASSES = 10
LONGEST = 70
"""Characters of a text that are shown."""


def show_audit(audit: Audit, contents: Contents, console: Console) -> None:
    """Print ``audit`` to ``console``; ``contents`` has the texts of its examples."""
    sizes = ", ".join(f"{name} {size:,}" for name, size in audit.sizes.items())
    console.print(f"{audit.name}: {audit.task}, {sizes}")
    for block in (_duplicates, _conflicts, _classes, _outliers, _label_errors):
        console.print()
        for part in block(audit, contents):
            console.print(part.terminal(console) if isinstance(part, Table) else part, soft_wrap=True)


def _duplicates(audit: Audit, contents: Contents) -> Iterator[Table | str]:
    lines = [
        Line((where, *(f"{kinds[kind]:,}" for kind in ("exact", "normalised", "near"))))
        for where, kinds in audit.counts().items()
        if any(kinds.values())
    ]
    if not lines:
        yield f"no duplicates: no two texts are equal, or similar with a Jaccard similarity of {audit.threshold:g}"
        return
    headings = ("examples that stand twice", "exact", "normalised", "near")
    caption = (
        "normalised: equal but for Unicode form, case and white space\n"
        f"near: Jaccard similarity of character 5-grams of {audit.threshold:g} or more"
    )
    yield Table("", headings, tuple(lines), caption, essential=frozenset(headings))
    leaks = {pair.item.index for pair in audit.duplicates if (pair.item.split, pair.of.split) == ("test", "train")}
    if leaks:
        share = len(leaks) / audit.sizes["test"]
        yield f"  {len(leaks):,} of {audit.sizes['test']:,} test examples ({share:.1%}) stand in training too"
    ranked = sorted(audit.duplicates, key=lambda pair: (pair.item.split, pair.of.split) != ("test", "train"))
    for pair in ranked[:SHOWN]:
        similarity = f" {pair.similarity:.2f}" if pair.kind == "near" else ""
        yield f"  {pair.item} is like {pair.of} ({pair.kind}{similarity})"
        yield f"    {_text(contents, pair.item)}"
        yield f"    {_text(contents, pair.of)}"
    yield from _more(len(audit.duplicates))
    if audit.task in ("classification", "multilabel"):
        differing = sum(not pair.same_target for pair in audit.duplicates)
        yield f"  pairs with different labels: {differing:,} of {len(audit.duplicates):,}"


def _conflicts(audit: Audit, contents: Contents) -> Iterator[str]:
    what = {"tagging": "different tags", "translation": "different targets"}.get(audit.task, "different labels")
    yield f"equal inputs with {what}: {len(audit.conflicts):,}"
    for conflict in audit.conflicts[:SHOWN]:
        yield f"  {_text(contents, conflict.items[0])}"
        for item, target, count in islice(zip(conflict.items, conflict.targets, conflict.counts, strict=True), SHOWN):
            yield f"    {item}: {_cut(target)}" + (f" ({count:,} times)" if count > 1 else "")
    yield from _more(len(audit.conflicts))


def _classes(audit: Audit, contents: Contents) -> Iterator[Table | str]:
    train = audit.classes.get("train", {})
    if not train:
        yield "classes: none; the targets are texts"
        return
    every = dict.fromkeys(name for counts in audit.classes.values() for name in counts)
    headings = ("class", *audit.classes)
    lines = [
        Line((name, *(f"{counts.get(name, 0):,}" for counts in audit.classes.values())))
        for name in islice(every, SHOWN_CLASSES)
    ]
    yield Table("", headings, tuple(lines), essential=frozenset(headings))
    if len(every) > SHOWN_CLASSES:
        yield f"  and {len(every) - SHOWN_CLASSES:,} more classes"
    (most, *_), (*_, least) = list(train), list(train)
    yield f"  in training '{most}' is {audit.imbalance():.1f} times as frequent as '{least}'"


def _outliers(audit: Audit, contents: Contents) -> Iterator[str]:
    yield f"unusual lengths: {len(audit.outliers):,}"
    for outlier in audit.outliers[:SHOWN]:
        yield (
            f"  {outlier.item}: {_number(outlier.value)} {outlier.measure}, where {_number(outlier.low)} to "
            f"{_number(outlier.high)} are usual"
        )
        yield f"    {_text(contents, outlier.item)}"
    yield from _more(len(audit.outliers))


def _label_errors(audit: Audit, contents: Contents) -> Iterator[str]:
    if audit.label_errors is None:
        yield "likely label errors: not looked for (they need labels of texts, and enough of them)"
        return
    suspects = audit.label_errors.suspects
    yield (
        f"labels to look at: {len(suspects):,}, which models that were not trained on them doubt "
        f"(those models have an accuracy of {audit.label_errors.accuracy:.1%})"
    )
    for suspect in suspects[:SHOWN]:
        yield (
            f"  {suspect.item}: '{suspect.given}' {suspect.probability:.2f}, '{suspect.suggested}' "
            f"{suspect.of_suggested:.2f}"
        )
        yield f"    {_text(contents, suspect.item)}"
    yield from _more(len(suspects))


def _more(total: int) -> Iterator[str]:
    if total > SHOWN:
        yield f"  and {total - SHOWN:,} more; --json lists all"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _text(contents: Contents, item: Item) -> str:
    return _cut(contents.text(item))


def _cut(text: str) -> str:
    line = " ".join(text[: 4 * LONGEST].split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
