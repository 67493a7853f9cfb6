"""How a pipeline will be fitted, decided once and before any data is read; ``fitting.py`` carries it out.

tokenizer        is applied
representation   learns in fit; its outputs stay in memory
head             learns in fit; calibrated on dev
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nlpipe.capabilities import Trained, able
from nlpipe.registry import slot_name, written_name
from nlpipe.stage import AnyHead, AnyStage, Head, LabelHead
from nlpipe.wire import Sequences, Tags, Vectors, Wire


@dataclass(frozen=True)
class StagePlan:
    """What happens to one stage before the head.

    Args:
        slot: ``tokenizer``, ``representation`` or ``encoder``.
        name: as pipeline files write it.
        learns: whether it learns in ``fit``.
        joint: whether it is fitted on sources and targets together, because the head shares its vocabulary.
        keeps_outputs: whether its outputs on the training split, made while fitting, stay in memory for what follows.
        cached: whether the outputs of the stages up to this one are cached on disk, within a budget.
        trained: whether gradients train it, together with the head.
    """

    slot: str
    name: str
    stage: AnyStage
    learns: bool
    joint: bool
    keeps_outputs: bool
    cached: bool
    trained: bool

    def __str__(self) -> str:
        parts = []
        if self.learns:
            parts.append("learns in fit, from sources and targets together" if self.joint else "learns in fit")
        if self.keeps_outputs:
            parts.append("its outputs stay in memory")
        if self.trained:
            parts.append("trained by gradients")
        if not parts:
            parts.append("applied")
        if self.cached:
            parts.append("outputs up to here cached on disk")
        return "; ".join(parts)


@dataclass(frozen=True)
class FittingPlan:
    """What happens to every stage, in the order data flows; the head comes last.

    Args:
        tags_words: whether the head labels vectors and is applied to every word.
        trained: whether the head is trained by gradients.
    """

    stages: tuple[StagePlan, ...]
    head: AnyHead
    tags_words: bool
    trained: bool

    @property
    def joint(self) -> bool:
        """Whether stages are fitted on sources and targets together."""
        return self.head.joint

    def lines(self) -> list[str]:
        """The plan for a person, a line for each stage."""
        rows = [(stage.slot, stage.name, str(stage)) for stage in self.stages]
        how = "learns in fit" + (" from every word" if self.tags_words else "")
        if self.trained:
            how += "; trained by gradients"
        if type(self.head).calibrate is not Head.calibrate:
            how += "; calibrated on dev"
        rows.append(("head", written_name(self.head), how))
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        return [f"{slot:<{widths[0]}}  {name:<{widths[1]}}  {how}" for slot, name, how in rows]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def plan_fitting(stages: Sequence[AnyStage], target: type[Wire]) -> FittingPlan:
    """Decide how ``stages`` are fitted.

    Args:
        stages: in the order data flows; the last is the head. They need not be fitted or built.
        target: the wire that the task asks the head for.
    """
    *body, head = stages
    assert isinstance(head, Head)
    tags_words = isinstance(head, LabelHead) and target is Tags
    trained = able(head, Trained) is not None
    cached = _cached_stages(body)
    plans = []
    for position, stage in enumerate(body, 1):
        # a head that learns in fit takes all examples at once, so their vectors are made once, while fitting
        whole = stage.gives is Vectors or (stage.gives is Sequences and tags_words)
        plans.append(
            StagePlan(
                slot_name(stage),
                written_name(stage),
                stage,
                learns=stage.learns,
                joint=stage.learns and head.joint and not whole,
                keeps_outputs=stage.learns and whole,
                cached=position == cached,
                trained=trained and stage.trainable,
            )
        )
    return FittingPlan(tuple(plans), head, tags_words, trained)


def _cached_stages(body: Sequence[AnyStage]) -> int:
    """How many stages from the first on have their outputs cached: up to a costly one and the pooling behind it.

    0 where no stage is costly, or where one before it is trained.
    """
    end = 0
    for position, stage in enumerate(body):
        if stage.trainable or (end and (stage.learns or stage.gives is not Vectors)):
            break
        if stage.costly or (end and end == position):
            end = position + 1
    return end
