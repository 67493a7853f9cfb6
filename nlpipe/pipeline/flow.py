"""The examples of a fitting on their way through the stages."""

from __future__ import annotations

from dataclasses import dataclass

from nlpipe.pipeline.batches import Batches
from nlpipe.stage import AnyStage
from nlpipe.tasks.task import Split


@dataclass(frozen=True)
class Flow:
    """The examples on their way through the stages.

    Args:
        train: the training split, as far as the stages have been applied.
        dev: the dev split likewise; None where there is none.
        joint: sources and targets of the training split together, for stages that the targets share.
        done: how many stages have been applied to what ``train`` and ``dev`` hold in memory; those after them are
            applied again each time the batches are gone through.
    """

    train: Batches
    dev: Batches | None
    joint: Batches | None = None
    done: int = 0

    def then(self, stage: AnyStage) -> Flow:
        """All of them through one more stage."""
        train, dev, joint = (None if batches is None else batches.then(stage) for batches in self._all())
        assert train is not None
        return Flow(train, dev, joint, self.done)

    def with_train_outputs(self, outputs: Batches, stage: AnyStage, done: int) -> Flow:
        """``outputs`` are the training split after ``stage``, in memory; the others go through it."""
        _, dev, joint = (None if batches is None else batches.then(stage) for batches in self._all())
        return Flow(outputs, dev, joint, done)

    def tokenised(self, tokenizer: AnyStage) -> Flow:
        """The examples after the tokenizer, in memory."""

        def through(batches: Batches) -> Batches:
            split = batches.split
            tokens = [wire for wire, _ in Batches(split, [tokenizer], through=batches.through)]
            return Batches(Split(tokenizer.gives.concat(tokens), split.targets))

        return Flow(through(self.train), None if self.dev is None else through(self.dev), self.joint, 1)

    def _all(self) -> tuple[Batches | None, ...]:
        return self.train, self.dev, self.joint
