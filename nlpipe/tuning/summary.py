"""What people see of a search: its best trials, and which options mattered."""

from __future__ import annotations

import json

from nlpipe.compare.table import Line, Table
from nlpipe.tuning.search import Tuned
from nlpipe.tuning.trial import Trial

SHOWN = 5
"""The number of trials that a table shows."""


def as_table(result: Tuned) -> Table:
    """The best trials, and that of the file's own values, with their scores and costs."""
    sign = 1.0 if result.best.score == max(_scores(result)) else -1.0
    complete = [trial for trial in result.trials if trial.state == "complete" and trial.repeats is None]
    ranked = sorted(complete, key=lambda trial: (-sign * (trial.score or 0.0), trial.number))
    shown = ranked[:SHOWN]
    if result.own and result.trials[0] in ranked[SHOWN:]:
        shown.append(result.trials[0])
    keys = list(result.best.settings)
    lines = tuple(_line(trial, result, keys) for trial in shown)
    states = [trial.state for trial in result.trials]
    counts = [f"{len(result.trials)} trials"]
    counts += [f"{states.count('pruned')} stopped early"] if "pruned" in states else []
    counts += [f"{states.count('failed')} failed"] if "failed" in states else []
    caption = f"{', '.join(counts)}; {result.fit_seconds:.1f} s to fit them all; the test split was not read"
    headings = ("trial", f"{result.metric} {result.scored_on}", *keys, "fit s")
    return Table(f"{result.spec.name}: best trials", headings, lines, caption, essential=frozenset(headings[:2]))


def _scores(result: Tuned) -> list[float]:
    return [trial.score for trial in result.trials if trial.state == "complete" and trial.score is not None]


def _line(trial: Trial, result: Tuned, keys: list[str]) -> Line:
    own = " (the file)" if result.own and trial.number == 1 else ""
    values = (json.dumps(trial.settings[key], ensure_ascii=False).strip('"') for key in keys)
    cells = (f"{trial.number}{own}", f"{trial.score:.4f}", *values, f"{trial.fit_seconds:.1f}")
    return Line(cells, best=trial.number == result.best.number)


def what_mattered(result: Tuned) -> str:
    """The options in one line, the one that mattered most first; empty where it is not known."""
    ordered = sorted(result.importances.items(), key=lambda item: -item[1])
    if not ordered:
        return ""
    return "what mattered (share): " + ", ".join(f"{key} {share:.2f}" for key, share in ordered)
