"""From the folders of runs to the rows of a comparison and its verdict; nothing is run, and nothing else is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.compare.curves import overtakings
from nlpipe.compare.evidence import Evidence
from nlpipe.compare.question import Candidate
from nlpipe.compare.results import Comparison
from nlpipe.compare.rows import Facts, Row, size_of
from nlpipe.compare.statistics import Sample, compare_folds, compare_samples
from nlpipe.compare.verdict import Verdict, decide
from nlpipe.errors import NlpipeError
from nlpipe.files import read_json
from nlpipe.metrics.jackknife import item_values
from nlpipe.metrics.metric import Metric, Statistics
from nlpipe.runs.result import Result


@dataclass(frozen=True)
class Entry:
    """One pipeline at one training size, as a comparison carried it out.

    Args:
        folders: of its runs, one a seed.
        errors: a line for each run that failed.
        uses_seed: whether another seed could give another pipeline.
        neural: whether it is trained by gradients; None of answers from elsewhere.
        added: whether it is the baseline that nlpipe added.
        folds: which fold each run answered; empty without folds.
        tune_seconds: how long the trials of a search of its options took to fit, on average over folds; 0 without one.
    """

    name: str
    train_size: int | None
    folders: tuple[Path, ...]
    errors: tuple[str, ...] = ()
    uses_seed: bool = True
    neural: bool | None = False
    added: bool = False
    folds: tuple[int, ...] = ()
    tune_seconds: float = 0.0


def gather(facts: Facts, entries: Sequence[Entry], folder: Path) -> Comparison:
    """The comparison of what was run.

    Args:
        folder: the comparison's own folder.
    """
    rows, verdicts = [], {}
    chosen_from: dict[int | None, list[Entry]] = {}
    for size in dict.fromkeys(entry.train_size for entry in entries):
        whole = [_checked(entry, facts) for entry in entries if entry.train_size == size]
        done = [entry for entry in whole if entry.folders]
        evidence = _evidence(done, facts, size) if done else None
        for entry in whole:
            place = done.index(entry) if entry in done else None
            rows.append(_row(entry, facts, evidence, place))
        if done:
            verdict = decide(facts.question, [_candidate(entry, facts) for entry in done], evidence)
            verdict = _without_failed(verdict, [entry.name for entry in whole if entry not in done])
            verdicts[size], chosen_from[size] = _with_leaks(verdict, facts), done
    largest = max(verdicts, key=lambda size: np.inf if size is None else size, default=None)
    if facts.choose == "dev" and verdicts:
        verdicts[largest] = _with_test(verdicts[largest], chosen_from[largest])
    if len(verdicts) > 1:
        told = tuple(str(overtaking) for overtaking in overtakings(verdicts))
        verdicts[largest] = replace(verdicts[largest], sentences=(*verdicts[largest].sentences, *told))
    sign = -1.0 if facts.higher_is_better else 1.0
    rows.sort(key=lambda row: (size_of(row), row.score is None, sign * (row.score or 0.0)))
    return Comparison(facts, tuple(rows), folder, verdicts)


def record_of(comparison: Comparison, entries: Sequence[Entry]) -> dict[str, Any]:
    """The content of ``comparison.json``: what ``reopen`` needs, and the rows for a reader."""
    return {
        "facts": asdict(comparison.facts),
        "entries": [
            {**asdict(entry), "folders": [folder.name for folder in entry.folders]} for entry in entries
        ],
        "rows": comparison.records(),
    }  # fmt: skip


def reopen(folder: Path) -> Comparison:
    """The comparison whose folder this is, from the folders of its runs, which lie beside it.

    Raises:
        NlpipeError: the folder is not that of a comparison.
    """
    path = folder / "comparison.json"
    content = read_json(path)
    try:
        facts = Facts(
            **{**content["facts"], **{key: tuple(content["facts"][key]) for key in ("user_metrics", "leaked")}}
        )
        entries = [
            Entry(**{
                **entry, "folders": tuple(folder.parent / name for name in entry["folders"]),
                "errors": tuple(entry["errors"]), "folds": tuple(entry["folds"]),
            })
            for entry in content["entries"]
        ]  # fmt: skip
    except (KeyError, TypeError):
        raise NlpipeError(f"{path}: not as this version of nlpipe writes it; compare again") from None
    return gather(facts, entries, folder)


def _checked(entry: Entry, facts: Facts) -> Entry:
    """The entry without the runs whose folders cannot be read, or that answered other items; they are errors."""
    good, folds, errors = [], [], list(entry.errors)
    for i, folder in enumerate(entry.folders):
        result = Result(folder)
        try:
            statistics = _items(result, facts)[1]
            if result.metrics["primary"] != facts.primary:
                errors.append(f"{entry.name}: {folder} was scored by {result.metrics['primary']}, not {facts.primary}")
            elif facts.digest and result.environment["data_digest"] != facts.digest:
                errors.append(f"{entry.name}: {folder} is of other data than {facts.data}; run it again with --again")
            elif not facts.folds and statistics.shape[0] != facts.test_size:
                errors.append(
                    f"{entry.name}: {folder} has answers to {statistics.shape[0]:,} items, the data has "
                    f"{facts.test_size:,}; run it again with --again"
                )
            else:
                _ = result.costs, result.environment
                good.append(folder)
                folds += [entry.folds[i]] if entry.folds else []
        except NlpipeError as error:
            errors.append(f"{entry.name}: {error}")
    return replace(entry, folders=tuple(good), errors=tuple(errors), folds=tuple(folds))


def _items(result: Result, facts: Facts) -> tuple[Metric, Statistics]:
    """The metric that decides, and its statistics (N, S) of the items that the verdict rests on."""
    return result.dev_items() if facts.choose == "dev" else result.primary_items()


def _groups(folder: Path, facts: Facts, kept: np.ndarray) -> np.ndarray | None:
    """The number of the group of each item that is kept; None where items have none."""
    if not facts.grouped:
        return None
    records = Result(folder).records(dev=facts.choose == "dev")
    names = np.array([record.get("group", "") for record in records])
    return np.unique(names[kept], return_inverse=True)[1]


def _kept(facts: Facts) -> np.ndarray:
    """Indices of the items that the verdict rests on."""
    return np.setdiff1d(np.arange(facts.test_size), facts.leaked)


def _sample(entry: Entry, facts: Facts) -> Sample:
    """The item values of an entry's runs, a higher one better."""
    sign = 1.0 if facts.higher_is_better else -1.0
    scores, values = [], []
    kept = _kept(facts)
    groups = _groups(entry.folders[0], facts, kept)
    for folder in entry.folders:
        metric, statistics = _items(Result(folder), facts)
        score, items = item_values(partial(_primary, metric, facts.primary), statistics[kept], groups)
        scores.append(sign * score)
        values.append(sign * items)
    return Sample(np.array(scores), np.stack(values), entry.uses_seed)


def _primary(metric: Metric, name: str, sums: np.ndarray) -> np.ndarray:
    """One score (...) of the sums (..., S) of a metric's statistics."""
    return metric.scores(sums)[name]


def _evidence(entries: Sequence[Entry], facts: Facts, size: int | None) -> Evidence | None:
    """The differences between entries; None where there is one item, or no two folds that all have.

    With a part of the training split a seed is common to all of them.
    """
    if facts.folds:
        common = sorted(set.intersection(*(set(entry.folds) for entry in entries)))
        if len(common) < 2:
            return None
        sign = 1.0 if facts.higher_is_better else -1.0
        folders = [dict(zip(entry.folds, entry.folders, strict=True)) for entry in entries]
        scores = np.array([[sign * Result(of_fold[fold]).score for fold in common] for of_fold in folders])
        return compare_folds(scores, facts.folds)
    if len(_kept(facts)) < 2:
        return None
    samples = [_sample(entry, facts) for entry in entries]
    if samples[0].values.shape[1] < 2:
        return None
    whole = [np.round(sample.values) for sample in samples]
    shares = all(
        bool(((rounded == 0) | (rounded == 1)).all()) and np.allclose(rounded, sample.values, atol=1e-6)
        for rounded, sample in zip(whole, samples, strict=True)
    )
    if shares:  # what is left of rounding errors would count as luck
        samples = [replace(sample, values=rounded) for rounded, sample in zip(whole, samples, strict=True)]
    same_seeds = size is not None and len({len(sample.scores) for sample in samples}) == 1
    return compare_samples(samples, shares, same_seeds)


def _with_test(verdict: Verdict, entries: Sequence[Entry]) -> Verdict:
    """The verdict with the test score of the pipeline that was chosen on dev, the only one that is looked at."""
    if verdict.chosen is None:
        return verdict
    entry = next(entry for entry in entries if entry.name == verdict.chosen)
    score = float(np.mean([Result(folder).score for folder in entry.folders]))
    text = (
        f"Chosen on dev; on test, which is looked at once and for it alone, it scores {verdict.question.amount(score)}."
    )
    return replace(verdict, sentences=(verdict.sentences[0], text, *verdict.sentences[1:]))


def _without_failed(verdict: Verdict, failed: Sequence[str]) -> Verdict:
    """The verdict with a sentence about pipelines of which no run ended well, so that it says nothing about them."""
    if not failed:
        return verdict
    runs = "every run" if len(failed) == 1 else "every run of them"
    text = f"Without {', '.join(failed)}: {runs} failed, so that the verdict is about the others alone."
    return replace(verdict, sentences=(verdict.sentences[0], text, *verdict.sentences[1:]))


def _with_leaks(verdict: Verdict, facts: Facts) -> Verdict:
    """The verdict with a sentence about test items that stand in the training split too."""
    if not facts.leaked:
        return verdict
    if verdict.evidence is None:
        kept = len(_kept(facts))
        text = f"No verdict: of {facts.test_size:,} test items, {kept} do not stand in the training split too."
        return replace(verdict, sentences=(text,))
    text = (
        f"{len(facts.leaked):,} of {facts.test_size:,} test items stand, exactly or nearly, in the training split too: "
        f"the verdict rests on the other {len(_kept(facts)):,}, and the table has the scores of all items and of these."
    )
    return replace(verdict, sentences=(verdict.sentences[0], text, *verdict.sentences[1:]))


def _candidate(entry: Entry, facts: Facts) -> Candidate:
    total = len(entry.folders) + len(entry.errors)
    failed = f"Of {entry.name} {len(entry.errors)} of {total} runs failed; the others count." if entry.errors else ""
    costs = facts.priced(mean_of([Result(folder).costs for folder in entry.folders]))
    return Candidate(entry.name, costs, entry.neural, entry.added, failed)


def _row(entry: Entry, facts: Facts, evidence: Evidence | None, place: int | None) -> Row:
    results = tuple(Result(folder) for folder in entry.folders)
    row = Row(entry.name, entry.train_size, results, entry.errors, added=entry.added, folds=entry.folds)
    if not results:
        return row
    on_dev = facts.choose == "dev"
    all_scores = [result.metrics["dev"] if on_dev else result.scores for result in results]
    scores = np.array([each[facts.primary] for each in all_scores])
    costs = facts.priced(mean_of([result.costs for result in results]))
    if entry.tune_seconds:
        costs["tune_seconds"] = entry.tune_seconds
    row = replace(
        row, score=float(scores.mean()), deviation=float(scores.std(ddof=1)) if len(scores) > 1 else None,
        scores=mean_of(all_scores), costs=costs,
        dev=None if on_dev else _dev(results, facts.primary),
    )  # fmt: skip
    if evidence is None or place is None:
        return row
    if facts.leaked:
        row = replace(row, clean=facts.question.reported(evidence.scores[place]))
    low, high = sorted(facts.question.reported(end) for end in evidence.intervals[place])
    if facts.unit == "share":
        low, high = max(low, 0.0), min(high, 1.0)
    return replace(row, low=low, high=high, may_lose=float(evidence.bounds[place]))


def _dev(results: Sequence[Result], primary: str) -> float | None:
    values = [result.metrics["dev"][primary] for result in results if primary in result.metrics.get("dev", {})]
    return float(np.mean(values)) if len(values) == len(results) else None


def mean_of(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The mean of every number over the records that have it; what none has is absent."""
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in record.items():
            if isinstance(value, int | float):
                values.setdefault(name, []).append(value)
    return {name: float(np.mean(numbers)) for name, numbers in values.items()}
