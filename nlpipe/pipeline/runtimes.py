"""What computes a pipeline's answers: its own stages, or CTranslate2 where that was shown to answer alike, and faster.

A run compares both on dev when it has been fitted, and writes into its ``model.json`` how they compare. Wherever the
model is loaded with ctranslate2 installed, it then answers by it. Attention, n-best lists and scores of given answers
stay the stages' own.
"""

from __future__ import annotations

import importlib.util
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpipe.errors import MissingExtra, ModelError, NlpipeError, NlpipeWarning
from nlpipe.heads.ctranslate2 import POSITIONS, CTranslate2
from nlpipe.predictions import AnyPredictions
from nlpipe.registry import written_name
from nlpipe.stage import AnyStage

if TYPE_CHECKING:
    from nlpipe.wire import Text, Tokens, Wire

OWN, OTHER, AUTO = "nlpipe", "ctranslate2", "auto"
RUNTIMES = (AUTO, OWN, OTHER)
TRANSLATOR = "seq2seq"
"""The head whose answers another runtime may compute."""
VARIABLE = "NLPIPE_RUNTIME"
"""The environment variable that says which runtime is taken where nothing else does."""

COMPARED, ALONE = 100, 10
"""Dev examples that are answered by both, in one batch, and of these one by one."""
ALIKE = 0.99
"""Share of the answers that must be the same."""

Predict = Callable[["Wire"], AnyPredictions]


class Beside:
    """CTranslate2 with the weights of a pipeline's stages, which stay as they are.

    Args:
        stages: of the pipeline.
        forced: whether what it cannot do is an error; else the stages do it.

    Raises:
        ModelError: it cannot compute these stages, or cannot be loaded.
        MissingExtra: ctranslate2 is not installed.
    """

    def __init__(self, stages: Sequence[AnyStage], forced: bool = False) -> None:
        from nlpipe.pipeline.ctranslate2_conversion import to_ctranslate2

        self.stages = list(stages)
        self.forced = forced
        self.head: CTranslate2 = to_ctranslate2(self.stages)
        self.fault: ModelError | None = None
        """Why it is no longer asked, where it has failed and is not forced."""

    def predict(self, tokens: Tokens) -> AnyPredictions | None:
        """Its answers, searched for as the head's options say now; None where the stages must give them.

        Raises:
            ModelError: it is forced, and fails, or an option is not one of CTranslate2's.
        """
        from nlpipe.pipeline.ctranslate2_conversion import check_search

        if self.fault is not None:
            return None
        head: Any = self.stages[-1]
        try:
            check_search(head)
        except ModelError:
            if self.forced:
                raise
            return None
        if tokens.lengths.max(initial=0) > POSITIONS and not self.forced:
            return None
        options = {name: getattr(head, name) for name in self.head.answering}
        if options != {name: getattr(self.head, name) for name in self.head.answering}:
            self.head.change(**options)
        try:
            return self.head.predict(tokens)
        except ModelError as error:
            if self.forced:
                raise
            self.fault = error
            warn_of(error)
            return None


def wanted(name: str | None) -> str:
    """The runtime that is asked for, by name or else by the environment variable.

    Raises:
        NlpipeError: there is none of this name.
    """
    where, given = ("runtime", name) if name is not None else (VARIABLE, os.environ.get(VARIABLE, AUTO))
    if given not in RUNTIMES:
        raise NlpipeError(f"{where}: unknown runtime '{given}'; known: {', '.join(RUNTIMES)}")
    return given


def check(stages: Sequence[AnyStage], name: str | None = None) -> None:
    """Check that the runtime which is asked for can compute ``stages``, which need not be fitted.

    Args:
        name: of the runtime; None: as the environment variable says, or auto.

    Raises:
        NlpipeError: it cannot, or cannot be loaded, or there is none of this name.
    """
    if wanted(name) == OTHER and not isinstance(stages[-1], CTranslate2):
        from nlpipe.pipeline.ctranslate2_conversion import parts_of, specifications

        parts_of(stages)
        specifications()


def computable(stages: Sequence[AnyStage]) -> bool:
    """Whether CTranslate2 has what ``stages`` need; it need not be installed."""
    if written_name(stages[-1]) != TRANSLATOR:
        return False
    from nlpipe.pipeline.ctranslate2_conversion import parts_of

    try:
        parts_of(stages)
    except ModelError:
        return False
    return True


def warn_of(error: NlpipeError) -> None:
    """Warn that CTranslate2 should answer and cannot."""
    warnings.warn(f"CTranslate2 is not used: {error}; the pipeline's own network answers", NlpipeWarning, stacklevel=3)


def choose(stages: Sequence[AnyStage], records: Mapping[str, Any], name: str | None) -> Beside | None:
    """What answers in place of ``stages``; None: they do themselves.

    Args:
        records: what ``compare`` gave, by runtime.
        name: of the runtime; None: as the environment variable says, or auto.

    Raises:
        NlpipeError: the runtime that is asked for cannot compute them, or there is none of this name.
    """
    asked = wanted(name)
    if asked == OWN or isinstance(stages[-1], CTranslate2):
        return None
    if asked == OTHER:
        return Beside(stages, forced=True)
    if not records.get(OTHER, {}).get("taken") or not installed():
        return None
    try:
        return Beside(stages)
    except (ModelError, MissingExtra) as error:
        warn_of(error)
        return None


def installed() -> bool:
    """Whether ctranslate2 is there; it is not imported."""
    return importlib.util.find_spec(OTHER) is not None


def timed(way: Predict, parts: Sequence[Wire]) -> tuple[list[AnyPredictions], float]:
    """The answers to all ``parts``, and the seconds that they took."""
    started = time.perf_counter()
    answers = [way(part) for part in parts]
    return answers, time.perf_counter() - started


def compare(
    stages: Sequence[AnyStage], inputs: Wire, own: Predict, other: Callable[[Beside], Predict]
) -> dict[str, Any] | None:
    """How CTranslate2 does beside ``stages`` on the first of ``inputs``; None where it cannot compute them, or fails.

    Args:
        own: the pipeline's answers.
        other: its answers by what is given.
    """
    if not computable(stages) or not installed() or not len(inputs):
        return None
    try:
        beside = Beside(stages)
    except (ModelError, MissingExtra) as error:
        warn_of(error)
        return None
    sample = inputs.take(range(min(COMPARED, len(inputs))))
    single = [sample.take([i]) for i in range(min(ALONE, len(sample)))]
    ways = (own, other(beside))
    seconds = np.zeros((2, 2))
    texts: list[list[str]] = []
    for number, way in enumerate(ways):
        way(single[0])
        for place, parts in enumerate((single, [sample])):
            answers, seconds[number, place] = timed(way, parts)
        found: Text = answers[0].values
        texts.append(list(found.strings))
    if beside.fault is not None:
        warn_of(beside.fault)
        return None
    same = sum(a == b for a, b in zip(*texts, strict=True))
    alone, together = (seconds[0] / seconds[1]).tolist()
    return {
        "compared": len(sample), "same": same, "times_as_fast_alone": round(alone, 2),
        "times_as_fast_in_batches": round(together, 2),
        "taken": same >= ALIKE * len(sample) and min(alone, together) > 1,
    }  # fmt: skip
