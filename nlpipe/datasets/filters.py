"""Pairs of texts that are left out of a training split, counted with examples.

Dev and test keep every pair: a score on a part of the test set would be another score.
"""

from __future__ import annotations

from collections.abc import Iterator

from nlpipe.datasets.cards import Filter
from nlpipe.errors import DataError
from nlpipe.tasks.task import Ledger, Row


def filtered(rows: Iterator[Row], limits: Filter, ledger: Ledger, name: str) -> Iterator[Row]:
    """The rows whose source and target are within ``limits``; the others are counted in ``ledger``.

    Words are the parts between spaces; the ratio is that of the longer to the shorter side, in characters.

    Args:
        name: of the data set, for messages.

    Raises:
        DataError: no row is left.
    """
    empty = True
    for row in rows:
        source, target = str(row.fields["source"]), str(row.fields["target"])
        reason = _reason(source, target, limits)
        if reason:
            ledger.add(reason, f"{row.path}:{row.line}: {source} | {target}")
            continue
        empty = False
        yield row
    if empty and ledger.counts:
        counts = ", ".join(f"{reason} {count:.0f}" for reason, count in ledger.counts.items())
        raise DataError(f"{name}: no pair of the train split is left: {counts}")


def _reason(source: str, target: str, limits: Filter) -> str:
    """The name in ``ledger.json`` of the reason to leave a pair out; empty if there is none."""
    if not source.strip() or not target.strip():
        return "filtered_empty_source" if not source.strip() else "filtered_empty_target"
    if limits.different and source.strip() == target.strip():
        return "filtered_equal_sides"
    words = sorted((len(source.split()), len(target.split())))
    characters = sorted((len(source), len(target)))
    for (shorter, longer), unit, minimum, maximum in (
        (words, "words", limits.min_words, limits.max_words),
        (characters, "characters", limits.min_characters, limits.max_characters),
    ):
        if shorter < minimum:
            return f"filtered_below_{minimum}_{unit}"
        if maximum is not None and longer > maximum:
            return f"filtered_above_{maximum}_{unit}"
    if limits.max_ratio is not None and characters[1] > limits.max_ratio * characters[0]:
        return f"filtered_above_ratio_{limits.max_ratio:g}"
    return ""
