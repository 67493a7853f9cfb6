"""Outputs of frozen stages kept in memory: pipelines with the same first stages tokenise and count each text once.

An output is named by a hash of the batch of texts and of the stages: their options, code and states. It is kept with
the seconds that it took to compute, which count for everyone who uses it: ``clock`` goes on as if it had been computed
again. Where the budget is used up, the outputs used longest ago are dropped.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from nlpipe.pipeline.batches import apply
from nlpipe.pipeline.saving import all_states
from nlpipe.pipeline.stage_digest import stage_digest
from nlpipe.stage import AnyStage
from nlpipe.wire import Matrix, Sequences, Text, Tokens, Vectors, Wire, is_sparse

BUDGET = 1_000_000_000
"""Bytes of outputs that a process keeps, estimated."""
WORD_BYTES = 80
"""Of a word in a list of Python strings, roughly."""


@dataclass(frozen=True)
class _Output:
    wire: Wire
    seconds: float
    size: int


class SharedOutputs:
    """The outputs that the pipelines fitted one after another in this process share.

    Args:
        budget: bytes of outputs that are kept.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self.size = 0
        self._outputs: OrderedDict[str, _Output] = OrderedDict()
        self._digests: WeakKeyDictionary[AnyStage, str] = WeakKeyDictionary()
        self._saved = 0.0

    def clock(self) -> float:
        """Seconds that go on as if every output taken from memory had been computed again."""
        return time.perf_counter() + self._saved

    def freeze(self, stage: AnyStage) -> str:
        """From now on keep the outputs of ``stage``, which is not changed any more; its digest.

        A stage with parameters is left out, since its outputs are tensors, and so is one that learns but has no state,
        since nothing tells apart what it learnt.
        """
        digest = stage_digest(stage)
        if stage.module is None and (not stage.learns or any(_has_state(each) for _, each in all_states(stage))):
            self._digests[stage] = digest
        return digest

    def through(self, stages: Sequence[AnyStage], wire: Any) -> Any:
        """``wire`` through ``stages``, from memory as far as it has been there before."""
        if not isinstance(wire, Text | Tokens):
            return apply(stages, wire)
        frozen: list[str] = []
        for stage in stages:
            if stage not in self._digests:
                break
            frozen.append(self._digests[stage])
        given = _digest_of_texts(wire)
        return apply(stages[len(frozen) :], self._take(stages[: len(frozen)], frozen, wire, given))

    def _take(self, stages: Sequence[AnyStage], digests: Sequence[str], wire: Wire, given: str) -> Wire:
        """``wire`` through stages all of which are frozen: the longest part of the way that is known, then the rest."""
        if not stages:
            return wire
        name = " ".join([given, *digests])
        if name in self._outputs:
            self._outputs.move_to_end(name)
            known = self._outputs[name]
            self._saved += known.seconds
            return known.wire
        started = self.clock()
        output: Wire = stages[-1].process(self._take(stages[:-1], digests[:-1], wire, given))
        self._keep(name, output, self.clock() - started)
        return output

    def _keep(self, name: str, output: Wire, seconds: float) -> None:
        size = _size(output)
        if size is None or size > self.budget:
            return
        self._outputs[name] = _Output(output, seconds, size)
        self.size += size
        while self.size > self.budget:
            self.size -= self._outputs.popitem(last=False)[1].size


def _has_state(stage: AnyStage) -> bool:
    state = stage.state()
    return bool(state.arrays or state.data)


def _digest_of_texts(wire: Text | Tokens) -> str:
    """Hash of a batch of texts, and of their words where they come split."""
    if isinstance(wire, Tokens):
        content: object = [wire.texts, wire.words, f"{wire.locate.__module__}.{wire.locate.__qualname__}"]
    else:
        content = wire.strings
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _size(wire: Wire) -> int | None:
    """Bytes of an output, estimated; None where it is not worth keeping or cannot be.

    Dense vectors of every word are looked up in a table faster than they would fill the budget.
    """
    if isinstance(wire, Tokens):
        return WORD_BYTES * (len(wire) + int(wire.lengths.sum()))
    if isinstance(wire, Vectors) or (isinstance(wire, Sequences) and is_sparse(wire.rows)):
        return _matrix_size(wire.rows)
    return None


def _matrix_size(rows: Matrix) -> int | None:
    if is_sparse(rows):
        return int(rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes)
    return int(rows.nbytes) if isinstance(rows, np.ndarray) else None
