"""Examples with any number of labels divided into parts in which each label keeps its share.

Sechidis, Tsoumakas and Vlahavas 2011, "On the Stratification of Multi-Label Data": iterative stratification. The rarest
label first: each of its examples goes to the part that lacks most of it, so that a label with few examples is not all
in one part by accident. Here the parts have exact sizes, and the order of the examples replaces the random choices.
"""

from __future__ import annotations

from collections.abc import Sequence


def stratify(sets: Sequence[Sequence[str]], sizes: Sequence[int], order: Sequence[int]) -> list[int]:
    """The part of each of N examples.

    Args:
        sets: the labels of each example.
        sizes: the examples of each part; they add up to N. Of parts that lack a label equally the later one gets it.
        order: in which examples are looked at, all of 0 to N - 1.
    """
    count = len(sets)
    assert sum(sizes) == count, (sizes, count)
    members: dict[str, list[int]] = {}
    for i in order:
        for label in sets[i]:
            members.setdefault(label, []).append(i)
    left = {label: len(own) for label, own in members.items()}
    room = list(sizes)
    lacking = {label: [len(own) * size / count for size in sizes] for label, own in members.items()}
    parts = [-1] * count

    def place(i: int, wanting: Sequence[float]) -> None:
        part = max((p for p in range(len(sizes)) if room[p]), key=lambda p: (wanting[p], room[p], p))
        parts[i] = part
        room[part] -= 1
        for label in sets[i]:
            lacking[label][part] -= 1
            left[label] -= 1

    while rest := [label for label, number in left.items() if number]:
        rarest = min(rest, key=lambda label: (left[label], label))
        for i in members[rarest]:
            if parts[i] < 0:
                place(i, lacking[rarest])
    for i in order:
        if parts[i] < 0:
            place(i, room)
    return parts
