"""Cross-validation: a data set as K data sets, in each of which another part of the examples is the test split.

The fold of an example is decided by a hash of its text, or of its group where the data has groups, so that it depends
neither on the order of the file nor on a library's random numbers. Labels keep their shares.
"""

from __future__ import annotations

import copy
import hashlib
import warnings
from dataclasses import replace

import numpy as np

from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.splits import digest_of, key_ranks, keys_of, strata_of
from nlpipe.datasets.stratification import stratify
from nlpipe.datasets.unseen import label_counts
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.tasks.task import Split
from nlpipe.wire import Labels, LabelSets

DEV_SHARE = 0.1
"""Of the examples that are not in a fold, for early stopping and calibration."""


def pool_of(dataset: Dataset) -> Split:
    """All examples that folds are made of: those of a test split that was given are left untouched."""
    parts = [dataset.train, dataset.dev, *([dataset.test] if "test" in dataset.made else [])]
    return Split.joined(parts)


def fold_of(dataset: Dataset, count: int, number: int) -> Dataset:
    """The data set whose test split is fold ``number``; the numbers from ``count`` on are those of a further repeat.

    Raises:
        DataError: there are fewer examples or groups than the folds need.
    """
    pool = pool_of(dataset)
    repeat, fold = divmod(number, count)
    folds = _assigned(dataset, pool, count, repeat)
    test = np.flatnonzero(folds == fold)
    rest = np.flatnonzero(folds != fold)
    inner = _assigned(dataset, pool.take(rest.tolist()), round(1 / DEV_SHARE), repeat + 1000, least=2)
    dev, train = rest[inner == 0], rest[inner != 0]
    if not len(dev) or not len(train):
        raise DataError(f"{dataset.name}: {len(pool):,} examples are too few for {count} folds with a dev split")
    splits = {"train": dataset.task.training(pool.take(train.tolist())), "dev": pool.take(dev.tolist()),
              "test": pool.take(test.tolist())}  # fmt: skip
    task, labels = copy.deepcopy(dataset.task), dataset.labels
    if not task.label_role:
        labels = task.labels(splits["train"])
    elif not dataset.ordinal:
        present = set(label_counts(splits["train"], typed=False))
        labels = tuple(label for label in labels if label in present)
    title = f"{dataset.name}, fold {fold + 1} of {count}" + (f", repeat {repeat + 1}" if repeat else "")
    return replace(
        dataset, name=title, task=task, train=splits["train"], dev=splits["dev"], test=splits["test"], labels=labels,
        digest=digest_of(splits),
    )  # fmt: skip


def inner_folds(dataset: Dataset, count: int) -> tuple[Dataset, ...]:
    """Data sets whose test splits are ``count`` parts of the training and dev splits; the test split is in none.

    Raises:
        DataError: there are fewer examples or groups than the folds need.
    """
    inner = replace(dataset, name=f"{dataset.name}, training and dev", made=dataset.made - {"test"})
    check_folds(inner, count)
    return tuple(fold_of(inner, count, number) for number in range(count))


def fold_numbers(dataset: Dataset, count: int, repeat: int = 0) -> np.ndarray:
    """(N,) the fold whose test split each example of ``pool_of`` is in."""
    return _assigned(dataset, pool_of(dataset), count, repeat)


def check_folds(dataset: Dataset, count: int) -> None:
    """Check that every fold has examples, and every label is in at least two of them.

    Raises:
        DataError: there are too few.
    """
    pool = pool_of(dataset)
    names = pool.groups if pool.groups is not None else keys_of(dataset.task, pool)
    what = "groups" if pool.groups is not None else "different examples"
    if len(set(names)) < count:
        raise DataError(f"{dataset.name}: {len(set(names)):,} {what} are too few for {count} folds; give fewer folds")
    if isinstance(pool.targets, Labels | LabelSets):
        of_label: dict[str, set[str]] = {}
        for name, value in zip(names, pool.targets.values, strict=True):
            for label in [value] if isinstance(value, str) else value:
                of_label.setdefault(label, set()).add(name)
        rarest = min(of_label, key=lambda label: len(of_label[label]))
        if 2 <= len(of_label[rarest]) < count:
            message = (
                f"{dataset.name}: the label '{rarest}' has {len(of_label[rarest])} examples, fewer than the {count}"
            )
            warnings.warn(f"{message} folds: some folds have none of it", NlpipeWarning, stacklevel=2)
        if len(of_label[rarest]) < 2:
            raise DataError(
                f"{dataset.name}: the label '{rarest}' has one example, which is in one fold and then not in training; "
                "remove it, or merge it with another label"
            )


def _assigned(dataset: Dataset, pool: Split, count: int, repeat: int, least: int = 0) -> np.ndarray:
    """(N,) the fold of each example: examples of a stratum take turns, in an order decided by hashes."""
    names = list(pool.groups) if pool.groups is not None else keys_of(dataset.task, pool)
    if isinstance(pool.targets, LabelSets) and pool.groups is None:
        return _assigned_sets(names, pool.targets, count, repeat)
    strata = [""] * len(names) if pool.groups is not None else strata_of(pool)
    members: dict[str, list[str]] = {}
    for name, stratum in dict(zip(names, strata, strict=True)).items():
        members.setdefault(stratum, []).append(name)
    fold: dict[str, int] = {}
    for stratum in sorted(members):
        ordered = sorted(members[stratum], key=lambda name: (key_ranks(repeat, name), name))
        start = int.from_bytes(hashlib.blake2b(stratum.encode("utf-8", "surrogatepass"), digest_size=2).digest(), "big")
        for i, name in enumerate(ordered):
            alone = len(ordered) < least  # stays where it can be learned
            fold[name] = 1 if alone else (start + i) % count
    return np.array([fold[name] for name in names])


def _assigned_sets(names: list[str], targets: LabelSets, count: int, repeat: int) -> np.ndarray:
    """As ``_assigned``, for examples with any number of labels; those of one name have the labels of the first."""
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        first.setdefault(name, i)
    unique = list(first)
    sets = [targets.values[first[name]] for name in unique]
    order = sorted(range(len(unique)), key=lambda i: (key_ranks(repeat, unique[i]), unique[i]))
    smaller, larger = len(unique) // count, len(unique) % count
    sizes = [smaller + (part >= count - larger) for part in range(count)]  # the first is never among the larger ones
    parts = stratify(sets, sizes, order)  # of equals the last: with few examples of a label, fold 0 has none
    fold = dict(zip(unique, parts, strict=True))
    return np.array([fold[name] for name in names])
