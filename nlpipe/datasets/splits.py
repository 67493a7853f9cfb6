"""Splits that a source lacks, made so that anyone makes the same; duplicates, leakage, and the digest of all splits.

The place of an example is decided by a hash of the seed and its text: not by a library's random numbers, and not by
the order of the file. Labels keep their shares, and every label keeps at least one training example.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from nlpipe.datasets.cards import SPLITS, Sizes
from nlpipe.datasets.stratification import stratify
from nlpipe.datasets.unseen import check_labels
from nlpipe.errors import DataError
from nlpipe.tasks.task import Ledger, Split, Task
from nlpipe.wire import Labels, LabelSets, Tags, Text, Tokens, Wire

Ledgers = dict[str, Ledger]

DIGESTED = 1000
"""Examples that are written as JSON together for the digest."""


def complete(task: Task, given: dict[str, Split], sizes: Sizes, place: str, ledgers: Ledgers) -> dict[str, Split]:
    """All three splits.

    Splits that are given stay as they are. If dev or test is missing, duplicates are removed from train (the first of
    equal inputs stays) and the missing splits are taken from it.

    Args:
        place: what the message of an error begins with.
        ledgers: by split name and ``all``; counts of what is found here are added.

    Raises:
        DataError: train is too small to take the missing splits from it, or has no label of another split.
    """
    splits = dict(given)
    keys = {name: keys_of(task, split) for name, split in splits.items()}
    _count_conflicts(ledgers, splits, keys)
    _count_pairs(ledgers, splits, keys)
    missing = [name for name in ("test", "dev") if name not in splits]
    if missing:
        first: dict[str, int] = {}
        for i, key in enumerate(keys["train"]):
            if first.setdefault(key, i) != i:
                ledgers["all"].add("duplicates_dropped", key)
        ledgers["all"].counts.setdefault("duplicates_dropped", 0)
        unique = list(first.values())
        train = splits["train"].take(unique)
        unique_keys = [keys["train"][i] for i in unique]
        counts = {name: _count(getattr(sizes, name), len(unique)) for name in missing}
        if isinstance(train.targets, LabelSets):
            parts = _cut_sets(train.targets, unique_keys, counts, sizes.seed, place)
        else:
            parts = _cut(strata_of(train), unique_keys, counts, sizes.seed, place)
        for name, indices in parts.items():
            splits[name] = train.take(indices)
            keys[name] = [unique_keys[i] for i in indices]
    for name in SPLITS:
        _count_overlaps(ledgers, name, keys, made=name in missing)
    splits["train"] = task.training(splits["train"])
    ordered = {name: splits[name] for name in SPLITS}
    check_labels(ordered, ledgers, place)
    return ordered


def digest_of(splits: dict[str, Split]) -> str:
    """sha256 over inputs and targets of train, dev and test as JSON."""
    digest = hashlib.sha256()
    for name in SPLITS:
        digest.update(f'["{name}"'.encode())
        for wire in (splits[name].inputs, splits[name].targets):
            items = plain(wire)
            digest.update(b",[")
            for start in range(0, len(items), DIGESTED):  # a whole corpus as one string would double the memory
                written = json.dumps(items[start : start + DIGESTED], ensure_ascii=False, separators=(",", ":"))
                digest.update(b"," * (start > 0) + written[1:-1].encode("utf-8", "surrogatepass"))
            digest.update(b"]")
        digest.update(b"]")
    return digest.hexdigest()


def plain(wire: Wire) -> Any:
    """The content of a wire of data, as JSON has it."""
    if isinstance(wire, Text):  # inputs, or the targets of text-to-text tasks
        return wire.strings
    if isinstance(wire, Tokens):
        return wire.words
    assert isinstance(wire, Labels | LabelSets | Tags), type(wire)
    return wire.values


def example_ids(inputs: Wire) -> list[str]:
    """A name for each example that is the same in every run on the same data, whatever the pipeline.

    It is the first 12 hexadecimal digits of the sha256 of the input (the text, or the list of words of data that
    comes split) as JSON. The second of two equal inputs ends in ``.2``, the third in ``.3``, in the order of the data.
    """
    seen: Counter[str] = Counter()
    names = []
    for content in plain(inputs):
        written = json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
        name = hashlib.sha256(written).hexdigest()[:12]
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return names


def keys_of(task: Task, split: Split) -> list[str]:
    """What is equal for inputs that count as duplicates, one key an example."""
    return [task.key(split.inputs, i) for i in range(len(split))]


def _count_conflicts(ledgers: Ledgers, splits: dict[str, Split], keys: dict[str, list[str]]) -> None:
    """Count equal inputs with different labels, within a split or across splits."""
    if isinstance(splits["train"].targets, Labels | LabelSets):
        ledgers["all"].counts.setdefault("label_conflicts", 0)
    labels: dict[str, str] = {}
    counted = set()
    for name, split in splits.items():
        if isinstance(split.targets, Labels | LabelSets):
            for key, value in zip(keys[name], split.targets.values, strict=True):
                label = value if isinstance(value, str) else ", ".join(value)
                if labels.setdefault(key, label) != label and key not in counted:
                    counted.add(key)
                    ledgers["all"].add("label_conflicts", f"{labels[key]} | {label}: {key}")


def _count_pairs(ledgers: Ledgers, splits: dict[str, Split], keys: dict[str, list[str]]) -> None:
    """Count, in pairs of texts, sources with several targets, and targets that are empty or equal to the source."""
    targets: dict[str, str] = {}
    counted = set()
    for name, split in splits.items():
        if not isinstance(split.targets, Text) or split.targets is split.inputs:
            return  # the second: a language model's targets are its inputs
        ledgers["all"].counts.setdefault("sources_with_several_targets", 0)
        assert isinstance(split.inputs, Text)
        for key, source, target in zip(keys[name], split.inputs.strings, split.targets.strings, strict=True):
            if not target.strip():
                ledgers[name].add("empty_target", key)
            elif source == target:
                ledgers[name].add("target_equals_source", key)
            if targets.setdefault(key, target) != target and key not in counted:
                counted.add(key)
                ledgers["all"].add("sources_with_several_targets", f"{key}: {targets[key]} | {target}")


def _count_overlaps(ledgers: Ledgers, name: str, keys: dict[str, list[str]], made: bool) -> None:
    """Count empty inputs, duplicates within a split that was given, and inputs that are in earlier splits too."""
    for key in keys[name]:
        if not key:
            ledgers[name].add("empty", key)
    if not made:
        seen: set[str] = set()
        for key in keys[name]:
            if key in seen:
                ledgers[name].add("duplicates", key)
            seen.add(key)
    for other in SPLITS[: SPLITS.index(name)]:
        ledgers[name].counts.setdefault(f"in_{other}", 0)
        other_keys = set(keys[other])
        for key in keys[name]:
            if key in other_keys:
                ledgers[name].add(f"in_{other}", key)


def strata_of(split: Split) -> Sequence[str]:
    """The groups whose shares stay equal: labels; one group for other targets."""
    return split.targets.values if isinstance(split.targets, Labels) else [""] * len(split)


def _count(size: float, total: int) -> int:
    """The number of examples of a split: ``size`` itself, or that share of ``total``."""
    return size if isinstance(size, int) else max(1, round(size * total))


def _cut(strata: Sequence[str], keys: list[str], counts: dict[str, int], seed: int, place: str) -> dict[str, list[int]]:
    """The indices of each part of ``counts`` and of ``train``, in the data's order, with the strata in proportion."""
    groups: dict[str, list[int]] = {}
    for i, stratum in enumerate(strata):
        groups.setdefault(stratum, []).append(i)
    for members in groups.values():
        members.sort(key=lambda i: (key_ranks(seed, keys[i]), i))
    parts: dict[str, list[int]] = {}
    for name, count in counts.items():
        shares = _shares({label: len(members) for label, members in groups.items()}, count)
        if shares is None:
            labels, of_each = (f" of {len(groups)} labels", " of each label") if len(groups) > 1 else ("", "")
            raise DataError(
                f"{place}: {len(keys)} different examples{labels} are too few to take {count} for {name} and leave "
                f"one{of_each} to train on; give {name} as a file, or a smaller splits: {name}"
            )
        indices = [i for label, share in shares.items() for i in groups[label][:share]]
        for label, share in shares.items():
            groups[label] = groups[label][share:]
        parts[name] = sorted(indices)
    parts["train"] = sorted(i for members in groups.values() for i in members)
    return parts


def _cut_sets(
    targets: LabelSets, keys: list[str], counts: dict[str, int], seed: int, place: str
) -> dict[str, list[int]]:
    """As ``_cut``, for examples with any number of labels."""
    left = len(keys) - sum(counts.values())
    if left < 1:
        wanted = ", ".join(f"{count} for {name}" for name, count in counts.items())
        raise DataError(
            f"{place}: {len(keys)} different examples are too few to take {wanted} and leave one to train on; give "
            f"{next(iter(counts))} as a file, or a smaller splits: {next(iter(counts))}"
        )
    order = sorted(range(len(keys)), key=lambda i: (key_ranks(seed, keys[i]), i))
    names = [*counts, "train"]
    parts = stratify(targets.values, [*counts.values(), left], order)
    return {name: [i for i, part in enumerate(parts) if names[part] == name] for name in names}


def key_ranks(seed: int, key: str) -> bytes:
    """What examples are ordered by, so that the order depends on their keys and the seed alone."""
    return hashlib.blake2b(f"{seed}:{key}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _shares(sizes: dict[str, int], count: int) -> dict[str, int] | None:
    """``count`` divided in proportion to ``sizes`` by largest remainders, leaving one of each; None if impossible."""
    total = sum(sizes.values())
    room = {label: size - 1 for label, size in sizes.items()}
    if count > sum(room.values()):
        return None
    exact = {label: count * size / total for label, size in sizes.items()}
    shares = {label: min(int(exact[label]), room[label]) for label in sizes}
    while (left := count - sum(shares.values())) > 0:
        open_labels = [label for label in sizes if shares[label] < room[label]]
        open_labels.sort(key=lambda label: (shares[label] - exact[label], label))
        for label in open_labels[:left]:
            shares[label] += 1
    return shares
