"""Pairs of texts that a training split is better without, left out and counted with examples.

What is read as dev or test keeps every pair: a score on a part of the test set would be another score.
"""

from __future__ import annotations

from collections.abc import Iterator

from nlpipe.datasets.cards import Filter
from nlpipe.errors import DataError
from nlpipe.tasks.task import Ledger, Row


def filtered(rows: Iterator[Row], limits: Filter, ledger: Ledger, name: str) -> Iterator[Row]:
    """The rows whose source and target are within ``limits``; the others are counted in ``ledger``.

    Words are what stands between spaces; the ratio is that of the longer to the shorter side, in characters.

    Raises:
        DataError: none is left.
    """
    kept = 0
    for row in rows:
        source, target = str(row.fields["source"]), str(row.fields["target"])
        why = _why(source, target, limits)
        if why:
            ledger.add(why, f"{row.path}:{row.line}: {source} | {target}")
            continue
        kept += 1
        yield row
    if not kept and ledger.counts:
        counts = ", ".join(f"{what} {count:.0f}" for what, count in ledger.counts.items())
        raise DataError(f"{name}: no pair of the train split is left: {counts}")


def _why(source: str, target: str, limits: Filter) -> str:
    """What ``ledger.json`` calls the reason to leave a pair out; empty where there is none."""
    if not source.strip() or not target.strip():
        return "filtered_empty_source" if not source.strip() else "filtered_empty_target"
    if limits.different and source.strip() == target.strip():
        return "filtered_equal_sides"
    words = sorted((len(source.split()), len(target.split())))
    characters = sorted((len(source), len(target)))
    for (short, long), unit, least, most in (
        (words, "words", limits.min_words, limits.max_words),
        (characters, "characters", limits.min_characters, limits.max_characters),
    ):
        if short < least:
            return f"filtered_below_{least}_{unit}"
        if most is not None and long > most:
            return f"filtered_above_{most}_{unit}"
    if limits.max_ratio is not None and characters[1] > limits.max_ratio * characters[0]:
        return f"filtered_above_ratio_{limits.max_ratio:g}"
    return ""
