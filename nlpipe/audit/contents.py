"""The examples of a data set as the audit compares them, and how its findings name an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlpipe.datasets.cards import SPLITS
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.splits import example_ids, plain
from nlpipe.tasks.task import Split
from nlpipe.wire import Text, Tokens, Wire


@dataclass(frozen=True)
class Item:
    """One example of a data set, as a finding names it.

    Args:
        split: train, dev or test.
        index: its place in the split, from 0.
        id: as in ``predictions.jsonl``.
        place: file and line, ``reviews.csv:812``; empty where they are not known.
    """

    split: str
    index: int
    id: str
    place: str

    def __str__(self) -> str:
        return f"{self.split} {self.place or self.id}"

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"split": self.split, "index": self.index, "id": self.id, "place": self.place}


@dataclass(frozen=True)
class Contents:
    """The splits of a data set with what is compared of each example.

    Args:
        splits: train, dev and test.
        keys: of each example what it has in common with those that count as the same (``Task.key``).
        ids: of each example, as in ``predictions.jsonl``.
    """

    splits: Mapping[str, Split]
    keys: Mapping[str, Sequence[str]]
    ids: Mapping[str, Sequence[str]]

    def item(self, split: str, index: int) -> Item:
        """The name of an example."""
        origins = self.splits[split].origins
        return Item(split, index, self.ids[split][index], origins.place(index) if origins is not None else "")

    def text(self, item: Item) -> str:
        """The input of an example; words of data that comes split with spaces between."""
        return texts_of(self.splits[item.split].inputs)[item.index]

    def target(self, split: str, index: int) -> str:
        """The target of an example as text: the label, the tags with spaces between, the translation."""
        value = plain(self.splits[split].targets)[index]
        return value if isinstance(value, str) else " ".join(value)


def contents_of(dataset: Dataset, names: Sequence[str] = SPLITS) -> Contents:
    """The splits called ``names``."""
    splits = {name: getattr(dataset, name) for name in names}
    return Contents(
        splits,
        {name: keys_of(dataset, split) for name, split in splits.items()},
        {name: example_ids(split.inputs) for name, split in splits.items()},
    )


def keys_of(dataset: Dataset, split: Split) -> list[str]:
    """What each example has in common with those that count as the same."""
    return [dataset.task.key(split.inputs, i) for i in range(len(split))]


def texts_of(inputs: Wire) -> Sequence[str]:
    """The inputs as texts; of data that comes split, the words with spaces between."""
    if isinstance(inputs, Tokens):
        return inputs.texts
    assert isinstance(inputs, Text), type(inputs)
    return inputs.strings
