"""Slices of a split: which examples are long, have unknown words, a certain class, or were seen in training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nlpipe import tag_schemes
from nlpipe.audit.contents import texts_of
from nlpipe.audit.duplicates import leaked
from nlpipe.audit.near import THRESHOLD
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.unseen import label_counts, typed_entities
from nlpipe.tasks.tagging import surfaces
from nlpipe.tasks.task import Split
from nlpipe.tokenizers import Regex
from nlpipe.wire import Labels, LabelSets, Tags, Text, Tokens

SEEN = "input: seen in training"
"""The part of the inputs that stand, exactly or nearly, in the training split."""
UNKNOWN = (0.0, 0.1, 0.25)
"""Shares of unknown words up to which each slice goes; the last one has more."""


def slices(dataset: Dataset, threshold: float = THRESHOLD, seen: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Which test examples are in each slice: name, such as ``label: positive``, to (n_test,) bool.

    By length (quarters of the test split), by the share of words that training does not have, by gold label or type of
    entity or tag, by whether the input or its entities stand in training, and by the columns that the card's ``slices``
    names. Slices of one kind may overlap (a sentence has entities of several types). Those that hold no example, or all
    of them, are left out.

    Args:
        threshold: Jaccard similarity from which an input counts as seen in training; see ``leaked``.
        seen: (n_test,) bool, which inputs stand in training, where that is known already.

    Raises:
        NlpipeError: the threshold is not above 0, or above 1.
    """
    train, test = dataset.train, dataset.test
    seen = leaked(dataset, threshold).mask if seen is None else seen
    by_training = {
        **_unknown_words(train, test), SEEN: seen, "input: not seen in training": ~seen,
        **_entities_seen(train, test),
    }  # fmt: skip
    return {**slices_of(test), **_parts(by_training)}


def slices_of(split: Split) -> dict[str, np.ndarray]:
    """The slices of ``slices`` that depend on no training split: by length, by gold, and by the card's columns."""
    found = {**_lengths(split), **_targets(split)}
    for column, values in split.columns.items():
        found |= _by_value(column, values)
    return _parts(found)


def _parts(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those that hold an example, and not all of them."""
    return {name: mask for name, mask in found.items() if mask.any() and not mask.all()}


def _lengths(split: Split) -> dict[str, np.ndarray]:
    """Quarters by length; examples of equal length are in one of them."""
    lengths = split.inputs.lengths
    unit = "words" if isinstance(split.inputs, Tokens) else "characters"
    borders = np.quantile(lengths, [0.25, 0.5, 0.75])
    quarter = np.searchsorted(borders, lengths)  # (n,) 0 to 3
    found = {}
    for q in range(4):
        mask = quarter == q
        if mask.any():
            found[f"length: {lengths[mask].min():,} to {lengths[mask].max():,} {unit}"] = mask
    return found


def _unknown_words(train: Split, test: Split) -> dict[str, np.ndarray]:
    """By the share of an example's words, in lower case, that no training example has; 0 where there are none."""
    known = {word for words in _words(train) for word in words}
    shares = np.array([sum(word not in known for word in words) / max(1, len(words)) for words in _words(test)])
    place = np.searchsorted(UNKNOWN, shares)  # (n,) 0: none; 1: up to the second limit …
    names = ("none", *(f"up to {limit:.0%}" for limit in UNKNOWN[1:]), f"more than {UNKNOWN[-1]:.0%}")
    return {f"unknown words: {name}": place == i for i, name in enumerate(names)}


def _words(split: Split) -> list[list[str]]:
    if isinstance(split.inputs, Tokens):
        return [[word.lower() for word in words] for words in split.inputs.words]
    return Regex(lowercase=True).forward(Text(texts_of(split.inputs))).words


def _targets(split: Split) -> dict[str, np.ndarray]:
    """By gold label; of sentences by the types of entities, or the tags, that they have."""
    targets = split.targets
    if isinstance(targets, Labels):
        return _by_value("label", targets.values)
    if isinstance(targets, LabelSets):
        every = label_counts(split, typed=False)  # texts without labels make no slice: nothing in it could be right
        return {f"label: {label}": np.array([label in own for own in targets.values]) for label in every}
    if not isinstance(targets, Tags):
        return {}
    typed = typed_entities(split)
    kinds = [
        {kind for _, _, kind in tag_schemes.to_spans(tags)} if typed else set(tags) for tags in targets.values
    ]  # fmt: skip
    what = "entity" if typed else "tag"
    counts = Counter(kind for sentence in kinds for kind in sentence)
    found = {f"{what}: {kind}": np.array([kind in sentence for sentence in kinds]) for kind, _ in counts.most_common()}
    return {**found, "entity: none": np.array([not sentence for sentence in kinds])} if typed else found


def _entities_seen(train: Split, test: Split) -> dict[str, np.ndarray]:
    """Of sentences with entities, whether the words of all of them are those of an entity of training."""
    if not (isinstance(test.targets, Tags) and isinstance(test.inputs, Tokens) and typed_entities(test)):
        return {}
    assert isinstance(train.inputs, Tokens) and isinstance(train.targets, Tags)
    known = surfaces(train.inputs.words, train.targets.values)
    each = [surfaces([words], [tags]) for words, tags in zip(test.inputs.words, test.targets.values, strict=True)]
    return {
        "entities: all seen in training": np.array([bool(found) and found <= known for found in each]),
        "entities: some not seen in training": np.array([not found <= known for found in each]),
    }


def _by_value(what: str, values: Sequence[str]) -> dict[str, np.ndarray]:
    """One slice for each value, the most frequent first."""
    array = np.array(values, dtype=object)
    return {f"{what}: {value}": array == value for value, _ in Counter(values).most_common()}
