"""Splits: what a source does not have is cut off the training split by a fixed seed, after de-duplication."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from nlpipe.errors import DataError
from nlpipe.tasks.task import Ledger, Split, Task
from nlpipe.wire import Labels, Tags, Text, Tokens, Wire

SEED = 13
SHARE = 0.1
"""Of all examples, for dev and for test, unless the card says otherwise."""
EXAMPLES = 5
"""Examples of each count in a ledger."""


def complete(
    given: Mapping[str, Split], task: Task, sizes: Mapping[str, int | float], seed: int, name: str
) -> tuple[dict[str, Split], dict[str, Ledger]]:
    """Train, dev and test: those given as they are, the others cut off train; with the ledger of each.

    Args:
        sizes: examples (int) or share of all (float) for ``dev`` and ``test`` where they are cut.

    Raises:
        DataError: there are too few examples to cut from.
    """
    ledger = {split: Ledger() for split in ("train", "dev", "test")}
    keys = {split: [task.key(each.inputs, i) for i in range(len(each))] for split, each in given.items()}
    train = given["train"]
    missing = [split for split in ("test", "dev") if split not in given]
    done = dict(given)
    if missing:
        others = {key for split in given if split != "train" for key in keys[split]}
        kept = _distinct(keys["train"], others, train, ledger["train"])
        train = train.take(kept)
        counts = {split: _count(sizes.get(split, SHARE), len(train), split, name) for split in missing}
        if sum(counts.values()) >= len(train) or min(counts.values()) < 1:
            raise DataError(
                f"{name}: {len(train)} different examples are too few to cut {' and '.join(missing)} off; give more, "
                f"or files for {' and '.join(missing)}"
            )
        chosen = _cut(train, counts, seed)
        for split in missing:
            done[split] = train.take(chosen[split])
        done["train"] = train.take(chosen["train"])
    _note_overlap(done, task, ledger)
    return done, ledger


def _distinct(keys: Sequence[str], others: set[str], split: Split, ledger: Ledger) -> list[int]:
    """Indices of the first example of each key that is in no other split; what is dropped is noted."""
    seen: dict[str, int] = {}
    kept = []
    for i, key in enumerate(keys):
        if key in seen:
            _note(ledger, "duplicates_dropped", key)
            if _target(split, i) != _target(split, seen[key]):
                _note(ledger, "duplicates_with_another_label", key)
        elif key in others:
            _note(ledger, "in_another_split_dropped", key)
        else:
            seen[key] = i
            kept.append(i)
    return kept


def _note(ledger: Ledger, what: str, example: str) -> None:
    ledger.counts[what] = ledger.counts.get(what, 0) + 1
    shown = ledger.examples.setdefault(what, [])
    if len(shown) < EXAMPLES:
        shown.append(example[:200])


def _target(split: Split, i: int) -> object:
    targets = split.targets
    if isinstance(targets, Labels | Tags):
        return targets.values[i]
    return targets.strings[i] if isinstance(targets, Text) else None


def _count(size: int | float, total: int, split: str, name: str) -> int:
    if isinstance(size, float):
        if not 0 < size < 1:
            raise DataError(f"{name}: splits.{split}: {size} is no share; give one between 0 and 1, or a whole number")
        return max(1, round(size * total))
    return size


def _cut(split: Split, counts: Mapping[str, int], seed: int) -> dict[str, list[int]]:
    """Indices of each split, drawn by ``seed``; labels are spread over the splits as evenly as counts allow."""
    order = np.random.default_rng(seed).permutation(len(split))
    if isinstance(split.targets, Labels):
        # Within each label the order is random; an example's place within its label, as a share, then decides.
        places = Counter[str]()
        totals = Counter(split.targets.values)
        shares = np.empty(len(split))
        for i in order.tolist():
            label = split.targets.values[i]
            shares[i] = (places[label] + 0.5) / totals[label]
            places[label] += 1
        order = order[np.argsort(shares[order], kind="stable")]
    found, start = {}, 0
    for name, count in counts.items():
        found[name] = sorted(order[start : start + count].tolist())
        start += count
    return {**found, "train": sorted(order[start:].tolist())}


def _note_overlap(splits: Mapping[str, Split], task: Task, ledger: Mapping[str, Ledger]) -> None:
    """Note what stands in two splits, and labels that training has not seen."""
    keys = {name: [task.key(split.inputs, i) for i in range(len(split))] for name, split in splits.items()}
    in_train = set(keys["train"])
    for name in ("dev", "test"):
        for key in keys[name]:
            if key in in_train:
                _note(ledger[name], "in_train", key)
        targets, known = splits[name].targets, splits["train"].targets
        if isinstance(targets, Labels) and isinstance(known, Labels):
            labels = set(known.values)
            for label in targets.values:
                if label not in labels:
                    _note(ledger[name], "label_unseen_in_training", label)
    for name, split in splits.items():
        empty = sum(not key for key in keys[name])
        if empty:
            ledger[name].counts["empty_texts"] = empty
        if isinstance(split.targets, Labels):
            _note_conflicts(keys[name], split.targets, ledger[name])


def _note_conflicts(keys: Sequence[str], targets: Labels, ledger: Ledger) -> None:
    seen: dict[str, str] = {}
    for key, label in zip(keys, targets.values, strict=True):
        if seen.setdefault(key, label) != label:
            _note(ledger, "same_text_another_label", key)


def digest(splits: Mapping[str, Split]) -> str:
    """Hash of all inputs and targets, 16 hexadecimal digits."""
    found = hashlib.sha256()
    for name in ("train", "dev", "test"):
        for wire in (splits[name].inputs, splits[name].targets):
            found.update(json.dumps(_content(wire), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return found.hexdigest()[:16]


def _content(wire: Wire) -> object:
    if isinstance(wire, Text):
        return wire.strings
    if isinstance(wire, Tokens):
        return wire.words
    assert isinstance(wire, Labels | Tags), type(wire)
    return wire.values
