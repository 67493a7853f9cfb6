"""A plan for fitting carried out: stage after stage from the front, then the head, with what gradients train before it.

fit        of each stage, from the front: what is learnt without gradients
bind       the head finds the tables and vocabularies that it shares
build      of each stage: parameters are allocated, widths passed on
prepare    work without parameters that each epoch would repeat
loss       the trainer minimises it over the stages that gradients train
calibrate  the head sets on dev what must be decided on other data
"""

from __future__ import annotations

import dataclasses
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpipe.capabilities import Generates, Trained, able
from nlpipe.classical.label_sets import tuned
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.fingerprint import source_hash
from nlpipe.metrics.metric import Metric
from nlpipe.pipeline.answering import for_target
from nlpipe.pipeline.batches import BATCH, Batches, apply, inference, predict_all
from nlpipe.pipeline.fitting_plan import FittingPlan, StagePlan, plan_fitting
from nlpipe.pipeline.flow import Flow
from nlpipe.pipeline.reading import Reader, check_spelled
from nlpipe.registry import written_name
from nlpipe.stage import AnyHead, AnyStage, Head, Representation
from nlpipe.tasks.task import Split, Task
from nlpipe.training.device import choose_device
from nlpipe.training.trainer import Trainer
from nlpipe.wire import Labels, LabelSets, Tags, Text, Tokens

if TYPE_CHECKING:
    from nlpipe.pipeline.stage_store import FittedStages, StageStore
    from nlpipe.training.batching import Examples
    from nlpipe.training.history import Epoch, History
    from nlpipe.training.loss import Objective


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What fitting leaves beside the fitted stages.

    Args:
        history: what the trainer recorded; None where nothing was trained by gradients.
        seconds: by stage, how long it took to learn, with the cheap stages before it.
    """

    history: History | None
    seconds: dict[str, float]


class Fitting:
    """One fitting of ``stages``, the last of which is the head.

    Args:
        stages: in the order data flows; they are changed.
        task: tells what the head's answers mean.
        trainer: options of ``nlpipe.training.trainer.Trainer``, for heads that are trained by gradients.
        seed: of every random number drawn.
        checkpoint: the folder of training checkpoints; training is resumed from one that is there.
        report: called with a line about the progress.
        progress: whether training by gradients draws a bar; None: where there is a terminal.
        deciding: the metric and the score of it that stop training; by default the task's.
        store: of what several pipelines share; None: every stage is fitted here.
        after_epoch: called after each epoch of training by gradients; what it raises ends the fitting.
    """

    def __init__(
        self,
        stages: Sequence[AnyStage],
        task: Task,
        trainer: Mapping[str, Any],
        seed: int,
        checkpoint: Path | None = None,
        report: Callable[[str], None] = lambda message: None,
        progress: bool | None = None,
        deciding: tuple[Metric, str] | None = None,
        store: StageStore | None = None,
        after_epoch: Callable[[Epoch], None] | None = None,
    ) -> None:
        *self.body, head = stages
        assert isinstance(head, Head)
        self.head: AnyHead = head
        self.answering = for_target(head, task.target)
        self.reader = Reader(self.body, head)
        self.models_language = able(head, Generates) is not None
        self.plan: FittingPlan = plan_fitting(stages, task.target)
        self.task = task
        self.trainer = Trainer(**trainer)
        self.seed = seed
        self.checkpoint = checkpoint
        self.report = report
        self.progress = progress
        self.deciding = deciding
        self.store = store
        self.after_epoch = after_epoch
        self.seconds: dict[str, float] = {}
        self.digests: list[str] = []
        """Of the stages fitted so far; kept only where there is a store."""

    def fit(self, train: Split, dev: Split | None = None) -> Fitted:
        """Learn from ``train``; ``dev`` decides what must be decided on other data.

        Raises:
            DataError: the examples cannot be learnt from (one class only, nothing but empty texts).
            NlpipeError: the trainer's device is not there.
        """
        if self.plan.trained:
            choose_device(self.trainer.device)  # reported now, not after the words are counted
        seed_everything(self.seed)
        for stage in (*self.body, self.head):
            for nested in stage.with_nested():
                nested.seed = self.seed
        dev = dev if dev is not None and len(dev) else None
        through = apply if self.store is None else self.store.outputs.through
        flow = Flow(
            Batches(train, through=through),
            Batches(dev, through=through) if dev is not None else None,
            Batches(self._joint_split(train), through=through) if self.plan.joint else None,
        )
        clock = time.perf_counter if self.store is None else self.store.outputs.clock
        entries = None if self.store is None else self.store.fitted_on(train, self.seed)
        width = 0
        for position, plan in enumerate(self.plan.stages, 1):
            flow = self._fit_stage(plan, position, flow, entries, clock)
            if position == 1 and self.models_language:
                check_spelled(plan.stage, train)
            if position == 1 and self.reader.opens:
                self._set_specials()
            if plan.learns:
                seed_everything(self.seed)  # what follows is the same whether the stage was fitted here or shared
            width = plan.stage.build(width)
            plan.stage.freeze(answers_in_bf16(self.task, self.trainer))
            if self.store is not None:
                self._freeze(plan, position, self.store)
            if plan.cached:
                flow = self._cached(flow, train, dev, position)
        started = clock()
        history = None
        if self.reader.opens or self.reader.hides:
            history = self._train_language_model(train, dev, width)
            flow = Flow(
                flow.train, None if dev is None else Batches(dev, through=lambda stages, wire: self.reader.read(wire))
            )
        elif self.plan.trained:
            history = self._train(flow, width)
        else:
            self.answering.fit(flow.train)
        self.answering.calibrate(flow.dev if flow.dev is not None else [])
        self.seconds[written_name(self.head)] = clock() - started
        return Fitted(history, self.seconds)

    def _joint_split(self, train: Split) -> Split:
        """Sources followed by targets, as one split, for stages that a head shares for its targets."""
        assert isinstance(train.inputs, Text | Tokens) and isinstance(train.targets, Text)
        sources = train.inputs.texts if isinstance(train.inputs, Tokens) else train.inputs.strings
        self._set_specials()
        return Split(Text([*sources, *train.targets.strings]), Text.concat([train.targets, Text(sources)]))

    def _set_specials(self) -> None:
        """The special words of the head, for the vocabulary that it shares."""
        for stage in self.body:
            if isinstance(stage, Representation):
                stage.specials = self.head.specials

    def _freeze(self, plan: StagePlan, position: int, store: StageStore) -> None:
        """Have others use the outputs of a stage, unless it has parameters, and name later stages by what it learnt."""
        if plan.stage.module is None or any(map(_shareable, self.plan.stages[position:])):
            self.digests[position - 1 :] = [store.outputs.freeze(plan.stage)]

    def _fit_stage(
        self, plan: StagePlan, position: int, flow: Flow, entries: FittedStages | None, clock: Callable[[], float]
    ) -> Flow:
        """Fit one stage where it learns, or take it from the store, and lead the examples through it."""
        stage = plan.stage
        if not plan.learns:
            return flow.then(stage)
        shareable = entries if _shareable(plan) else None
        if shareable is not None:
            taken = shareable.take(self.digests, stage, plan.joint)
            if taken is not None:
                self.seconds[plan.name] = taken
                self.report(f"{plan.name}: fitted before, shared")
                if not plan.keeps_outputs:
                    return flow.then(stage)
                assert self.store is not None
                self._freeze(plan, position, self.store)
                outputs = stage.gives.concat([wire for wire, _ in flow.train.then(stage)])
                batches = Batches(Split(outputs, flow.train.split.targets), size=max(1, len(outputs)))
                return flow.with_train_outputs(batches, stage, position)
        started = clock()
        if plan.keeps_outputs:
            outputs = stage.gives.concat(list(stage.fit_forward(flow.train)))
            batches = Batches(Split(outputs, flow.train.split.targets), size=max(1, len(outputs)))
            flow = flow.with_train_outputs(batches, stage, position)
        else:
            stage.fit(flow.joint if flow.joint is not None else flow.train)
            flow = flow.then(stage)
        self.seconds[plan.name] = clock() - started
        if shareable is not None:
            shareable.keep(self.digests, stage, plan.joint, self.seconds[plan.name])
        return flow

    def _cached(self, flow: Flow, train: Split, dev: Split | None, end: int) -> Flow:
        """The outputs of the first ``end`` stages from the cache on disk; as they are where they are too large."""
        cached, seconds = self._cached_outputs(train, end)
        cached_dev = self._cached_outputs(dev, end)[0] if dev is not None else None
        if cached is None or (dev is not None and cached_dev is None):
            return flow
        self.seconds[self.plan.stages[end - 1].name] = seconds
        return Flow(Batches(cached), None if cached_dev is None else Batches(cached_dev), flow.joint, end)

    def _cached_outputs(self, split: Split, end: int) -> tuple[Split | None, float]:
        """``split`` with the outputs of the first ``end`` stages as inputs, and the seconds that computing them took.

        The split is None where the outputs are over the cache's budget.
        """
        from nlpipe.pipeline.feature_cache import cached_outputs

        def compute() -> Iterator[Any]:
            done = 0
            with inference():
                for wire, targets in Batches(split, self.body[:end]):
                    self.report(f"features of {done:,} of {len(split):,} examples")
                    done += len(targets)
                    yield wire

        outputs, seconds = cached_outputs(self.body[:end], split.inputs, compute, source_hash())
        return (None, 0.0) if outputs is None else (Split(outputs, split.targets), seconds)

    def _train(self, flow: Flow, width: int) -> History:
        """Train the head and the stages that follow what ``flow`` holds in memory by gradients."""
        from nlpipe.pipeline.objective import PipelineObjective, SplitExamples

        head = able(self.head, Trained)
        assert head is not None
        split = flow.train.split
        self.answering.fit([(split.inputs, split.targets)])  # a trained head learns from the targets alone
        if len(self.head.answers) == 1 and not isinstance(split.targets, LabelSets):
            raise DataError(
                f"every training example ({len(split)}) has the label {self.head.answers[0]!r}: two are needed"
            )
        self.head.bind(self.body)
        self.head.build(width)
        if not flow.done and self.plan.stages and self.plan.stages[0].slot == "tokenizer":
            flow = flow.tokenised(self.body[0])
        stages = self.body[flow.done :]
        prepare = stages[0].prepare if stages else self.head.prepare
        train = Split(prepare(flow.train.split.inputs), head.prepare_target(flow.train.split.targets))
        if not train.inputs.lengths.any():
            raise DataError("no features: every text is empty after tokenisation")
        head.learn_lengths(train.inputs.lengths, train.targets.lengths)
        held = Split(prepare(flow.dev.split.inputs), flow.dev.split.targets) if flow.dev is not None else None
        metric, primary = self.deciding or self.task.deciding(self.head.answers)
        if metric.needs_raw:  # here dev is split into words already
            metric, primary = self.task.metrics(self.head.answers)[0], primary.removesuffix("_raw")

        quickly = head.predict_quickly if self.answering is self.head else self.answering.predict

        def evaluate() -> float:
            assert held is not None
            predictions = predict_all(held.inputs, lambda wire: quickly(apply(stages, wire)))
            if isinstance(held.targets, LabelSets):
                predictions = tuned(predictions, held.targets, self.head.answers)
            return metric(held.targets, predictions)[primary]

        objective = PipelineObjective(stages, head)
        known = known_examples(held, self.head.answers) if held is not None else None

        def dev_loss() -> float:
            assert known is not None
            total, units = 0.0, 0.0
            for start in range(0, len(known), BATCH):
                part = known.take(range(start, min(start + BATCH, len(known))))
                loss, count = objective((part.inputs, head.prepare_target(part.targets)))
                total, units = total + float(loss), units + float(count)
            return total / max(units, 1.0)

        return self._run_training(
            objective,
            SplitExamples(train),
            evaluate if held is not None else None,
            primary,
            metric.higher_is_better[primary],
            dev_loss=dev_loss if known is not None else None,
        )

    def _train_language_model(self, train: Split, dev: Split | None, width: int) -> History:
        """Train the head and the stages before it to predict the words of ``train``."""
        from nlpipe.pipeline.language_training import LanguageTraining

        head = able(self.head, Trained)
        assert head is not None
        work = LanguageTraining.of(self.body, self.head, self.reader, train, width, self.trainer.batch_size)
        metric, primary = self.deciding or self.task.deciding(())
        held = None if dev is None else self.reader.tokens(dev.inputs)

        def evaluate() -> float:
            assert held is not None and dev is not None
            predictions = predict_all(held, lambda wire: head.predict_quickly(self.reader.read_tokens(wire)))
            return metric(dev.targets, predictions)[primary]

        return self._run_training(
            work.objective,
            work.examples,
            evaluate if held is not None else None,
            primary,
            metric.higher_is_better[primary],
            plan=work.plan,
        )

    def _run_training(
        self,
        objective: Objective,
        examples: Examples,
        evaluate: Callable[[], float] | None,
        metric: str,
        higher_is_better: bool,
        dev_loss: Callable[[], float] | None = None,
        plan: list[np.ndarray] | None = None,
    ) -> History:
        """``nlpipe.training.loop.train`` as this fitting was asked to train."""
        from nlpipe.training.loop import train

        return train(
            self._impatient(evaluate is not None),
            objective,
            examples,
            evaluate,
            seed=self.seed,
            checkpoint=self.checkpoint,
            higher_is_better=higher_is_better,
            progress=self.progress,
            report=self.report,
            dev_loss=dev_loss,
            metric=metric,
            after_epoch=self.after_epoch,
            plan=plan,
        )

    def _impatient(self, has_dev: bool) -> Trainer:
        """The trainer's options, without patience where there is no dev split to go by."""
        trainer = self.trainer
        if has_dev or trainer.patience is None:
            return trainer
        warnings.warn(
            f"no dev split: trainer.patience has no scores to go by, so all {trainer.epochs} epochs are trained",
            NlpipeWarning,
            stacklevel=3,
        )
        return dataclasses.replace(trainer, patience=None)


def answers_in_bf16(task: Task, trainer: Trainer) -> bool:
    """Whether stages may answer in bfloat16 where that is faster; not where texts are generated token by token, since
    rounding that depends on the batch would then change the words.
    """
    return trainer.precision != "fp32" and task.target is not Text


def known_examples(split: Split, answers: Sequence[str]) -> Split:
    """The examples whose labels or tags are all among ``answers``: others have no loss. Texts always have one."""
    known = set(answers)
    if isinstance(split.targets, Labels):
        kept = [i for i, label in enumerate(split.targets.values) if label in known]
    elif isinstance(split.targets, Tags):
        kept = [i for i, tags in enumerate(split.targets.values) if known.issuperset(tags)]
    else:
        return split
    return split.take(kept)


def _shareable(plan: StagePlan) -> bool:
    """Whether a stage can be fitted once for several pipelines: gradients do not change it afterwards."""
    return plan.learns and not plan.stage.trainable


def seed_everything(seed: int) -> None:
    """Seed Python, numpy, and torch where it is loaded."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
