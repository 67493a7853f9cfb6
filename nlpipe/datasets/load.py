"""A card to a data set in memory: rows, examples and splits, with counts of what was dropped and what is doubtful."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nlpipe.datasets.card_finder import LocatedCard, find_card
from nlpipe.datasets.cards import SPLITS, Card, FileSource, Filter
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.filters import filtered
from nlpipe.datasets.located import examples, slice_columns
from nlpipe.datasets.replacements import replaced
from nlpipe.datasets.sources import rows
from nlpipe.datasets.splits import complete, digest_of
from nlpipe.datasets.unseen import label_counts
from nlpipe.errors import DataError, NlpipeError
from nlpipe.labels import clean_label
from nlpipe.tasks import task_named
from nlpipe.tasks.task import Ledger, Row, Split
from nlpipe.wire import Labels, LabelSets

NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?", re.ASCII)
"""A label that is a number; 'nan' and 'infinity' are words."""
MOST_PROBABILITIES = 50_000_000
"""Of the answers to a split: 0.4 GB of memory, and more than 1 GB of the run's folder."""
MAX_SHOWN = 10
"""Values of a ``where`` column that a message names."""


def load_dataset(data: str | Mapping[str, Any], base: Path | None = None) -> Dataset:
    """The data set that a card's name, a card's path or an inline mapping stands for.

    Args:
        base: the folder that relative paths in ``data`` start from; the working directory by default. Paths in a
            card's file start from that file.

    Raises:
        DataError: the card, the files or their content are faulty.
        MissingExtra: the source needs a package that is not installed.
    """
    located = find_card(data, base)
    card = located.card
    task = task_named(card.task, **card.settings())
    task.chosen = card.primary
    given = {}
    ledger = {name: Ledger() for name in ("all", *SPLITS)}
    for name in SPLITS:
        source_rows = rows(located, name, {**columns_of(card), **slice_columns(card)}, ledger[name])
        if source_rows is not None:
            clean_rows = cleaned(located, name, source_rows)
            if name == "train" and "target" in task.columns:
                clean_rows = filtered(clean_rows, card.filter or Filter(), ledger[name], located.name)
            given[name] = examples(task, clean_rows, card, ledger[name].add)
            if not len(given[name]):
                raise DataError(f"{located.name}: the {name} split has no examples")
    if task.label_role:
        _labels(located, given["train"])  # a single label is reported before dev and test are split off
    splits = complete(task, given, card.splits, _place(located), ledger)
    labels = _labels(located, splits["train"]) if task.label_role else task.labels(splits["train"])
    if isinstance(splits["train"].targets, Labels | LabelSets):
        known = label_counts(splits["train"], typed=False)
        for label in _named_labels(card):
            if label not in known:
                ledger["train"].add("labels_without_examples", f"'{label}'")
    _check_size(_place(located), labels if task.label_role else (), splits)
    task.settle(splits["train"])
    try:
        task.deciding(labels, card.ordinal)
    except NlpipeError as error:
        raise DataError(f"{located.name}: {error}") from None
    digest = digest_of(splits)
    _check_expected(located, splits, digest)
    return Dataset(
        located.name, task, **splits, labels=labels, ordinal=card.ordinal, digest=digest, ledger=ledger,
        reading=card.reading(), made=frozenset(SPLITS) - given.keys(),
    )  # fmt: skip


def _place(located: LocatedCard) -> str:
    """Where messages say that the examples are: the training file, or the data set's name."""
    source = located.card.origin()
    return source.train[0] if isinstance(source, FileSource) else located.name


def columns_of(card: Card) -> dict[str, str | int]:
    """The columns to read: those of the roles, and of ``where``."""
    return {**card.roles(), **{f"where {column}": column for column in card.conditions()}}


def cleaned(located: LocatedCard, split: str, source_rows: Iterator[Row]) -> Iterator[Row]:
    """The rows that ``where`` selects, with the replacements of ``replace`` made in all fields but the label."""
    card = located.card
    task = task_named(card.task)
    roles = [role for role in card.roles() if role in task.columns and role != task.label_role]
    selected = _selected(located, split, source_rows)
    return replaced(selected, roles, card.replace) if card.replace else selected


def _selected(located: LocatedCard, split: str, source_rows: Iterator[Row]) -> Iterator[Row]:
    """The rows that ``where`` selects.

    Raises:
        DataError: it selects none.
    """
    conditions = [(f"where {column}", value) for column, value in located.card.conditions().items()]
    selected = 0
    others: dict[str, set[str]] = {role: set() for role, _ in conditions}
    for row in source_rows:
        values = {role: str(row.fields[role]) for role, _ in conditions}
        if any(values[role] != value for role, value in conditions):
            for role, value in values.items():
                if len(others[role]) < MAX_SHOWN:
                    others[role].add(value)
            continue
        selected += 1
        yield row
    if conditions and not selected:
        expected = ", ".join(f"{role[6:]}: {value}" for role, value in conditions)
        actual = "; ".join(f"{role[6:]}: {', '.join(sorted(values))}" for role, values in others.items())
        raise DataError(f"{located.name}: no row of the {split} split has {expected}; there are {actual}")


def _labels(located: LocatedCard, train: Split) -> tuple[str, ...]:
    """The labels of the training split, in order.

    Raises:
        DataError: it has only one; of sets of labels, there is none, or all are the same.
    """
    if isinstance(train.targets, LabelSets):
        labels = {label for own in train.targets.values for label in own}
        if not labels:
            raise DataError(f"{_place(located)}: none of the {len(train):,} training examples has a label")
        if all(len(own) == len(labels) for own in train.targets.values):
            every = ", ".join(f"'{label}'" for label in sorted_labels(labels))
            raise DataError(
                f"{_place(located)}: every training example ({len(train):,}) has the same labels ({every}); there is "
                "nothing to learn"
            )
        order = located.card.order()
        return tuple(label for label in order if label in labels) if order else sorted_labels(labels)
    assert isinstance(train.targets, Labels)
    labels = set(train.targets.values)
    if len(labels) < 2:
        raise DataError(
            f"{_place(located)}: every training example ({len(train)}) has the label '{next(iter(labels))}'; "
            "there is nothing to learn from one label"
        )
    order = located.card.order()
    if located.card.ordinal:
        return order
    return tuple(label for label in order if label in labels) if order else sorted_labels(labels)


def _named_labels(card: Card) -> tuple[str, ...]:
    """The labels that a card names: in ``labels``, or as columns of one label each."""
    several = card.columns.get("labels")
    return card.order() or (tuple(map(clean_label, several)) if isinstance(several, tuple) else ())


def _check_size(place: str, labels: tuple[str, ...], splits: Mapping[str, Split]) -> None:
    """Check that the answers can be kept: each has a probability for every label, in memory and in the run's folder.

    Raises:
        DataError: they cannot.
    """
    largest = max(("dev", "test"), key=lambda name: len(splits[name]))
    if len(labels) * len(splits[largest]) > MOST_PROBABILITIES:
        raise DataError(
            f"{place}: {len(labels):,} labels and {len(splits[largest]):,} examples of the {largest} split give more "
            f"than {MOST_PROBABILITIES / 1e6:.0f} million probabilities; is the label's column the right one? If it "
            "is, merge rare labels, or give smaller splits"
        )


def sorted_labels(labels: set[str]) -> tuple[str, ...]:
    """Sorted as numbers if all are numbers, otherwise as text."""
    if all(NUMBER.fullmatch(label) for label in labels):
        return tuple(sorted(labels, key=lambda label: (float(label), label)))
    return tuple(sorted(labels))


def _check_expected(located: LocatedCard, splits: dict[str, Split], digest: str) -> None:
    expect = located.card.expect
    for name in SPLITS:
        expected = getattr(expect, name)
        if expected is not None and expected != len(splits[name]):
            raise DataError(
                f"{located.place}: expect.{name}: {expected} examples, but {len(splits[name])} were read; "
                "the source is not the one the card was written for"
            )
    if expect.digest is not None and expect.digest != digest:
        raise DataError(
            f"{located.place}: expect.digest: {expect.digest}, but what was read has {digest}; "
            "the source is not the one the card was written for"
        )
