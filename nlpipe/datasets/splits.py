"""Splits that a source lacks, made so that anyone makes the same; duplicates, leakage, and the digest of it all.

An example's place is decided by the hash of the seed and its text: no library's random numbers, no order of the
file. Labels keep their shares, and every label keeps at least one training example.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from nlpipe.datasets.cards import SPLITS, Sizes
from nlpipe.errors import DataError
from nlpipe.tasks.task import Ledger, Split, Task
from nlpipe.wire import Labels, Tags, Text, Tokens, Wire

Ledgers = dict[str, Ledger]


def complete(task: Task, given: dict[str, Split], sizes: Sizes, place: str, counted: Ledgers) -> dict[str, Split]:
    """All three splits.

    Splits that are given stay as they are. If dev or test is missing, train is de-duplicated (the first of equal
    inputs stays) and the missing ones are taken from it.

    Args:
        counted: ledgers by split name and ``all``, which what is found here is added to.

    Raises:
        DataError: train is too small for that; the message starts with ``place``.
    """
    splits = dict(given)
    keys = {name: _keys(task, split) for name, split in splits.items()}
    _count_conflicts(counted, splits, keys)
    _count_pairs(counted, splits, keys)
    missing = [name for name in ("test", "dev") if name not in splits]
    if missing:
        first: dict[str, int] = {}
        for i, key in enumerate(keys["train"]):
            if first.setdefault(key, i) != i:
                counted["all"].add("duplicates_dropped", key)
        counted["all"].counts.setdefault("duplicates_dropped", 0)
        kept = list(first.values())
        train = splits["train"].take(kept)
        chosen = [keys["train"][i] for i in kept]
        wanted = {name: _number(getattr(sizes, name), len(kept)) for name in missing}
        parts = _cut(_strata(train), chosen, wanted, sizes.seed, place)
        for name, indices in parts.items():
            splits[name] = train.take(indices)
            keys[name] = [chosen[i] for i in indices]
    for name in SPLITS:
        _count_overlaps(counted, name, keys, made=name in missing)
    _count_unseen(counted, splits)
    return {name: splits[name] for name in SPLITS}


def digest_of(splits: dict[str, Split]) -> str:
    """sha256 over inputs and targets of train, dev and test as JSON."""
    total = hashlib.sha256()
    for name in SPLITS:
        content = [name, plain(splits[name].inputs), plain(splits[name].targets)]
        written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        total.update(written.encode("utf-8", "surrogatepass"))
    return total.hexdigest()


def plain(wire: Wire) -> Any:
    """What a wire of data holds, as JSON has it."""
    if isinstance(wire, Text):  # inputs, or the targets of text-to-text work
        return wire.strings
    if isinstance(wire, Tokens):
        return wire.words
    assert isinstance(wire, Labels | Tags), type(wire)
    return wire.values


def _keys(task: Task, split: Split) -> list[str]:
    return [task.key(split.inputs, i) for i in range(len(split))]


def _count_conflicts(counted: Ledgers, splits: dict[str, Split], keys: dict[str, list[str]]) -> None:
    """Equal inputs with different labels, anywhere."""
    if isinstance(splits["train"].targets, Labels):
        counted["all"].counts.setdefault("label_conflicts", 0)
    labels: dict[str, str] = {}
    told = set()
    for name, split in splits.items():
        if isinstance(split.targets, Labels):
            for key, label in zip(keys[name], split.targets.values, strict=True):
                if labels.setdefault(key, label) != label and key not in told:
                    told.add(key)
                    counted["all"].add("label_conflicts", f"{labels[key]} | {label}: {key}")


def _count_pairs(counted: Ledgers, splits: dict[str, Split], keys: dict[str, list[str]]) -> None:
    """In pairs of texts: sources with several targets, anywhere, and by split targets equal to the source or empty."""
    first: dict[str, str] = {}
    told = set()
    for name, split in splits.items():
        if not isinstance(split.targets, Text):
            return
        counted["all"].counts.setdefault("sources_with_several_targets", 0)
        assert isinstance(split.inputs, Text)
        for key, source, target in zip(keys[name], split.inputs.strings, split.targets.strings, strict=True):
            if not target.strip():
                counted[name].add("empty_target", key)
            elif source == target:
                counted[name].add("target_equals_source", key)
            if first.setdefault(key, target) != target and key not in told:
                told.add(key)
                counted["all"].add("sources_with_several_targets", f"{key}: {first[key]} | {target}")


def _count_overlaps(counted: Ledgers, name: str, keys: dict[str, list[str]], made: bool) -> None:
    """Empty inputs, repeats within a split that was given, and inputs that stand in the splits before it."""
    for key in keys[name]:
        if not key:
            counted[name].add("empty", key)
    if not made:
        seen: set[str] = set()
        for key in keys[name]:
            if key in seen:
                counted[name].add("duplicates", key)
            seen.add(key)
    for other in SPLITS[: SPLITS.index(name)]:
        counted[name].counts.setdefault(f"in_{other}", 0)
        known = set(keys[other])
        for key in keys[name]:
            if key in known:
                counted[name].add(f"in_{other}", key)


def _count_unseen(counted: Ledgers, splits: dict[str, Split]) -> None:
    targets = splits["train"].targets
    if not isinstance(targets, Labels):
        return
    known = set(targets.values)
    for name in SPLITS[1:]:
        counted[name].counts.setdefault("labels_unseen", 0)
        other = splits[name].targets
        assert isinstance(other, Labels)
        for label in other.values:
            if label not in known:
                counted[name].add("labels_unseen", label)


def _strata(split: Split) -> Sequence[str]:
    return split.targets.values if isinstance(split.targets, Labels) else [""] * len(split)


def _number(size: float, count: int) -> int:
    return size if isinstance(size, int) else max(1, round(size * count))


def _cut(strata: Sequence[str], keys: list[str], wanted: dict[str, int], seed: int, place: str) -> dict[str, list[int]]:
    """Indices of each part wanted and of ``train``, in the data's order, the strata in proportion."""
    groups: dict[str, list[int]] = {}
    for i, stratum in enumerate(strata):
        groups.setdefault(stratum, []).append(i)
    for members in groups.values():
        members.sort(key=lambda i: (_rank(seed, keys[i]), i))
    parts: dict[str, list[int]] = {}
    for name, number in wanted.items():
        shares = _shares({label: len(members) for label, members in groups.items()}, number)
        if shares is None:
            kinds, each = (f" of {len(groups)} labels", " of each label") if len(groups) > 1 else ("", "")
            raise DataError(
                f"{place}: {len(keys)} different examples{kinds} are too few to take {number} for {name} and leave "
                f"one{each} to train on; give {name} as a file, or a smaller splits: {name}"
            )
        taken = [i for label, share in shares.items() for i in groups[label][:share]]
        for label, share in shares.items():
            groups[label] = groups[label][share:]
        parts[name] = sorted(taken)
    parts["train"] = sorted(i for members in groups.values() for i in members)
    return parts


def _rank(seed: int, key: str) -> bytes:
    return hashlib.blake2b(f"{seed}:{key}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _shares(sizes: dict[str, int], number: int) -> dict[str, int] | None:
    """``number`` shared out in proportion by largest remainders, one of each left over; None where there is no room."""
    total = sum(sizes.values())
    room = {label: size - 1 for label, size in sizes.items()}
    if number > sum(room.values()):
        return None
    exact = {label: number * size / total for label, size in sizes.items()}
    shares = {label: min(int(exact[label]), room[label]) for label in sizes}
    while (left := number - sum(shares.values())) > 0:
        open_labels = [label for label in sizes if shares[label] < room[label]]
        open_labels.sort(key=lambda label: (shares[label] - exact[label], label))
        for label in open_labels[:left]:
            shares[label] += 1
    return shares
