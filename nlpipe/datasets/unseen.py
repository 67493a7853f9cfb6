"""Labels and entity types of dev and test that training does not have, and labels of training that look alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from nlpipe.datasets.cards import SPLITS
from nlpipe.errors import DataError, suggest
from nlpipe.tag_schemes import marks_entities, parts
from nlpipe.tasks.task import Ledger, Split
from nlpipe.wire import Labels, LabelSets, Tags

SHOWN = 5
"""Labels that a message names."""


def check_labels(splits: Mapping[str, Split], ledgers: Mapping[str, Ledger], name: str) -> None:
    """Count in the ledgers the labels that training never has, those that all its texts have, and its pairs of labels
    that look alike.

    Args:
        name: of the data set, for messages.

    Raises:
        DataError: none of the labels of a split is known: it would score 0 whatever is learned.
    """
    train = splits["train"]
    if not isinstance(train.targets, Labels | LabelSets | Tags):
        return
    known = set(label_counts(train, typed := typed_entities(train)))
    for one, other in _alike(known):
        ledgers["train"].add("labels_alike", f"'{one}' and '{other}'")
    if isinstance(train.targets, LabelSets):
        for label, count in label_counts(train, typed).items():
            if count == len(train):
                ledgers["train"].add("labels_of_all", f"'{label}'")
    for split_name in SPLITS[1:]:
        check_split(splits[split_name], ledgers[split_name], known, typed, split_name, name)


def check_split(
    split: Split, ledger: Ledger, known: Collection[str], typed: bool, split_name: str, name: str = ""
) -> None:
    """Count in ``ledger`` the labels of ``split`` that are not ``known``, and its texts if none has a label.

    Args:
        known: labels of the training split, or types of its entities.
        typed: whether they are types of entities.
        name: of the data set, for messages.

    Raises:
        DataError: none of the labels of the split is known.
    """
    counts = label_counts(split, typed)
    ledger.counts.setdefault("labels_unseen", 0)
    if isinstance(split.targets, LabelSets) and not counts:
        ledger.counts["without_labels"] = len(split)
        ledger.examples["without_labels"] = [
            split.origins.place(0) if split.origins is not None else name or split_name
        ]
    unseen = {label: count for label, count in counts.items() if label not in known}
    if counts and len(unseen) == len(counts):
        kind, first = "entity type" if typed else "label", next(iter(unseen))
        listed = ", ".join(f"'{label}'" for label in list(unseen)[:SHOWN]) + (" …" if len(unseen) > SHOWN else "")
        raise DataError(
            f"{split.places.get(first, name)}: no training example has the {kind} '{first}', nor any other of the "
            f"{split_name} split ({listed}){meant(first, known)}"
        )
    for label, count in unseen.items():
        place = split.places.get(label, split_name)
        ledger.add("labels_unseen", f"{place}: '{label}' ({count:,} times){_only_near(label, known)}")
        ledger.counts["labels_unseen"] += count - 1


def meant(label: str, known: Collection[str]) -> str:
    """The end of a message about a label that is not ``known``: the one that looks like it, or is nearest."""
    alike = next((other for other in sorted(known) if _folded(other) == _folded(label)), None)
    return f"; did you mean '{alike}'?" if alike is not None else suggest(label, sorted(known)[:50])


def _only_near(label: str, known: Collection[str]) -> str:
    near = meant(label, known)
    return near if near.startswith("; did") else ""


def _alike(labels: Collection[str]) -> list[tuple[str, str]]:
    """Pairs of labels that differ in case alone, or are the same number."""
    first: dict[str, str] = {}
    pairs = []
    for label in sorted(labels):
        other = first.setdefault(_folded(label), label)
        if other != label:
            pairs.append((other, label))
    return pairs


def _folded(label: str) -> str:
    """What labels that a person takes for one have in common: the value of a number, the letters without case."""
    try:
        value = float(label)
    except ValueError:
        return label.casefold()
    return str(value) if label.isascii() and label[-1:].isdigit() else label.casefold()


def typed_entities(split: Split) -> bool:
    """Whether the targets mark entities, which have types."""
    return isinstance(split.targets, Tags) and marks_entities({tag for tags in split.targets.values for tag in tags})


def label_counts(split: Split, typed: bool) -> dict[str, int]:
    """How often each label occurs, or the type of entities, in order of appearance."""
    if isinstance(split.targets, Labels):
        labels = iter(split.targets.values)
    elif isinstance(split.targets, LabelSets):
        labels = (label for own in split.targets.values for label in own)
    else:
        assert isinstance(split.targets, Tags)
        every = (tag for tags in split.targets.values for tag in tags)
        labels = (parts(tag)[1] for tag in every if tag[:1] in "BS" and tag != "O") if typed else every
    counts: dict[str, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    return counts
