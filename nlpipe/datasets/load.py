"""A card to a data set in memory: rows, examples, splits, and what was found on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nlpipe.datasets.card_finder import Found, find_card
from nlpipe.datasets.cards import SPLITS, Card, FileSource, Filter
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.filters import filtered
from nlpipe.datasets.sources import rows
from nlpipe.datasets.splits import complete, digest_of
from nlpipe.errors import DataError
from nlpipe.tasks import task_named
from nlpipe.tasks.task import Ledger, Row, Split
from nlpipe.wire import Labels


def load_dataset(data: str | Mapping[str, Any], base: Path | None = None) -> Dataset:
    """The data set that a card's name, a card's path or an inline mapping stands for.

    Args:
        base: the folder that relative paths in ``data`` start from; the working directory by default. Paths in a
            card start from the card.

    Raises:
        DataError: anything wrong with the card, the files or their content.
        MissingExtra: the source needs a package that is not installed.
    """
    found = find_card(data, base)
    card = found.card
    task = task_named(card.task, **card.settings())
    given = {}
    ledger = {name: Ledger() for name in ("all", *SPLITS)}
    for name in SPLITS:
        read = rows(found, name, _columns(card), ledger[name])
        if read is not None:
            kept = _cleaned(found, name, read)
            if name == "train" and "target" in task.columns:
                kept = filtered(kept, card.filter or Filter(), ledger[name], found.name)
            given[name] = task.split(kept, card.labels, ledger[name].add)
            if not len(given[name]):
                raise DataError(f"{found.name}: the {name} split has no examples")
    if task.label_role:
        _labels(found, given["train"])  # one label alone is told before anything is split off
    splits = complete(task, given, card.splits, _place(found), ledger)
    labels = _labels(found, splits["train"]) if task.label_role else task.labels(splits["train"])
    digest = digest_of(splits)
    _check_expected(found, splits, digest)
    return Dataset(
        found.name, task, **splits, labels=labels, ordinal=card.ordinal, digest=digest, ledger=ledger
    )  # fmt: skip


def _place(found: Found) -> str:
    """Where messages say that the examples stand: the training file, or the data set's name."""
    source = found.card.origin()
    return source.train[0] if isinstance(source, FileSource) else found.name


def _columns(card: Card) -> dict[str, str | int]:
    """What to read: the roles, and the columns that ``where`` looks at."""
    return {**card.roles(), **{f"where {column}": column for column in card.conditions()}}


def _cleaned(found: Found, split: str, read: Iterator[Row]) -> Iterator[Row]:
    """The rows that ``where`` keeps, ``replace`` done in all fields but labels.

    Raises:
        DataError: ``where`` keeps none.
    """
    card = found.card
    roles = [role for role in card.roles() if role != task_named(card.task).label_role]
    wanted = [(f"where {column}", value) for column, value in card.conditions().items()]
    kept, seen = 0, {role: set[str]() for role, _ in wanted}
    for row in read:
        if wanted:
            values = {role: str(row.fields[role]) for role, _ in wanted}
            if any(values[role] != value for role, value in wanted):
                for role, value in values.items():
                    if len(seen[role]) < 10:
                        seen[role].add(value)
                continue
        kept += 1
        if card.replace:
            fields = dict(row.fields)
            for role in roles:
                value = fields[role]
                if isinstance(value, str):
                    fields[role] = _replaced(value, card.replace)
                elif role == "token" and isinstance(value, list):
                    fields[role] = [_replaced(item, card.replace) for item in value]
            row = Row(fields, row.path, row.line, row.columns, row.lines)
        yield row
    if wanted and not kept:
        there = "; ".join(f"{role[6:]}: {', '.join(sorted(values))}" for role, values in seen.items())
        asked = ", ".join(f"{role[6:]}: {value}" for role, value in wanted)
        raise DataError(f"{found.name}: no row of the {split} split has {asked}; there are {there}")


def _replaced(value: Any, replace: Mapping[str, str]) -> Any:
    """``value`` with every replacement done; one written between slashes is a regular expression."""
    if isinstance(value, str):
        for old, new in replace.items():
            pattern = old[1:-1] if len(old) > 2 and old[0] == old[-1] == "/" else None
            value = value.replace(old, new) if pattern is None else re.sub(pattern, new, value)
    return value


def _labels(found: Found, train: Split) -> tuple[str, ...]:
    """Labels of the training split, in order.

    Raises:
        DataError: it has only one.
    """
    assert isinstance(train.targets, Labels)
    there = set(train.targets.values)
    if len(there) < 2:
        raise DataError(
            f"{_place(found)}: every training example ({len(train)}) has the label '{next(iter(there))}'; "
            "there is nothing to learn from one label"
        )
    order = found.card.order()
    if found.card.ordinal:
        return order
    return tuple(label for label in order if label in there) if order else sorted_labels(there)


def sorted_labels(labels: set[str]) -> tuple[str, ...]:
    """Sorted as numbers if all are, else as text."""
    try:
        return tuple(sorted(labels, key=lambda label: (float(label), label)))
    except ValueError:
        return tuple(sorted(labels))


def _check_expected(found: Found, splits: dict[str, Split], digest: str) -> None:
    expect = found.card.expect
    for name in SPLITS:
        wanted = getattr(expect, name)
        if wanted is not None and wanted != len(splits[name]):
            raise DataError(
                f"{found.place}: expect.{name}: {wanted} examples, but {len(splits[name])} were read; "
                "the source is not the one the card was written for"
            )
    if expect.digest is not None and expect.digest != digest:
        raise DataError(
            f"{found.place}: expect.digest: {expect.digest}, but what was read has {digest}; "
            "the source is not the one the card was written for"
        )
