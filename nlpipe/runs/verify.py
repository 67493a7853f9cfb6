"""Run a finished run again and say whether it comes out the same, or in which stage it first does not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpipe.errors import NlpipeError
from nlpipe.files import read_json
from nlpipe.pipeline.saving import model_root, stage_entries
from nlpipe.runs.differences import Part, Verdict, answers, environments, scores, stages, worst_of
from nlpipe.runs.records import read_environment, read_metrics
from nlpipe.runs.rerun import rerun
from nlpipe.runs.score import read_predictions

TOLERANCE = 1e-5
"""Difference of two numbers, relative to the larger of 1 and the first, up to which they count as the same."""


@dataclass(frozen=True)
class Verification:
    """What came of running a run again.

    Args:
        parts: the stages in their order, then answers, then scores.
        environment: a line for each part of the environment (versions, processor, code) that differs now.
        note: why even the same environment could not give the same run; empty where it could.
    """

    run: Path
    parts: tuple[Part, ...]
    environment: tuple[str, ...]
    tolerance: float
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst of its parts'."""
        return worst_of([part.verdict for part in self.parts])

    @property
    def first(self) -> Part | None:
        """The first part that has the verdict of the whole, where that is not ``equal``."""
        if self.verdict == "equal":
            return None
        return next(part for part in self.parts if part.verdict == self.verdict)

    @property
    def sentence(self) -> str:
        """The verdict in a sentence."""
        first = self.first
        if first is None:
            return "equal: model, answers and scores are the same to the last digit"
        if self.verdict == "within tolerance":
            return f"equal within {self.tolerance:g}: the answers are the same; first in {first.name}: {first.what}"
        same = worst_of([part.verdict for part in self.parts[-2:]]) != "different"
        end = "; answers and scores are nevertheless the same" if same else ""
        return f"different, first in {first.name}: {first.what}{end}"


def verify(
    run: str | Path,
    tolerance: float = TOLERANCE,
    imports: Sequence[str] = (),
    report: Callable[[str], None] = lambda message: None,
) -> Verification:
    """Fit, answer and score a run again in a temporary folder, from what its folder says: the resolved pipeline, the
    data by its hash, seed, training size and threads. The folder itself is not changed.

    Args:
        tolerance: up to which numbers count as the same, relative to the larger of 1 and the first.
        imports: modules to import, besides those of the run's ``pipeline.yaml``.
        report: called with what is being done, in a few words.

    Raises:
        NlpipeError: it cannot be done: the folder is not that of a run or is damaged, the data is not there or has
            changed, or a stage of the user's own cannot be imported.
    """
    folder = Path(run)
    environment = read_environment(folder)
    if "evaluated" in environment:
        raise NlpipeError(f"{folder}: this is an evaluation, which has no model; its run is {environment['evaluated']}")
    if "exported_from" in environment:
        raise NlpipeError(f"{folder}: this is an export, which was not fitted; verify {environment['exported_from']}")
    model = model_root(folder)
    own = sorted({name for entry in stage_entries(model) for name in entry.get("code", {})})
    metrics, records = read_metrics(folder / "metrics.json"), read_predictions(folder / "predictions.jsonl")
    history = _history(folder)
    report(f"running it again; fitting took {environment['wall_seconds_of_fit']:,.1f} s then")
    with tempfile.TemporaryDirectory() as temporary:
        again = Path(temporary) / "run"
        try:
            rerun(folder, again, imports, report)
        except NlpipeError as error:
            unknown = own and "there is no " in str(error)
            way = f"; it was fitted with {', '.join(own)}: import that module (--import MODULE)" if unknown else ""
            raise NlpipeError(f"{error}{way}") from None
        parts = stages(model, again / "model", tolerance)
        parts.append(answers(records, read_predictions(again / "predictions.jsonl"), tolerance))
        parts.append(scores(metrics, read_metrics(again / "metrics.json"), tolerance))
        lines = environments(environment, read_environment(again), [history, _history(again)])
    note = "training was stopped by trainer.minutes, which no two runs do alike" * (history.get("stopped") == "minutes")
    return Verification(folder, tuple(parts), tuple(lines), tolerance, note)


def _history(folder: Path) -> Mapping[str, Any]:
    path = folder / "history.json"
    content = read_json(path) if path.exists() else {}
    return content if isinstance(content, Mapping) else {}
