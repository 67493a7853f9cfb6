"""The runs in a folder: pipeline, data, score and end of each, and those that are damaged or unfinished."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nlpipe.errors import NlpipeError, suggest
from nlpipe.runs.records import FILES, EnvironmentFile, read_metrics, read_record
from nlpipe.runs.result import Result

MARKS = ("environment.json", "metrics.json", "scoring.json", "model", "pipeline.yaml")
"""One of these is in every run's folder, however damaged."""
UNFINISHED = {
    ".unfinished": "unfinished: fitted, not yet answered and scored",
    ".checkpoints": "unfinished: killed while it was trained",
}
"""Folder beside the finished runs to the state of the runs in it."""
GOES_ON = "; the same command continues it"


@dataclass(frozen=True)
class ListedRun:
    """A run's folder as a list shows it. What its files do not say is empty or None.

    Args:
        name: of the pipeline.
        data: the data set that it was scored on.
        split: that was scored.
        primary: the score that comparisons decide on.
        score: its value.
        train_size: number of examples that it was fitted on.
        finished: when it ended, in UTC.
        problem: why it cannot be used; empty for a whole run.
        evaluated: the folder of the run whose pipeline was evaluated, where this is no run but its evaluation.
    """

    folder: Path
    name: str = ""
    data: str = ""
    split: str = ""
    primary: str = ""
    score: float | None = None
    seed: int | None = None
    train_size: int | None = None
    finished: datetime | None = None
    problem: str = ""
    evaluated: str = ""


def list_runs(folder: str | Path = "runs", pipeline: str | None = None) -> list[ListedRun]:
    """The runs in ``folder``, the one that ended last first; then those without a date, by name.

    ``folder`` may also be the folder of one run. The models are not read, so that a list of large ones is quick.

    Args:
        pipeline: the name of a pipeline, whose runs alone are listed.

    Raises:
        NlpipeError: there is no such folder, it cannot be read, or it has runs but none of ``pipeline``.
    """
    root = Path(folder)
    if not root.is_dir():
        raise NlpipeError(f"{root}: there is no such folder; 'nlpipe run FILE' and 'nlpipe compare FILE' make runs")
    try:
        runs = [_listed(root)] if _is_run(root) else [*map(_listed, filter(_is_run, _folders(root)))]
        finished = {run.folder.name for run in runs}
        for place, problem in UNFINISHED.items():
            for path in _folders(root / place):
                if path.name not in finished:
                    finished.add(path.name)
                    runs.append(ListedRun(path, path.name.rpartition("-")[0], problem=problem + GOES_ON))
    except OSError as error:
        raise NlpipeError(f"{error.filename or root}: cannot be read: {error.strerror or error}") from None
    if pipeline is not None and runs:
        names = {run.name for run in runs if run.name}
        if pipeline not in names:
            raise NlpipeError(f"{root}: no run of a pipeline '{pipeline}'{suggest(pipeline, names)}")
        runs = [run for run in runs if run.name == pipeline]
    first = datetime.min.replace(tzinfo=UTC)
    runs.sort(key=lambda run: run.folder.name)
    return sorted(runs, key=lambda run: run.finished or first, reverse=True)


def latest_run(folder: str | Path = "runs", pipeline: str | None = None) -> Result:
    """The whole run in ``folder`` that ended last.

    Args:
        pipeline: the name of a pipeline, of whose runs it is the last.

    Raises:
        NlpipeError: there is none.
    """
    runs = list_runs(folder, pipeline)
    for run in runs:
        if not run.problem and not run.evaluated:
            return Result(run.folder)
    faulty = [run.problem for run in runs if run.problem]
    others = f": {len(faulty)} cannot be used, the first as {faulty[0]}" if faulty else ""
    raise NlpipeError(f"{folder}: no finished run{others}; 'nlpipe run FILE' makes one")


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _is_run(folder: Path) -> bool:
    """Whether ``folder`` holds a run, and not a comparison, a model saved by itself, or a run being written."""
    if folder.name.startswith(".") or (folder / "comparison.json").exists():
        return False
    return any((folder / name).exists() for name in MARKS)


def _listed(folder: Path) -> ListedRun:
    """What the files in ``folder`` say, as far as they can be read."""
    known: dict[str, Any] = {}
    problems: list[str] = []
    try:
        environment = read_record(folder / "environment.json", EnvironmentFile)
        known |= {"name": str(environment["name"]), "data": str(environment["data"])}
        known |= {"seed": int(environment["seed"]), "train_size": int(environment["train_examples"])}
        known |= {"finished": _moment(environment["finished"]), "evaluated": str(environment.get("evaluated", ""))}
    except NlpipeError as error:
        problems.append(str(error))
    except (TypeError, ValueError) as error:
        problems.append(f"{folder / 'environment.json'}: damaged: {error}")
    try:
        metrics = read_metrics(folder / "metrics.json")
        primary = str(metrics["primary"])
        known |= {"split": str(metrics["split"]), "primary": primary, "score": float(metrics["scores"][primary])}
    except NlpipeError as error:
        problems.append(str(error))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problems.append(f"{folder / 'metrics.json'}: damaged: {type(error).__name__}: {error}")
    expected: tuple[str, ...] = (*FILES, "model/model.json")
    if known.get("evaluated"):
        expected = tuple(name for name in FILES if name not in ("pipeline.yaml", "costs.json"))
    missing = [name for name in expected if not (folder / name).exists()]
    if missing:
        problems = [f"damaged: without {', '.join(missing)}"]
    return ListedRun(folder, **known, problem=problems[0] if problems else "")


def _moment(written: Any) -> datetime:
    """A date in UTC, also where it was written without a time zone."""
    moment = datetime.fromisoformat(written)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
