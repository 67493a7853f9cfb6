"""The training sizes of a comparison, checked before anything is fitted: whether there are as many examples, and labels
to learn among them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

from nlpipe.compare.plan import Job, jobs_of, sizes_of
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.folds import fold_of
from nlpipe.datasets.unseen import label_counts
from nlpipe.errors import NlpipeError, NlpipeWarning
from nlpipe.runs.fit import sample
from nlpipe.spec import ComparisonSpec
from nlpipe.tuning.trial import trial_data
from nlpipe.wire import Labels, LabelSets


def check_sizes(spec: ComparisonSpec, dataset: Dataset) -> None:
    """Check every training size of ``spec``, and those of its pipelines' own files.

    With folds it is the training part of each fold that must be as large, and for a pipeline that is tuned in folds
    that of each inner fold as well. A label that a sample lacks is a warning.

    Raises:
        NlpipeError: a size is above the number of examples or equal to it beside ``all``, or all examples of a sample
            have one label.
    """
    sizes, sized = sizes_of(spec), [job for job in jobs_of(spec) if job.train_size is not None]
    least: dict[tuple[str, int], tuple[int, str]] = {}  # place and size to the fewest examples, and what has so few
    lacking: dict[int, dict[str, None]] = {}
    for part, jobs in _parts(sized, dataset):
        for job in jobs:
            assert job.train_size is not None
            common = job.train_size in sizes
            place = f"{spec.path}: train_sizes" if common else f"{job.spec.path}: train_size"
            found = [(len(part.train), part.name)]
            if job.spec.tune is not None and not common:  # trials have the size of the pipeline's own file
                found += [
                    (len(each.dataset.train), each.dataset.name) for each in trial_data(part, job.spec.tune.folds)
                ]
            key = (place, job.train_size)
            least[key] = min([*found, least.get(key, found[0])])
        for size, seed in {(job.train_size, job.seed): None for job in jobs}:
            if size is not None and size <= len(part.train):
                lacking.setdefault(size, {}).update(dict.fromkeys(_lacking(part, size, seed, spec.path)))
    for (place, size), (count, name) in least.items():
        if size > count:
            raise NlpipeError(
                f"{place}: {size:,} is more than the {count:,} training examples of {name}; give at most {count:,}"
            )
    if None in sizes and spec.folds is None and len(dataset.train) in sizes:
        raise NlpipeError(
            f"{spec.path}: train_sizes: {len(dataset.train):,} are all training examples of {dataset.name}, as 'all' "
            "is; leave one of them out"
        )
    for size, labels in lacking.items():
        if labels:
            names = ", ".join(f"'{label}'" for label in list(labels)[:5]) + (" …" if len(labels) > 5 else "")
            warnings.warn(
                f"{spec.path}: of {size:,} training examples some samples have none with the label {names}, which "
                "cannot be learned from them",
                NlpipeWarning,
                stacklevel=2,
            )


def _parts(jobs: Sequence[Job], dataset: Dataset) -> Iterator[tuple[Dataset, list[Job]]]:
    """The data of each fold, or all of it, with the jobs that are trained on it."""
    of_fold: dict[int | None, list[Job]] = {}
    for job in jobs:
        of_fold.setdefault(job.fold, []).append(job)
    for fold, its in of_fold.items():
        folds = its[0].folds
        yield (dataset if fold is None or folds is None else fold_of(dataset, folds, fold)), its


def _lacking(part: Dataset, size: int, seed: int, path: str) -> Sequence[str]:
    """The labels of the training split that the sample of this size and seed lacks.

    Raises:
        NlpipeError: it has one label, and the training split others.
    """
    if isinstance(part.train.targets, LabelSets):
        known = label_counts(part.train, typed=False)
        present = label_counts(sample(part.train, size, seed, part.name), typed=False)
        if not present:
            raise NlpipeError(
                f"{path}: {size:,} training examples: with seed {seed} none of {part.name} has a label; give a larger "
                "size"
            )
        return [label for label in known if label not in present]
    if not isinstance(part.train.targets, Labels):
        return ()
    targets = sample(part.train, size, seed, part.name).targets
    assert isinstance(targets, Labels)
    of_sample, of_all = set(targets.values), dict.fromkeys(part.train.targets.values)
    if len(of_sample) == 1 < len(of_all):
        raise NlpipeError(
            f"{path}: {size:,} training examples: with seed {seed} all of {part.name} have the label "
            f"'{targets.values[0]}', and two labels are needed; give a larger size"
        )
    return [label for label in of_all if label not in of_sample]
