"""Tune a pipeline: trials until their number is reached, then the pipeline with the best values.

<out>/tune-<name>-<hash>/journal.jsonl   every trial as Optuna keeps it; a search that was killed goes on from it
                         trials.jsonl    the trials that have ended, one a line
                         tuned.yaml      the pipeline with the best values; it runs as it is
"""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpipe.datasets.dataset import Dataset
from nlpipe.errors import NlpipeError
from nlpipe.files import whole_file
from nlpipe.runs.fit import check_size
from nlpipe.runs.identity import run_hash
from nlpipe.runs.lock import locked
from nlpipe.spec import PipelineSpec, read_pipeline, to_yaml
from nlpipe.spec.search_space import Tuning
from nlpipe.spec.tune import own_settings, with_settings
from nlpipe.tuning.trial import Stopwatch, Trial, TrialData, fit_and_score, primary_score, trial_data

if TYPE_CHECKING:
    from nlpipe.training.history import Epoch
    from nlpipe.tuning.study import Study

Report = Callable[[str], None]


def silent(message: str) -> None:
    """Report nothing."""


class Pruned(Exception):
    """A trial whose training was stopped, because other trials were better after as many epochs."""

    def __init__(self, epoch: int, score: float) -> None:
        self.epoch, self.score = epoch, score
        super().__init__(epoch)


@dataclass(frozen=True)
class Tuned:
    """How a search ended.

    Args:
        spec: the pipeline with the best values; it has no ``tune``.
        folder: what the search left.
        metric: name of the score that it chose by.
        scored_on: what trials were scored on: ``on dev``, or ``in 5 folds``.
        trials: all of them, in the order in which they ended.
        best: the trial whose values the pipeline has.
        own: whether the first trial has the values of the file itself.
        importances: the share of each option in what separates good trials from others; empty if too few trials ended.
    """

    spec: PipelineSpec
    folder: Path
    metric: str
    scored_on: str
    trials: tuple[Trial, ...]
    best: Trial
    own: bool
    importances: Mapping[str, float]

    @property
    def fit_seconds(self) -> float:
        """How long the pipelines of all trials learned."""
        return sum(trial.fit_seconds for trial in self.trials)


def tuned(
    spec: PipelineSpec, dataset: Dataset, out: Path, trials: int | None = None, report: Report = silent
) -> PipelineSpec:
    """``spec`` with the best values of its search and no ``tune``; as it is if it has none. See ``tune``."""
    return spec if spec.tune is None else tune(spec, dataset, out, trials, report).spec


def tune(spec: PipelineSpec, dataset: Dataset, out: Path, trials: int | None = None, report: Report = silent) -> Tuned:
    """Search the options that ``spec.tune`` names by their score on dev or in folds; the test split is not read.

    The same search again reads its journal and does only what is missing; more trials go on from the earlier ones. If
    all settings can be tried within the number of trials, each is tried once.

    Args:
        out: the folder that the folder of the search is written into.
        trials: replaces the number of ``spec.tune``.
        report: called with what is being done, in a few words.

    Raises:
        NlpipeError: there is nothing to search, no dev split, too few examples for the folds, every trial failed, or
            Optuna is not installed.
    """
    from nlpipe.tuning import study  # Optuna is missed before anything is written

    _ = study
    if spec.tune is None:
        message = "no 'tune' in this file: name what to search, such as 'tune: {head.C: [0.01, 100, log]}'"
        raise NlpipeError(f"{spec.path}: {message}")
    tuning = spec.tune if trials is None else replace(spec.tune, trials=trials)
    data = trial_data(dataset, tuning.folds)
    if spec.train_size is not None:
        fewest = min((each.dataset for each in data), key=lambda each: len(each.train))
        check_size(spec.train_size, fewest.train, fewest.name)
    folder = out / _folder_name(spec, dataset)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NlpipeError(f"{folder}: {error.strerror}; choose another folder with --out") from None
    waiting = "another process does this search: waiting for it"
    try:
        with locked(out / f".{folder.name}.lock", lambda: report(waiting)):
            return _search(spec, tuning, data, dataset, folder, report)
    except OSError as error:
        raise NlpipeError(
            f"{error.filename or folder / 'journal.jsonl'}: {error.strerror or error}; the trials that have ended are "
            "kept, and the same command goes on with them"
        ) from error


def _search(
    spec: PipelineSpec, tuning: Tuning, data: Sequence[TrialData], dataset: Dataset, folder: Path, report: Report
) -> Tuned:
    """Do the trials that are missing, and write what the search leaves.

    Raises:
        NlpipeError: every trial failed, or the disk is full.
        OSError: the journal cannot be written.
    """
    from nlpipe.tuning.study import Study

    metric, higher_is_better = primary_score(dataset)
    own = own_settings(spec, tuning)
    study = Study(folder / "journal.jsonl", tuning, own, spec.seed, higher_is_better)
    done = study.ended()
    if done:
        report(f"{len(done)} trials done before: going on from there")
    while (asked := study.ask()) is not None:
        study.tell(asked[0], _attempt(spec, data, asked, study, report))
        ended = study.ended()
        _write_trials(folder / "trials.jsonl", ended)
        text = line(ended[-1], metric, tuning.scored_on)
        report(f"[{len(ended)}/{min(tuning.trials, tuning.size or tuning.trials)}] {text}")
    ended, best = study.ended(), study.best()
    _write_trials(folder / "trials.jsonl", ended)
    if best is None:
        reasons = list(dict.fromkeys(trial.error for trial in ended if trial.error))
        raise NlpipeError(f"{spec.path}: all {len(ended)} trials failed: {'; '.join(reasons[:3])}")
    chosen = with_settings(spec, best.settings)
    first = bool(ended) and own is not None and ended[0].settings == own
    result = Tuned(chosen, folder, metric, tuning.scored_on, tuple(ended), best, first, study.importances())
    _write_pipeline(folder / "tuned.yaml", result)
    return result


def tuned_before(spec: PipelineSpec, dataset: Dataset, out: Path) -> PipelineSpec | None:
    """What ``tuned`` gave when the same search was done before, as far as its folder says; None if it was not."""
    if spec.tune is None:
        return spec
    folder = out / _folder_name(spec, dataset)
    trials, tuning = folder / "trials.jsonl", spec.tune
    try:
        count = len(trials.read_text(encoding="utf-8").splitlines())
        whole = count == min(tuning.trials, tuning.size or tuning.trials)
        return replace(read_pipeline(folder / "tuned.yaml"), path=spec.path) if whole else None
    except (OSError, NlpipeError):
        return None


def _folder_name(spec: PipelineSpec, dataset: Dataset) -> str:
    """The name of the search's folder, with twelve digits that differ where anything differs that a trial depends on.

    The number of trials is not part of it, so that a longer search goes on from a shorter one.
    """
    assert spec.tune is not None
    axes = [(axis.key, repr(axis.domain)) for axis in spec.tune.axes]
    folds = [] if spec.tune.folds is None else [spec.tune.folds]
    content = [run_hash(spec, dataset, spec.seed, spec.train_size, "dev"), axes, primary_score(dataset)[0], *folds]
    return f"tune-{spec.name}-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]}"


def _attempt(
    spec: PipelineSpec, data: Sequence[TrialData], asked: tuple[Any, dict[str, Any]], study: Study, report: Report
) -> dict[str, Any]:
    """Carry out one trial: the fields of ``Trial`` but for its number. A trial that fails is a record too."""
    from nlpipe.tuning.study import is_worse_than_most

    trial, settings = asked
    ended = study.ended()
    number = len(ended) + 1
    earlier = next((other for other in ended if other.settings == settings), None)
    if earlier is not None:
        record = asdict(replace(earlier, fit_seconds=0.0, seconds=0.0, repeats=earlier.repeats or earlier.number))
        record.pop("number")
        return record
    watch = Stopwatch()
    last = spec.trainer.get("epochs", 0)
    if "trainer.epochs" in settings:
        last = settings["trainer.epochs"]

    def after_epoch(epoch: Epoch) -> None:
        worse = is_worse_than_most(trial, epoch.epoch, epoch.score)
        if worse and epoch.score is not None and epoch.epoch < last:
            raise Pruned(epoch.epoch, epoch.score)

    def ended_with(state: str, score: float | None, seconds: float, epochs: int = 0, error: str = "") -> dict[str, Any]:
        return {
            "settings": settings, "state": state, "score": score, "fit_seconds": seconds, "seconds": watch.seconds,
            "epochs": epochs, "repeats": None, "error": error, "warnings": [],
        }  # fmt: skip

    try:
        scored = fit_and_score(
            with_settings(spec, settings), data, lambda text: report(f"trial {number}: {text}"), after_epoch
        )
    except Pruned as pruned:
        return ended_with("pruned", pruned.score, watch.seconds, pruned.epoch)
    except NlpipeError as error:
        return ended_with("failed", None, watch.seconds, error=str(error))
    except MemoryError:
        return ended_with("failed", None, watch.seconds, error="out of memory")
    except Exception as error:
        traceback.print_exc()  # a fault of nlpipe or of a user's stage: where it is must be seen
        return ended_with("failed", None, watch.seconds, error=f"{type(error).__name__}: {error}")
    record = ended_with("complete", scored.score, scored.fit_seconds, scored.epochs)
    return {**record, "warnings": list(scored.warnings)}


def line(trial: Trial, metric: str, scored_on: str) -> str:
    """A trial in one line, for a terminal."""
    values = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in trial.settings.items())
    if trial.state == "failed":
        return f"{values}: failed: {trial.error}"
    pruned = f"stopped after epoch {trial.epochs} at " if trial.state == "pruned" else ""
    text = f"{values}: {pruned}{metric} {trial.score:.4f} {'on dev' if pruned else scored_on}"
    return f"{text}, as trial {trial.repeats}" if trial.repeats else f"{text}, {trial.fit_seconds:.1f} s to fit"


def _write_trials(path: Path, trials: list[Trial]) -> None:
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for trial in trials:
            file.write(json.dumps(asdict(trial), ensure_ascii=False) + "\n")


def _write_pipeline(path: Path, result: Tuned) -> None:
    """Write the pipeline with the best values, under a comment that says how they were found."""
    states = [trial.state for trial in result.trials]
    failed = f", {states.count('failed')} failed" if "failed" in states else ""
    pruned = f", {states.count('pruned')} stopped early" if "pruned" in states else ""
    comment = (
        f"# nlpipe tune: {len(states)} trials{failed}{pruned}, {result.fit_seconds:.1f} s to fit them all.\n"
        f"# {result.metric} {result.best.score:.4f} {result.scored_on}, in trial {result.best.number}. It is the best\n"
        "# of several scores on the same examples, and so optimistic; the test split was not read.\n"
    )
    with whole_file(path) as partial:
        partial.write_text(comment + to_yaml(result.spec.resolved()), encoding="utf-8")
