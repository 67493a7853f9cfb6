"""A comparison: every run is carried out, and their results are brought together in a folder."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.audit import leaked
from nlpipe.compare.audited import audited, hidden_splits
from nlpipe.compare.elsewhere import take_in
from nlpipe.compare.execute import Outcome, execute
from nlpipe.compare.gather import Entry, gather, record_of
from nlpipe.compare.plan import Job, hash_of, is_neural, jobs_of, uses_seed, with_baseline
from nlpipe.compare.results import Comparison
from nlpipe.compare.rows import Facts
from nlpipe.compare.training_sizes import check_sizes
from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.folds import check_folds, fold_of, pool_of
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import MissingExtra, NlpipeError, NlpipeWarning
from nlpipe.files import whole_folder, write_json
from nlpipe.runs.ledger import recorded, steps_done
from nlpipe.runs.measure import measure
from nlpipe.spec import ComparisonSpec
from nlpipe.tuning import tune, tuned_before
from nlpipe.user_code import stop_if_registering


@dataclass(frozen=True)
class Plan:
    """A comparison that is about to be carried out.

    Args:
        spec: with the baseline, where one was added.
        added: name of that baseline.
        answers: names of the answers from elsewhere, and the folders that they were taken into.
        jobs: every run; in folds, each with a search of its own where its pipeline asks for one.
        tune_seconds: name of each pipeline that was tuned beforehand to how long all its trials took to fit.
    """

    spec: ComparisonSpec
    dataset: Dataset
    facts: Facts
    added: str | None
    answers: tuple[tuple[str, Path], ...]
    jobs: tuple[Job, ...]
    tune_seconds: Mapping[str, float] = field(default_factory=dict)


def plan(
    spec: ComparisonSpec,
    out: Path = Path("runs"),
    tuning: bool = True,
    report: Callable[[str], None] = lambda text: None,
) -> Plan:
    """Read the data and the answers from elsewhere, tune the pipelines that ask for it, and list the runs.

    In folds nothing is tuned yet: each run is to search the options in the training part of its own fold.

    Args:
        tuning: whether to search the options that pipelines name under ``tune``; otherwise what was searched before is
            read, and a pipeline of which nothing was keeps its ``tune``.
        report: called with what a search is doing.

    Raises:
        NlpipeError: the file or the data has faults, or a search failed.
    """
    stop_if_registering()
    if spec.data is None:
        raise NlpipeError(f"{spec.path}: no data: say 'data: CARD' in the file, or data=CARD on the command line")
    dataset = load_dataset(spec.data)  # faults of the data are reported once, before any worker starts
    facts = facts_of(spec, dataset)
    if spec.folds is not None:
        check_folds(dataset, spec.folds)
    check_sizes(spec, dataset)
    answers = tuple((each.name, take_in(each, dataset, out)) for each in spec.answers)
    spec, added = with_baseline(spec, dataset.task.name)
    seconds: dict[str, float] = {}
    if spec.folds is None:
        pipelines = []
        for each in spec.pipelines:
            if tuning and each.tune is not None:
                search = tune(each, dataset, out, report=lambda text, name=each.name: report(f"{name}: {text}"))  # type: ignore[misc]
                seconds[each.name] = search.fit_seconds
                pipelines.append(search.spec)
            else:
                pipelines.append(tuned_before(each, dataset, out) or each)
        spec = replace(spec, pipelines=tuple(pipelines))
    return Plan(spec, dataset, facts, added, answers, tuple(jobs_of(spec)), seconds)


def compare(
    spec: ComparisonSpec,
    out: Path = Path("runs"),
    jobs: int = 1,
    report: Callable[[Job, str], None] = lambda job, text: None,
    ended: Callable[[Outcome], None] = lambda outcome: None,
    planned: Callable[[Sequence[Job]], None] = lambda runs: None,
    cluster: str | None = None,
    tuned: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Run every pipeline of ``spec`` with its seeds and training sizes, and decide between them.

    A baseline is added where no pipeline is classical.

    Args:
        out: the folder that run folders and the comparison's own folder are written into.
        jobs: runs at a time, each in a process of its own.
        report: called with each job and what it is doing.
        ended: called with the outcome of each job that has ended.
        planned: called with all jobs before the first begins.
        cluster: address of the scheduler of a Dask cluster that does the runs.
        tuned: called with what the search for options is doing, before anything is planned.

    Raises:
        NlpipeError: the file or the data has faults. A run that fails is a row of the result.
    """
    made = plan(spec, out, report=tuned)
    planned(made.jobs)
    outcomes = []
    if cluster is None:
        done = execute(made.jobs, out, jobs, report)
    else:
        from nlpipe.compare.cluster import on_cluster

        done = on_cluster(made.jobs, out, cluster, report)
    for outcome in done:
        outcomes.append(outcome)
        ended(outcome)
    _measure(made, outcomes, report)
    entries = entries_of(made.jobs, outcomes, made.added, made.tune_seconds)
    sizes = [job.train_size for job in made.jobs]
    largest = None if None in sizes else max(size for size in sizes if size is not None)
    entries += [Entry(name, largest, (path,), uses_seed=False, neural=None) for name, path in made.answers]
    digest = hash_of(made.jobs, " ".join([made.dataset.digest, *(path.name for _, path in made.answers)]))
    folder = out / f"comparison-{_slug(spec.title)}-{digest}"
    comparison = gather(made.facts, entries, folder)
    write_comparison(comparison, entries, audited(made.dataset, hidden_splits(spec, made.dataset)))
    return comparison


def _how_searched(spec: ComparisonSpec) -> str:
    """A sentence that says how the options of pipelines with ``tune`` are searched; empty where none has it."""
    searches = {each.name: each.tune for each in spec.pipelines if each.tune is not None}
    if not searches:
        return ""
    tuning = next(iter(searches.values()))  # the number of trials and folds is the same for all
    where = "anew in each fold, on its training and dev parts" if spec.folds else "on training and dev"
    text = (
        f"Options of {', '.join(searches)} were searched {where} alone: at most {tuning.trials} trials for each, "
        f"scored {tuning.scored_on}."
    )
    if spec.choose == "dev":
        text += " The verdict rests on dev too; the best of several trials on it is partly luck, which favours them."
    return text


def _measure(made: Plan, outcomes: Sequence[Outcome], report: Callable[[Job, str], None]) -> None:
    """Measure the costs in use, one pipeline after another, now that nothing else is running.

    Of each pipeline and training size it is the first run that did not fail.
    """
    order = {id(job): i for i, job in enumerate(made.jobs)}
    done = set()
    for outcome in sorted(outcomes, key=lambda outcome: order[id(outcome.job)]):
        job, result = outcome.job, outcome.result
        if result is None or (job.spec.name, job.train_size) in done:
            continue
        done.add((job.spec.name, job.train_size))
        if "measure" in steps_done(result.folder):
            continue
        dataset = made.dataset
        if job.folds is not None and job.fold is not None:
            dataset = fold_of(dataset, job.folds, job.fold)
        try:
            with recorded():  # a measurement that fails is a warning of the ledger
                measure(result.folder, dataset, lambda text, job=job: report(job, text))  # type: ignore[misc]
        except NlpipeError as error:  # the disk is full: hours of runs must not be lost for their costs
            message = f"{job}: its costs in use are not known: {error}; the same command measures them"
            warnings.warn(message, NlpipeWarning, stacklevel=3)


def facts_of(spec: ComparisonSpec, dataset: Dataset) -> Facts:
    """What ``spec`` compares, and what it asks.

    Raises:
        NlpipeError: the tolerance is as large as the score can be.
    """
    metric, primary = dataset.task.deciding(dataset.labels, dataset.ordinal)
    definition = metric.definitions[primary]
    if spec.tolerance is not None and spec.tolerance >= 1 and definition.unit == "share":
        raise NlpipeError(
            f"{spec.path}: tolerance: {spec.tolerance:g} is the whole range of {primary}, which is from 0 to 1; "
            f"did you mean {spec.tolerance / 100:g}?"
        )
    items = dataset.dev if spec.choose == "dev" else pool_of(dataset) if spec.folds else dataset.test
    return Facts(
        spec.title, dataset.name, primary, len(items), definition.unit, definition.higher_is_better,
        spec.tolerance, spec.cost, spec.budget, tuple(metric.name for metric in dataset.task.user_metrics()),
        dataset.task.reason, spec.choose, spec.folds or 0, spec.repeats, items.groups is not None,
        () if spec.folds or spec.choose == "dev" else tuple(np.flatnonzero(leaked(dataset).mask).tolist()),
        "" if spec.folds else dataset.digest, _how_searched(spec), spec.price_per_cpu_hour,
    )  # fmt: skip


def entries_of(
    runs: Sequence[Job],
    outcomes: Sequence[Outcome],
    added: str | None = None,
    tune_seconds: Mapping[str, float] | None = None,
) -> list[Entry]:
    """What became of each pipeline at each training size.

    Args:
        added: name of the baseline that was added.
        tune_seconds: of the pipelines that were tuned before their runs, by name.
    """
    beforehand = tune_seconds or {}
    searched: dict[tuple[str, int | None], list[float]] = {}
    entries: dict[tuple[str, int | None], Entry] = {}
    for job in runs:
        entries.setdefault(
            (job.spec.name, job.train_size),
            Entry(
                job.spec.name, job.train_size, (), (), uses_seed(job.spec) or job.train_size is not None,
                is_neural(job.spec), job.spec.name == added, tune_seconds=beforehand.get(job.spec.name, 0.0),
            ),
        )  # fmt: skip
    order = {id(job): i for i, job in enumerate(runs)}
    for outcome in sorted(outcomes, key=lambda outcome: order[id(outcome.job)]):
        key = outcome.job.spec.name, outcome.job.train_size
        entry = entries[key]
        if outcome.result is not None:
            seconds = searched.setdefault(key, [])
            seconds += [outcome.tune_seconds] if outcome.tune_seconds else []
            entries[key] = replace(
                entry,
                tune_seconds=float(np.mean(seconds)) if seconds else entry.tune_seconds,
                folders=(*entry.folders, outcome.result.folder),
                folds=(*entry.folds, outcome.job.fold) if outcome.job.fold is not None else (),
            )
        else:
            entries[key] = replace(entry, errors=(*entry.errors, f"{outcome.job}: {outcome.error}"))
    return list(entries.values())


def write_comparison(comparison: Comparison, entries: Sequence[Entry], audit: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write the comparison's own folder: ``comparison.json``, ``verdict.json``, ``audit.json``,
    ``slices.json``, ``table.md`` and ``report.html``.

    The report is left out where Jinja2 is not installed; should it fail, that is a warning and the rest is there.

    Raises:
        NlpipeError: the disk is full or the folder cannot be written; an older one is as it was, and so are the runs.
    """
    try:
        with whole_folder(comparison.folder) as partial:
            write_json(partial / "comparison.json", record_of(comparison, entries))
            if comparison.verdict is not None:
                write_json(partial / "verdict.json", comparison.verdict.record())
            write_json(partial / "audit.json", list(audit))
            write_json(partial / "slices.json", comparison.slices.records())
            (partial / "table.md").write_text(comparison.table() + "\n", encoding="utf-8")
    except NlpipeError as error:
        raise NlpipeError(
            f"{error}; the runs that are done are kept: the same command goes on to the table and the verdict, once "
            "the folder can be written"
        ) from error
    try:
        comparison.report(comparison.folder / "report.html")
    except MissingExtra:
        pass
    except Exception as error:  # hours of runs must not be lost to a page about them
        message = f"{comparison.folder / 'report.html'} was not written: {type(error).__name__}: {error}"
        warnings.warn(message, NlpipeWarning, stacklevel=2)


def _slug(title: str) -> str:
    """A title as a folder's name."""
    return "-".join(re.findall(r"\w+", title.lower()))[:60] or "untitled"
