"""The search itself, by Optuna: which setting is tried next, kept in a journal that survives a kill.

Settings are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011), trainings are stopped by the median
rule (Golovin et al. 2017, section 3.2). The random state of each proposal depends on the seed and the number of trials
that have ended, and on nothing else, so that a search that was killed goes on as if it had not been.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.names import missing_extra
from nlpipe.spec.search_space import Choices, Range, Tuning
from nlpipe.tuning.trial import Trial

try:
    import optuna
except ModuleNotFoundError as error:
    raise missing_extra("nlpipe tune", error) from None

RANDOM_TRIALS = 10
"""Trials that are drawn evenly before the estimator proposes."""
UNPRUNED_TRIALS = 5
"""Trials that are trained to their end before any is stopped early."""
FULL_EPOCHS = 2
"""Epochs after which, at the earliest, a trial is stopped."""
RECORD = "nlpipe"
"""The attribute of a trial in the journal that holds its result; a trial without it was killed."""


class Study:
    """The trials of one search, in a journal on disk.

    Args:
        journal: the file; made if it is not there.
        own: the file's own values, which are tried first; None to start at random.
        higher_is_better: whether the search maximises the score.
    """

    def __init__(
        self, journal: Path, tuning: Tuning, own: Mapping[str, Any] | None, seed: int, higher_is_better: bool
    ) -> None:
        self.tuning, self.own, self.seed = tuning, own, seed
        self.sign = 1.0 if higher_is_better else -1.0
        self.distributions = {axis.key: _distribution(axis.domain) for axis in tuning.axes}
        _mend(journal)
        with _quiet():
            backend = optuna.storages.journal.JournalFileBackend(str(journal))
            self.study = optuna.create_study(
                storage=optuna.storages.JournalStorage(backend),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS, n_warmup_steps=FULL_EPOCHS),
                study_name="tune",
                direction="maximize" if higher_is_better else "minimize",
                load_if_exists=True,
            )
            for trial in self.study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
                self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # it was killed

    def ended(self) -> list[Trial]:
        """The trials that have ended, in that order; of a longer search, as many as this one has."""
        records = [trial.user_attrs.get(RECORD) for trial in self.study.get_trials(deepcopy=False)]
        return [
            Trial(**{**record, "number": number, "warnings": tuple(record["warnings"])})
            for number, record in enumerate((record for record in records if record is not None), 1)
        ][: self.tuning.trials]

    def ask(self) -> tuple[Any, dict[str, Any]] | None:
        """The next trial and its settings; None if there is nothing left to try."""
        ended = self.ended()
        if len(ended) >= self.tuning.trials:
            return None
        fixed: dict[str, Any] | None = None
        if self.tuning.size is not None and self.tuning.size <= self.tuning.trials:
            tried = [trial.settings for trial in ended]
            untried = [settings for settings in self._grid() if settings not in tried]
            if not untried:
                return None
            fixed = untried[0]
        elif not ended and self.own is not None:
            fixed = dict(self.own)
        with _quiet():
            state = int(np.random.SeedSequence([self.seed, len(ended)]).generate_state(1)[0])
            self.study.sampler = optuna.samplers.TPESampler(seed=state, n_startup_trials=RANDOM_TRIALS)
            waiting = self.study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.WAITING])
            if fixed is not None and not waiting:
                self.study.enqueue_trial(
                    {axis.key: _written(axis.domain, fixed[axis.key]) for axis in self.tuning.axes}
                )
            trial = self.study.ask(self.distributions)
        return trial, {axis.key: _read(axis.domain, trial.params[axis.key]) for axis in self.tuning.axes}

    def _grid(self) -> Iterator[dict[str, Any]]:
        """Every combination of the choices, that of the file first."""
        if self.own is not None:
            yield dict(self.own)
        values = [axis.domain.values for axis in self.tuning.axes if isinstance(axis.domain, Choices)]
        for combination in itertools.product(*values):
            yield dict(zip((axis.key for axis in self.tuning.axes), combination, strict=True))

    def tell(self, asked: Any, record: Mapping[str, Any]) -> None:
        """Store how a trial ended: the fields of ``Trial`` but for its number."""
        states = optuna.trial.TrialState
        state = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[record["state"]]
        with _quiet():
            asked.set_user_attr(RECORD, dict(record))
            self.study.tell(asked, record["score"] if state == states.COMPLETE else None, state=state)

    def best(self) -> Trial | None:
        """The complete trial with the best score; the first of several; None if none is complete."""
        complete = [trial for trial in self.ended() if trial.state == "complete" and trial.score is not None]
        return max(complete, key=lambda trial: (self.sign * (trial.score or 0.0), -trial.number), default=None)

    def importances(self) -> dict[str, float]:
        """How much each option mattered, as shares that sum to 1; empty where too few trials were trained to their end.

        Functional analysis of variance (Hutter et al. 2014) of a random forest that is fitted to the complete trials.
        Of a few tens of trials it is a rough estimate.
        """
        complete = [trial for trial in self.ended() if trial.state == "complete"]
        if len(self.tuning.axes) < 2 or len(complete) < UNPRUNED_TRIALS or len({t.score for t in complete}) < 2:
            return {}
        with _quiet():
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.seed)
            shares = optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        return {key: float(share) for key, share in shares.items() if math.isfinite(share)}


def is_worse_than_most(asked: Any, epoch: int, score: float | None) -> bool:
    """Report a trial's score after an epoch to Optuna; whether the trial should be stopped."""
    if score is None:
        return False
    with _quiet():
        asked.report(score, epoch)
        return bool(asked.should_prune())


def _distribution(domain: Range | Choices) -> Any:
    if isinstance(domain, Choices):
        return optuna.distributions.CategoricalDistribution([json.dumps(value) for value in domain.values])
    log = domain.scale == "log"
    if domain.integers:
        return optuna.distributions.IntDistribution(int(domain.low), int(domain.high), log=log)
    return optuna.distributions.FloatDistribution(float(domain.low), float(domain.high), log=log)


def _written(domain: Range | Choices, value: Any) -> Any:
    return json.dumps(value) if isinstance(domain, Choices) else value


def _read(domain: Range | Choices, value: Any) -> Any:
    """The value as a file has it; of a range with four significant digits, inside the range."""
    if isinstance(domain, Choices):
        return json.loads(value)
    return int(value) if domain.integers else min(max(float(f"{value:.4g}"), domain.low), domain.high)


def _mend(journal: Path) -> None:
    """Remove what a killed process left: the half of a line, and its lock on the journal."""
    for suffix in (".lock", ".lock.rename"):
        Path(f"{journal}{suffix}").unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        content = journal.read_bytes()
        if content and not content.endswith(b"\n"):
            with journal.open("r+b") as file:
                file.truncate(content.rfind(b"\n") + 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's own lines and warnings from the terminal."""
    import warnings

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
