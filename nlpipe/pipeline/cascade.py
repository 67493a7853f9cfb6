"""Pipelines in a row, the cheapest first: what one is not sure of goes on to the next.

cascade = Cascade([cheap, dear], Aim(within=0.005))
cascade.fit(texts, labels, dev=(dev_texts, dev_labels))
cascade.predict(["a fine film"]).labels

It is used, saved and loaded as a pipeline is. What only some pipelines can do (several translations, attention, word
vectors) its last member does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpipe.errors import DataError, ModelError, NlpipeError, WiringError
from nlpipe.metrics.metric import Metric
from nlpipe.pipeline.batches import BATCH, concat, taken
from nlpipe.pipeline.integrity import CASCADE, REPAIR
from nlpipe.pipeline.pipeline import Pipeline
from nlpipe.pipeline.python_data import inputs_of
from nlpipe.pipeline.runtimes import OWN
from nlpipe.pipeline.saving import write_cascade
from nlpipe.pipeline.thresholds import MOST, Aim, Thresholds, fit_thresholds
from nlpipe.pipeline.unsure import confidence_of
from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.registry import written_name
from nlpipe.tasks.task import Split
from nlpipe.training.history import Epoch
from nlpipe.wire import Tags, Wire

if TYPE_CHECKING:
    from nlpipe.pipeline.stage_store import StageStore

TIMED = 50
"""Dev items that are answered one by one where the members' costs are needed and not known."""


class Cascade(Pipeline):
    """Pipelines of the same task, cheapest first; each answers what the ones before it were not sure of.

    Its ``stages`` are those of its last member.

    Args:
        members: two to five pipelines; what they answer must be the same labels, and for tags of the same words.
        aim: what the thresholds are fitted for.
        name: for tables and folders.
        thresholds: of a cascade that is fitted.

    Raises:
        WiringError: they are too few or too many, of different tasks, or split words differently.
        ModelError: they are fitted, and answer other labels; or a threshold is not from 0 to 1.
    """

    def __init__(
        self, members: Sequence[Pipeline], aim: Aim, name: str = "cascade", thresholds: Thresholds | None = None
    ) -> None:
        if not 2 <= len(members) <= MOST:
            raise WiringError(f"{name}: a cascade has 2 to {MOST} members, not {len(members)}")
        last = members[-1]
        super().__init__(last.stages, last.task.name, last.trainer, last.seed, name)
        self._members = list(members)
        self.aim = aim
        self.thresholds = thresholds
        self.task, self.reading = last.task, last.reading
        for member in members[:-1]:
            if member.task.name != last.task.name:
                raise WiringError(
                    f"{name}: '{member.name}' is for {member.task.name}, '{last.name}' for {last.task.name}"
                )
            if last.task.target is Tags and _words(member) != _words(last):
                raise WiringError(
                    f"{name}: '{member.name}' and '{last.name}' split texts into other words; give both the same "
                    "tokenizer, so that a text's tags are of the same words whoever answers"
                )
        self._check_labels()
        if thresholds is not None:
            _check_values(thresholds, len(members), name)

    @property
    def members(self) -> list[Pipeline]:
        return list(self._members)

    def __repr__(self) -> str:
        return f"Cascade({self.name!r}: {' → '.join(member.name for member in self.members)}; {self.task.name})"

    def _check_labels(self) -> None:
        """Check that the members which are fitted answer the same labels.

        Raises:
            ModelError: they do not.
        """
        known = [(member.name, set(member.head.answers)) for member in self.members if member.head.answers]
        for name, answers in known[1:]:
            if answers != known[0][1]:
                odd = ", ".join(sorted(answers ^ known[0][1])[:5])
                raise ModelError(
                    f"{self.name}: '{known[0][0]}' and '{name}' answer other labels: {odd} is of one of them alone; "
                    "fit both on the same data"
                )

    # -- learning ------------------------------------------------------------------------------------------------

    def fit_split(
        self,
        train: Split,
        dev: Split | None = None,
        checkpoint: Path | None = None,
        report: Callable[[str], None] = lambda message: None,
        progress: bool | None = None,
        deciding: tuple[Metric, str] | None = None,
        store: StageStore | None = None,
        after_epoch: Callable[[Epoch], None] | None = None,
    ) -> Cascade:
        """Fit every member, then the thresholds on ``dev``.

        Raises:
            DataError: there is no dev split.
            NlpipeError: a member that is not the last has no confidence, or no threshold reaches the aim.
        """
        if dev is None or not len(dev):
            raise DataError(f"{self.name}: the thresholds of a cascade are fitted on dev; give dev=(texts, targets)")
        if deciding is None:
            self.task.settle(train)
        self.fit_seconds = {}
        for number, member in enumerate(self.members):
            own = None if checkpoint is None else checkpoint / str(number)
            member.fit_split(train, dev, own, report, progress, deciding, store, after_epoch)
            self.fit_seconds |= {f"{member.name}: {stage}": spent for stage, spent in member.fit_seconds.items()}
        self.history = self.members[-1].history
        self.refit_thresholds(dev, deciding or self.task.deciding(self.task.labels(train)))
        return self

    def refit_thresholds(self, dev: Split, deciding: tuple[Metric, str]) -> None:
        """Have the members, which are fitted, answer ``dev``, and fit the thresholds to that.

        Raises:
            NlpipeError: a member that is not the last has no confidence, or no threshold reaches the aim.
        """
        answers = [member.predict(dev.inputs) for member in self.members]
        seconds = [_seconds(member, dev.inputs) for member in self.members] if self.needs_costs else []
        self.fit_thresholds(dev.targets, answers, *deciding, seconds)

    @property
    def needs_costs(self) -> bool:
        """Whether the thresholds depend on what the members cost."""
        return self.aim.within is None or len(self.members) > 2

    def fit_thresholds(
        self,
        gold: Wire,
        answers: Sequence[AnyPredictions],
        metric: Metric,
        score: str,
        seconds: Sequence[float] = (),
    ) -> None:
        """Fit the thresholds to the members' answers to the dev items.

        Args:
            gold: what the answers should be.
            answers: of each member to all items.
            metric: that gives the score.
            score: that counts.
            seconds: mean seconds for a text of each member.

        Raises:
            NlpipeError: as ``fit_split``.
            ModelError: the members answer other labels.
        """
        self._check_labels()
        confidences = [
            sureness_of(each, member.name, written_name(member.head))
            for member, each in zip(self.members[:-1], answers[:-1], strict=True)
        ]
        for member, each in zip(self.members, answers, strict=True):
            if not metric.applies(each):
                raise NlpipeError(f"{self.name}: {score} cannot be computed of the answers of '{member.name}'")
        statistics = [metric.statistics(gold, each) for each in answers]
        names = [member.name for member in self.members]
        try:
            self.thresholds = fit_thresholds(self.aim, names, confidences, statistics, metric, score, seconds)
        except NlpipeError as error:
            raise NlpipeError(f"{self.name}: {error}") from None

    # -- use -----------------------------------------------------------------------------------------------------

    def predict(self, inputs: Sequence[str | Sequence[str]] | Wire, batch_size: int = BATCH) -> AnyPredictions:
        """The answers for all inputs, in their order; each is that of the first member that is sure of it."""
        wire = inputs_of(inputs)
        if not len(wire):
            return Predictions(self.task.targets([]))
        if self.thresholds is None:
            raise ModelError(f"{self.name}: fit it first")
        return self._answer(0, wire, batch_size)

    def _answer(self, position: int, wire: Any, batch_size: int) -> AnyPredictions:
        """The answers of the member at ``position``, and of those after it to what it is not sure of."""
        member = self._members[position]
        predictions = member.predict(wire, batch_size)
        if position == len(self._members) - 1:
            return predictions
        assert self.thresholds is not None
        confidence = sureness_of(predictions, member.name, written_name(member.head))
        sure = confidence >= self.thresholds.values[position]
        if sure.all():
            return predictions
        unsure = np.flatnonzero(~sure)
        later = self._answer(position + 1, wire.take(unsure.tolist()), batch_size)
        if not sure.any():
            return later
        order = np.argsort(np.concatenate([np.flatnonzero(sure), unsure]), kind="stable")
        return concat([taken(predictions, np.flatnonzero(sure)), later], order)

    def parameter_count(self) -> int:
        """Those of all members."""
        return sum(member.parameter_count() for member in self.members)

    @property
    def runtime(self) -> str:
        """What computes its answers: another runtime where one computes those of a member."""
        return next((member.runtime for member in self.members if member.runtime != OWN), OWN)

    def check_runtime(self) -> None:
        for member in self.members:
            member.check_runtime()

    def use_runtime(self, name: str | None = None) -> None:
        for member in self.members:
            member.use_runtime(name)

    # -- on disk -------------------------------------------------------------------------------------------------

    def write(self, folder: Path) -> None:
        """Write every member into a folder of its own inside ``folder``, and ``model.json`` with the thresholds.

        Raises:
            ModelError: it, or a member, is not fitted.
        """
        if self.thresholds is None:
            raise ModelError(f"{self.name}: save needs a cascade that is fitted")
        for number, member in enumerate(self.members):
            inner = folder / f"member-{number}"
            inner.mkdir()
            member.write(inner)
        keys = {"name": self.name, "task": self.task.name, "seed": self.seed, "trainer": {}}
        if self.reading:
            keys["reading"] = self.reading
        write_cascade(folder, keys, {"aim": self.aim.plain(), "thresholds": self.thresholds.plain()}, len(self.members))

    @classmethod
    def read(cls, root: Path, manifest: Mapping[str, Any], runtime: str | None = None) -> Cascade:
        """The cascade in ``root``, whose ``model.json`` is ``manifest``; called by ``Pipeline.load``.

        Args:
            runtime: what computes its members' answers, as for ``use_runtime``.
        """
        content = manifest[CASCADE]
        try:
            aim, thresholds = Aim(**content["aim"]), Thresholds.from_plain(content["thresholds"])
            folders = [root / member["folder"] for member in content["members"]]
        except (KeyError, TypeError) as error:
            raise ModelError(f"{root / 'model.json'}: damaged: {error} of the cascade; {REPAIR}") from None
        members = [Pipeline.load(folder, runtime) for folder in folders]
        try:
            cascade = cls(members, aim, manifest["name"], thresholds)
        except (WiringError, ModelError) as error:
            raise ModelError(f"{root / 'model.json'}: {error}; {REPAIR}") from None
        cascade.reading = manifest.get("reading", {})
        return cascade


def sureness_of(predictions: AnyPredictions, name: str, head: str) -> np.ndarray:
    """(B,) the confidence of the answers of a member that passes on what it is not sure of.

    Args:
        name: the member's.
        head: the name of its head.

    Raises:
        NlpipeError: they have none.
    """
    way = "put it last, or give it another head, such as logistic_regression"
    return confidence_of(predictions, f"'{name}' cannot pass on what it is not sure of", head, way)


def _check_values(thresholds: Thresholds, members: int, name: str) -> None:
    values = thresholds.values
    if len(values) != members - 1:
        raise ModelError(f"{name}: {members} members need {members - 1} thresholds, not {len(values)}")
    for value in values:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise ModelError(f"{name}: invalid threshold {value!r}: expected a number from 0 to 1")


def _words(pipeline: Pipeline) -> tuple[str, dict[str, Any]] | None:
    """What decides how a text is split into words."""
    tokenizer = pipeline.tokenizer
    return None if tokenizer is None else (written_name(tokenizer), dict(tokenizer.options))


def _seconds(member: Pipeline, inputs: Wire) -> float:
    """Mean seconds for a text, one by one."""
    few = range(min(TIMED, len(inputs)))
    member.predict(inputs.take([0]))  # what is done once only is not timed
    started = time.perf_counter()
    for i in few:
        member.predict(inputs.take([i]))
    return (time.perf_counter() - started) / len(few)
