"""Inputs that stand twice, within a split or in two: exactly, but for Unicode form, case and white space, or nearly.

For translation the sources are compared, for tagging the words of the sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.audit.contents import Contents, Item, keys_of, texts_of
from nlpipe.audit.near import THRESHOLD, similar_across, similar_within
from nlpipe.datasets.cards import SPLITS
from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import NlpipeError

EXACT, NORMALISED, NEAR = "exact", "normalised", "near"
"""Kinds: the same characters; the same ``Task.key`` (NFC, case folded, white space as one space); similar n-grams."""


@dataclass(frozen=True)
class Duplicate:
    """An example that another one, earlier in its split or in an earlier split, nearly or wholly equals.

    Args:
        item: the later one.
        of: the earlier one: the first that equals it, else the most similar one.
        kind: ``exact``, ``normalised`` or ``near``.
        similarity: Jaccard similarity of their character n-grams, in [0, 1]; 1 unless they are near duplicates.
        same_target: whether their targets are equal.
    """

    item: Item
    of: Item
    kind: str
    similarity: float
    same_target: bool

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "item": self.item.record(), "of": self.of.record(), "kind": self.kind,
            "similarity": round(self.similarity, 4), "same_target": self.same_target,
        }  # fmt: skip


@dataclass(frozen=True)
class Leaked:
    """Which test examples stand in the training split too.

    Args:
        mask: (n_test,) bool.
        reasons: of each test example ``exact``, ``normalised`` or ``near``; empty for one that does not.
        partners: (n_test,) index of the training example; -1 for none.
        similarities: (n_test,) Jaccard similarity to it; 0 for none.
    """

    mask: np.ndarray
    reasons: tuple[str, ...]
    partners: np.ndarray
    similarities: np.ndarray


def leaked(dataset: Dataset, threshold: float = THRESHOLD) -> Leaked:
    """The test examples that are exact, normalised or near duplicates of a training example.

    Args:
        threshold: Jaccard similarity from which two texts are near duplicates, above 0 and at most 1.

    Raises:
        NlpipeError: the threshold is not above 0, or above 1.
    """
    check_threshold(threshold)
    train_keys, test_keys = keys_of(dataset, dataset.train), keys_of(dataset, dataset.test)
    train_texts, test_texts = texts_of(dataset.train.inputs), texts_of(dataset.test.inputs)
    first_text, first_key = _first(train_texts), _first(train_keys)
    size = len(dataset.test)
    reasons = [""] * size
    partners, similarities = np.full(size, -1, dtype=np.int64), np.zeros(size)
    others: dict[str, list[int]] = {}
    for i in range(size):
        partner = first_text.get(test_texts[i], first_key.get(test_keys[i], -1))
        if partner >= 0:
            reasons[i] = EXACT if test_texts[i] == train_texts[partner] else NORMALISED
            partners[i], similarities[i] = partner, 1.0
        else:
            others.setdefault(test_keys[i], []).append(i)
    asked, known = list(others), list(first_key)
    pairs = similar_across(asked, known, threshold)
    for left, right, similarity in zip(pairs.left, pairs.right, pairs.similarity, strict=True):
        for i in others[asked[left]]:
            if similarity > similarities[i]:
                reasons[i], partners[i], similarities[i] = NEAR, first_key[known[right]], similarity
    return Leaked(partners >= 0, tuple(reasons), partners, similarities)


def duplicates(contents: Contents, threshold: float = THRESHOLD) -> list[Duplicate]:
    """All duplicates: each example at most once for its own split and for each earlier one.

    Raises:
        NlpipeError: the threshold is not above 0, or above 1.
    """
    check_threshold(threshold)
    names = [name for name in SPLITS if name in contents.splits]
    texts = {name: texts_of(contents.splits[name].inputs) for name in names}
    first_text = {name: _first(texts[name]) for name in names}
    first_key = {name: _first(contents.keys[name]) for name in names}
    neighbours = _neighbours(contents, names, threshold)
    found = []
    for place, name in enumerate(names):
        for i, (text, key) in enumerate(zip(texts[name], contents.keys[name], strict=True)):
            for other in names[: place + 1]:
                limit = i if other == name else len(texts[other])
                partner, kind, similarity = first_text[other].get(text, limit), EXACT, 1.0
                if partner >= limit:
                    partner, kind = first_key[other].get(key, limit), NORMALISED
                if partner >= limit:
                    near = [
                        (-alike, first_key[other][neighbour])
                        for neighbour, alike in neighbours.get(key, ())
                        if first_key[other].get(neighbour, limit) < limit
                    ]
                    if not near:
                        continue
                    (negative, partner), kind = min(near), NEAR
                    similarity = -negative
                same = contents.target(name, i) == contents.target(other, partner)
                found.append(Duplicate(contents.item(name, i), contents.item(other, partner), kind, similarity, same))
    return found


def check_threshold(threshold: float) -> None:
    """Check that ``threshold`` is a Jaccard similarity that can be asked for.

    Raises:
        NlpipeError: it is not.
    """
    if not 0 < threshold <= 1:
        raise NlpipeError(f"threshold: invalid value {threshold}: expected a similarity above 0, and at most 1")


def _first(values: Sequence[str]) -> dict[str, int]:
    """Each value to the index at which it first stands."""
    first: dict[str, int] = {}
    for i, value in enumerate(values):
        first.setdefault(value, i)
    return first


def _neighbours(contents: Contents, names: Sequence[str], threshold: float) -> dict[str, list[tuple[str, float]]]:
    """Each key to the others that are similar, with their similarity."""
    keys = list(dict.fromkeys(key for name in names for key in contents.keys[name]))
    pairs = similar_within(keys, threshold)
    neighbours: dict[str, list[tuple[str, float]]] = {}
    for left, right, similarity in zip(pairs.left, pairs.right, pairs.similarity.tolist(), strict=True):
        neighbours.setdefault(keys[left], []).append((keys[right], similarity))
        neighbours.setdefault(keys[right], []).append((keys[left], similarity))
    return neighbours
