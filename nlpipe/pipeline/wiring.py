"""Whether stages fit together, judged by their wires alone and before any data is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nlpipe.capabilities import (
    Corrupts,
    Fills,
    Generates,
    LabelsSeparately,
    OffersPieces,
    SharesTable,
    Steps,
    Trained,
    able,
    declares,
)
from nlpipe.errors import NlpipeError
from nlpipe.registry import slot
from nlpipe.stage import AnyStage, Encoder, Head, LabelHead, Representation, Tokenizer
from nlpipe.wire import LabelSets, Sequences, Tags, Text, Tokens, Wire

Placed = tuple[str, str, "AnyStage | None"]
"""Slot, name and instance of a stage; the instance is None where it could not be made, and is then not checked."""

StageClass = type[AnyStage]


@dataclass(frozen=True)
class WiringFault:
    """Stage ``index`` of those given does not fit the one before it, the head behind it, or the task."""

    index: int
    message: str


def check_wiring(
    stages: Sequence[Placed],
    target: type[Wire] | None = None,
    source: type[Wire] = Text,
    capability: type | None = None,
) -> list[WiringFault]:
    """Every fault in the wiring of ``stages``, which stand in the order data flows and end with the head.

    Args:
        target: what the task asks the head to give; None where the task is not known.
        source: what the data gives; a tokenizer of words takes Tokens too, and keeps their splitting.
        capability: what the task asks the head to be able to do.
    """
    faults = []
    before: tuple[str, type[Wire]] | None = ("the data", source)
    for index, (kind, name, stage) in enumerate(stages):
        if stage is None:
            before = None
            continue
        if before is not None and not _accepts(stage, before[1], target):
            given = f"{before[0]} gives {before[1].__name__}"
            taken = f"{kind} '{name}' takes {stage.takes.__name__}"
            faults.append(WiringFault(index, f"{taken}, but {given}{_alternatives(stages, index, before[1])}"))
        before = (f"{kind} '{name}'", stage.gives)
    faults += _untrained(stages, target) + _off_target(stages, target) + _unshared(stages)
    return faults + _unable(stages, target, capability) + _reads_the_answer(stages)


def _fits(given: type[Wire], taken: type[Wire]) -> bool:
    return given is Wire or issubclass(given, taken)


def _gives(owner: StageClass, target: type[Wire]) -> bool:
    """Whether a head gives ``target``, by itself or because it decides on each label by itself."""
    return _fits(owner.gives, target) or (target is LabelSets and declares(owner, LabelsSeparately))


def _accepts(stage: AnyStage, given: type[Wire], target: type[Wire] | None) -> bool:
    if isinstance(stage, Tokenizer) and given is Tokens:
        return stage.keeps_words
    if isinstance(stage, LabelHead) and given is Sequences:  # applied to every token, it gives Tags
        return target in (None, Tags) and not declares(type(stage), Trained)
    return _fits(given, stage.takes)


def _untrained(stages: Sequence[Placed], target: type[Wire] | None) -> list[WiringFault]:
    """Stages that gradients should train, before a head without a loss: they would stay random."""
    kind, name, head = stages[-1] if stages else ("", "", None)
    if not isinstance(head, Head) or declares(type(head), Trained):
        return []
    asked = target or head.gives
    faults = []
    for index, (_, other, stage) in enumerate(stages[:-1]):
        if stage is not None and stage.trainable:
            message = f"'{other}' has weights to learn, and {kind} '{name}' learns without gradients"
            heads = stages_with("head", lambda owner: declares(owner, Trained) and _gives(owner, asked))
            faults.append(WiringFault(index, message + _listed("heads that train it", heads)))
    return faults


def _off_target(stages: Sequence[Placed], target: type[Wire] | None) -> list[WiringFault]:
    """A head that does not give what the task asks for."""
    kind, name, head = stages[-1] if stages else ("", "", None)
    if target is None or not isinstance(head, Head) or _gives(type(head), target):
        return []
    before = stages[-2][2] if len(stages) > 1 else None
    if isinstance(head, LabelHead) and target is Tags:
        if before is None or (_fits(before.gives, Sequences) and not declares(type(head), Trained)):
            return []
        if not _fits(before.gives, head.takes):
            return []  # reported already
    message = f"{kind} '{name}' gives {head.gives.__name__}, but the task asks for {target.__name__}"
    heads = stages_with("head", lambda owner: _gives(owner, target))
    return [WiringFault(len(stages) - 1, message + _listed(f"heads that give {target.__name__}", heads))]


def _unable(stages: Sequence[Placed], target: type[Wire] | None, capability: type | None) -> list[WiringFault]:
    """A head that gives what the task asks for, but is none for this task: a translator for a language model."""
    kind, name, head = stages[-1] if stages else ("", "", None)
    if not isinstance(head, Head) or (target is not None and not _fits(head.gives, target)):
        return []
    if capability is not None and not declares(type(head), capability):
        heads = stages_with("head", lambda owner: declares(owner, capability))
        message = f"{kind} '{name}' is no {LANGUAGE_MODELS[capability]}"
        return [WiringFault(len(stages) - 1, message + _listed("heads that are", heads))]
    if target is not None and capability is None:
        kinds = [what for able_to, what in LANGUAGE_MODELS.items() if declares(type(head), able_to)]
        if kinds:
            message = f"{kind} '{name}' is a {kinds[0]}, which answers no texts; the task asks for answers"
            others = stages_with(
                "head",
                lambda owner: _fits(owner.gives, target) and not any(declares(owner, c) for c in LANGUAGE_MODELS),
            )
            return [WiringFault(len(stages) - 1, message + _listed("heads that do", others))]
    return []


LANGUAGE_MODELS: dict[type, str] = {Generates: "language model", Fills: "masked language model"}
"""Capability to what a head with it is."""


def _reads_the_answer(stages: Sequence[Placed]) -> list[WiringFault]:
    """Stages before a neural language model that see the tokens which it should predict."""
    kind, name, head = stages[-1] if stages else ("", "", None)
    if head is None or not declares(type(head), Corrupts):
        return []
    if declares(type(head), Fills):
        return _no_pieces(stages)
    faults = []
    for index, (_, other, stage) in enumerate(stages[:-1]):
        if isinstance(stage, Encoder) and not stage.causal:
            message = f"'{other}' sees the words that {kind} '{name}' should predict: it would read the answer"
            way = "; set causal: true" if "causal" in stage.options else ""
            way = way or ("; set bidirectional: false" if stage.options.get("bidirectional") else "")
            causal = stages_with("encoder", lambda owner: declares(owner, Steps)) if not way else []
            faults.append(WiringFault(index, message + way + _listed("causal encoders", causal)))
        steps, model = None if stage is None else able(stage, Steps), able(head, Corrupts)
        if steps is not None and model is not None and steps.longest is not None and steps.longest < model.context:
            message = (
                f"'{other}' has {steps.longest} positions, and {kind} '{name}' reads {model.context} tokens together"
            )
            way = f"set its max_length to {model.context}, or context: {steps.longest}"
            faults.append(WiringFault(index, f"{message}; {way}"))
        if isinstance(stage, Representation) and not declares(type(stage), SharesTable):
            sharers = stages_with("representation", lambda owner: declares(owner, SharesTable))
            message = f"'{other}' has no vocabulary that {kind} '{name}' could predict"
            faults.append(WiringFault(index, message + _listed("representations that have", sharers)))
    return faults


def _no_pieces(stages: Sequence[Placed]) -> list[WiringFault]:
    """Stages before a masked language model that have no pieces to hide."""
    kind, name, _ = stages[-1]
    faults = []
    for index, (slot_key, other, stage) in enumerate(stages[:-1]):
        if stage is None or slot_key == "tokenizer":
            continue
        if not declares(type(stage), OffersPieces):
            message = f"'{other}' has no pieces that {kind} '{name}' could hide"
            offers = stages_with("representation", lambda owner: declares(owner, OffersPieces))
            faults.append(WiringFault(index, message + _listed("it stands directly behind", offers)))
        elif not stage.trainable:
            faults.append(
                WiringFault(index, f"'{other}' is frozen, and {kind} '{name}' trains it; set trainable: true")
            )
    return faults


def _unshared(stages: Sequence[Placed]) -> list[WiringFault]:
    """A head that shares a tokenizer and a table which no stage before it offers."""
    kind, name, head = stages[-1] if stages else ("", "", None)
    if not isinstance(head, Head) or not head.joint or any(stage is None for _, _, stage in stages):
        return []
    sharing = f"{kind} '{name}' with tokenizer: joint shares the pipeline's"
    if not any(isinstance(stage, Tokenizer) for _, _, stage in stages):
        return [WiringFault(len(stages) - 1, f"{sharing} tokenizer, and there is none; give the head its own")]
    if any(declares(type(stage), SharesTable) for _, _, stage in stages):
        return []
    representation = next((other for slot_key, other, _ in stages if slot_key == "representation"), None)
    lack = "there is no representation" if representation is None else f"'{representation}' has none to share"
    sharers = stages_with("representation", lambda owner: declares(owner, SharesTable))
    message = f"{sharing} vocabulary and table, but {lack}; give the head its own tokenizer"
    return [WiringFault(len(stages) - 1, message + _listed("or take", sharers))]


def _alternatives(stages: Sequence[Placed], index: int, given: type[Wire]) -> str:
    """The stages that would mend a fault before stage ``index``: one in between, or another in place of the last."""
    kind, _, stage = stages[index]
    assert stage is not None
    taken = stage.takes
    if index == 0:
        return ""
    before = stages[index - 1][0]
    giving = f"give {taken.__name__}"
    if before == "tokenizer" and kind != "representation":
        names = stages_with("representation", lambda owner: _fits(owner.gives, taken))
        return _listed(f"representations that {giving}", names)
    between = stages_with("encoder", lambda owner: _fits(given, owner.takes) and owner.gives is taken)
    if between:
        return _listed(f"encoders to put between them, which {giving}", between)
    source = stages[index - 2][2] if index > 1 else None
    names = stages_with(
        before, lambda owner: owner.gives is taken and (source is None or _fits(source.gives, owner.takes))
    )
    return _listed(f"{before}s that {giving}", names)


def stages_with(kind: str, test: Callable[[StageClass], bool]) -> list[str]:
    """Names in a slot whose class passes ``test``; those whose extra is missing are left out."""
    names = []
    classes = slot(kind)
    for name in classes.names():
        try:
            owner = classes.load(name)
        except (NlpipeError, ImportError):
            continue
        if isinstance(owner.takes, type) and isinstance(owner.gives, type) and test(owner):
            names.append(name)
    return names


def _listed(what: str, names: list[str]) -> str:
    return f"; {what}: {', '.join(names)}" if names else ""
