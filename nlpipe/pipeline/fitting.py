"""How a pipeline learns: stage after stage from the front, then the head, with what gradients train before it."""

from __future__ import annotations

import dataclasses
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.fingerprint import source_hash
from nlpipe.pipeline.batches import Batches, answered, inference, step
from nlpipe.pipeline.tag_words import fit_per_token, labels_words
from nlpipe.registry import written_name
from nlpipe.stage import Head, Representation, Stage, Tokenizer
from nlpipe.tasks.task import Split, Task
from nlpipe.training.device import choose_device
from nlpipe.wire import Sequences, Text, Tokens, Vectors


class Fitting:
    """One fitting of ``stages``, the last of which is the head.

    Args:
        stages: in the order data flows; they are changed.
        task: tells what the head's answers mean, and the metric that stops training.
        trainer: options of ``nlpipe.training.trainer.Trainer``, for heads that learn by gradients.
        seed: of every random number drawn.
        checkpoint: where training by gradients leaves its checkpoints; one that is there is gone on from.
        report: told of progress, in a line.
        progress: whether training by gradients draws a bar; None: where there is a terminal.
    """

    def __init__(
        self,
        stages: Sequence[Stage[Any, Any]],
        task: Task,
        trainer: Mapping[str, Any],
        seed: int,
        checkpoint: Path | None = None,
        report: Callable[[str], None] = lambda message: None,
        progress: bool | None = None,
    ) -> None:
        *self.body, head = stages
        assert isinstance(head, Head)
        self.head: Head[Any, Any] = head
        self.task = task
        self.trainer = dict(trainer)
        self.seed = seed
        self.checkpoint = checkpoint
        self.report = report
        self.progress = progress
        self.history: Any = None
        """What the trainer recorded; None where nothing was learnt by gradients."""
        self.seconds: dict[str, float] = {}
        """Seconds that each stage took to learn, with the cheap stages before it."""

    def fit(self, train: Split, dev: Split | None = None) -> Fitting:
        """Learn from ``train``; ``dev`` decides what must be decided on other data.

        Raises:
            DataError: the examples cannot be learnt from (one class only, nothing but empty texts).
        """
        if self.head.by_gradient:
            from nlpipe.training.trainer import Trainer

            choose_device(Trainer(**self.trainer).device)  # said now, not after the words are counted
        seed_everything(self.seed)
        dev = dev if dev is not None and len(dev) else None
        for stage in (*self.body, self.head):
            for each in stage.with_nested():
                each.seed = self.seed
        data, on_dev = Batches(train), Batches(dev) if dev is not None else None
        taught = Batches(self._both(train)) if self.head.joint else None  # what stages that targets share are fitted on
        per_word = labels_words(self.head, self.task.target)
        done, width, costly = 0, 0, self._costly_end()
        for position, stage in enumerate(self.body):
            started = time.perf_counter()
            apply = step(stage, not position)
            if not learns(stage):
                data = data.then(apply)
            elif stage.gives is Vectors or (stage.gives is Sequences and per_word):  # the head takes all at once
                rows = stage.gives.concat(list(stage.fit_forward(data)))
                data, done = Batches(Split(rows, data.split.targets), size=max(1, len(rows))), position + 1
            else:
                stage.fit(taught or data)
                data = data.then(apply)
            taught = taught.then(apply) if taught is not None else None
            on_dev = on_dev.then(apply) if on_dev is not None else None
            if learns(stage):
                self.seconds[written_name(stage)] = time.perf_counter() - started
            width = stage.build(width)
            rest(stage, self.trainer)
            if position + 1 == costly:
                kept, seconds = self._kept_features(train, costly)
                dev_kept = self._kept_features(dev, costly)[0] if dev is not None else None
                if kept is not None and (dev is None or dev_kept is not None):
                    data, on_dev, done = Batches(kept), Batches(dev_kept) if dev_kept is not None else None, costly
                    self.seconds[written_name(stage)] = seconds
        started = time.perf_counter()
        if self.head.by_gradient:
            self._train(data, on_dev, done, width)
        elif per_word:
            fit_per_token(self.head, data)  # type: ignore[arg-type]
        else:
            self.head.fit(data)
        self.head.calibrate(on_dev if on_dev is not None else [])
        self.seconds[written_name(self.head)] = time.perf_counter() - started
        return self

    def _both(self, train: Split) -> Split:
        """Sources followed by targets, as one split, for stages that a head shares for its targets."""
        sources = train.inputs.texts if isinstance(train.inputs, Tokens) else getattr(train.inputs, "strings", [])
        assert isinstance(train.targets, Text), train.targets
        for stage in self.body:
            if isinstance(stage, Representation):
                stage.specials = self.head.specials
        return Split(Text([*sources, *train.targets.strings]), Text.concat([train.targets, Text(sources)]))

    def _costly_end(self) -> int:
        """How many stages from the first on are worth keeping the outputs of; 0 where none is dear.

        The dear stage and the pooling behind it, as long as nothing before them is trained.
        """
        end = 0
        for position, stage in enumerate(self.body):
            if stage.trainable or (end and (learns(stage) or stage.gives is not Vectors)):
                break
            if stage.costly or (end and end == position):
                end = position + 1
        return end

    def _kept_features(self, split: Split, end: int) -> tuple[Split | None, float]:
        """``split`` with the outputs of the first ``end`` stages, on disk, as its inputs, and the seconds they took;
        None where they are too large to keep."""
        from nlpipe.pipeline.feature_cache import kept

        def compute() -> Iterator[Any]:
            steps = [step(stage, not position) for position, stage in enumerate(self.body[:end])]
            done = 0
            with inference():
                for wire, targets in Batches(split, steps):
                    self.report(f"features of {done:,} of {len(split):,} examples")
                    done += len(targets)
                    yield wire

        rows, seconds = kept(self.body[:end], split.inputs, compute, source_hash())
        return (None, 0.0) if rows is None else (Split(rows, split.targets), seconds)

    def _train(self, data: Batches, dev: Batches | None, done: int, width: int) -> None:
        """Train the head and the stages from ``done`` on by gradients; work without parameters is done once, before."""
        from nlpipe.pipeline.objective import Objective, SplitExamples, apply, lengths_of
        from nlpipe.training.loop import train as run_training
        from nlpipe.training.trainer import Trainer

        self.head.fit([(data.split.inputs, data.split.targets)])  # the targets alone matter to a head with a loss
        classes: tuple[str, ...] = getattr(self.head, "classes", ())
        if len(classes) == 1:
            raise DataError(f"every training example ({len(data.split)}) has the label {classes[0]!r}: two are needed")
        self.head.bind(self.body)
        self.head.build(width)
        if not done and isinstance(self.body[0], Tokenizer):
            data, done = self._tokenised(data.split), 1
            dev = self._tokenised(dev.split) if dev is not None else None
        stages = self.body[done:]
        prepare = stages[0].prepare if stages else self.head.prepare
        train = Split(prepare(data.split.inputs), self.head.prepare_target(data.split.targets))
        if not lengths_of(train.inputs).any():
            raise DataError("no features: every text is empty after tokenisation")
        held = Split(prepare(dev.split.inputs), dev.split.targets) if dev is not None else None
        answers = getattr(self.head, "tags", classes)
        metric, primary = self.task.metrics(answers)[0], self.task.primary_of(answers)

        def evaluate() -> float:
            assert held is not None
            found = answered(held.inputs, lambda wire: self.head.guess(apply(stages, wire)))
            return metric(held.targets, found)[primary]

        trainer = Trainer(**self.trainer)
        if held is None and trainer.patience is not None:
            warnings.warn(
                f"no dev split: trainer.patience has nothing to go by, so all {trainer.epochs} epochs are trained",
                NlpipeWarning,
                stacklevel=2,
            )
            trainer = dataclasses.replace(trainer, patience=None)
        self.history = run_training(
            trainer,
            Objective(stages, self.head),
            SplitExamples(train),
            evaluate if held is not None else None,
            seed=self.seed,
            checkpoint=self.checkpoint,
            progress=self.progress,
            report=self.report,
        )

    def _tokenised(self, split: Split) -> Batches:
        """Everything after the tokenizer, in memory."""
        parts = [wire for wire, _ in Batches(split, [step(self.body[0], True)])]
        return Batches(Split(Tokens.concat(parts), split.targets))


def learns(stage: Stage[Any, Any]) -> bool:
    """Whether ``stage`` learns something in ``fit``."""
    return type(stage).fit is not Stage.fit or type(stage).fit_forward is not Stage.fit_forward


def rest(stage: Stage[Any, Any], trainer: Mapping[str, Any]) -> None:
    """Have ``stage`` answer, not learn: no dropout, and bf16 if ``trainer`` may. The trainer wakes what it trains."""
    for each in stage.with_nested():
        each.bf16 = trainer.get("precision", "auto") != "fp32"
    module = stage.module
    if module is not None:
        module.eval()


def seed_everything(seed: int) -> None:
    """Seed Python, numpy, and torch where it is loaded."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
