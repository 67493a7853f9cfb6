"""One look at all of a data set: what is doubled, contradicts itself, is rare, far too long, or likely mislabelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nlpipe.audit.contents import Contents, Item, contents_of
from nlpipe.audit.duplicates import Duplicate, duplicates
from nlpipe.audit.label_errors import LabelErrors, label_errors
from nlpipe.audit.lengths import Outlier, outliers
from nlpipe.audit.near import THRESHOLD
from nlpipe.datasets.cards import SPLITS
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.unseen import label_counts, typed_entities
from nlpipe.wire import Labels, LabelSets, Tags


@dataclass(frozen=True)
class Conflict:
    """Equal inputs with different targets.

    Args:
        items: the first example of each target.
        targets: what they have: labels, tags with spaces between, or translations.
        counts: how many examples have each target.
    """

    items: tuple[Item, ...]
    targets: tuple[str, ...]
    counts: tuple[int, ...]

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "items": [item.record() for item in self.items],
            "targets": list(self.targets),
            "counts": list(self.counts),
        }


@dataclass(frozen=True)
class Audit:
    """What was found in a data set.

    Args:
        name: of the data set.
        task: its name.
        threshold: Jaccard similarity from which two texts are near duplicates.
        sizes: number of examples by split.
        duplicates: in the order of the data; each example at most once for its split and for each earlier one.
        conflicts: in the order of the data.
        classes: by split, how often each label, entity type or tag occurs; empty for translation.
        outliers: lengths far from those of the training split, the farthest first.
        label_errors: likely label errors; None where they were not looked for, or there is too little to train on.
    """

    name: str
    task: str
    threshold: float
    sizes: Mapping[str, int]
    duplicates: tuple[Duplicate, ...]
    conflicts: tuple[Conflict, ...]
    classes: Mapping[str, Mapping[str, int]]
    outliers: tuple[Outlier, ...]
    label_errors: LabelErrors | None

    def counts(self) -> dict[str, dict[str, int]]:
        """How many examples are duplicates: ``{"test in train": {"exact": 3, "normalised": 0, "near": 2}}``."""
        table: dict[str, dict[str, int]] = {}
        for place, name in enumerate(SPLITS):
            for other in SPLITS[: place + 1]:
                where = f"within {name}" if other == name else f"{name} in {other}"
                table[where] = {"exact": 0, "normalised": 0, "near": 0}
        for found in self.duplicates:
            within = found.item.split == found.of.split
            where = f"within {found.item.split}" if within else f"{found.item.split} in {found.of.split}"
            table[where][found.kind] += 1
        return table

    def imbalance(self) -> float | None:
        """How many times as often the most frequent class occurs in training as the rarest; None without classes."""
        counts = self.classes.get("train", {}).values()
        return max(counts) / min(counts) if counts else None

    def record(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "name": self.name, "task": self.task, "threshold": self.threshold, "sizes": dict(self.sizes),
            "counts": self.counts(), "imbalance": self.imbalance(),
            "classes": {split: dict(counts) for split, counts in self.classes.items()},
            "duplicates": [found.record() for found in self.duplicates],
            "conflicts": [found.record() for found in self.conflicts],
            "outliers": [found.record() for found in self.outliers],
            "label_errors": None if self.label_errors is None else self.label_errors.record(),
        }  # fmt: skip


def audit(dataset: Dataset, threshold: float = THRESHOLD, find_label_errors: bool = True) -> Audit:
    """Look through ``dataset``.

    Args:
        threshold: Jaccard similarity of character n-grams from which two texts are near duplicates.
        find_label_errors: whether to look for likely label errors, which trains five models; classification only.

    Raises:
        NlpipeError: the threshold is not above 0, or above 1.
    """
    contents = contents_of(dataset)
    return Audit(
        dataset.name,
        dataset.task.name,
        threshold,
        {name: len(split) for name, split in contents.splits.items()},
        tuple(duplicates(contents, threshold)),
        tuple(conflicts(contents)),
        _classes(contents),
        tuple(outliers(contents)),
        label_errors(contents) if find_label_errors else None,
    )


def conflicts(contents: Contents) -> list[Conflict]:
    """Equal inputs (``Task.key``) with different targets, within a split or across splits."""
    groups: dict[str, dict[str, list[tuple[str, int]]]] = {}
    for name, keys in contents.keys.items():
        for i, key in enumerate(keys):
            groups.setdefault(key, {}).setdefault(contents.target(name, i), []).append((name, i))
    return [
        Conflict(
            tuple(contents.item(*members[0]) for members in targets.values()),
            tuple(targets),
            tuple(len(members) for members in targets.values()),
        )
        for targets in groups.values()
        if len(targets) > 1
    ]


def _classes(contents: Contents) -> dict[str, dict[str, int]]:
    """How often each label, entity type or tag occurs in each split; most frequent first."""
    if not isinstance(contents.splits["train"].targets, Labels | LabelSets | Tags):
        return {}
    typed = typed_entities(contents.splits["train"])
    counts = {name: label_counts(split, typed) for name, split in contents.splits.items()}
    return {name: dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))) for name, found in counts.items()}
