"""How unexpected each token of a text is to a language model: -log2 of its probability after those before it, in bits.

Hale 2001, "A Probabilistic Earley Parser as a Psycholinguistic Model"; Shannon 1948 (bits).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlpipe.capabilities import Generates, able
from nlpipe.errors import NlpipeError
from nlpipe.pipeline.batches import cuts, inference, sizes_of
from nlpipe.pipeline.python_data import inputs_of
from nlpipe.pipeline.reading import Reader
from nlpipe.registry import written_name
from nlpipe.stage import AnyHead, AnyStage, Tokenizer
from nlpipe.wire import Text


@dataclass(frozen=True)
class Surprisal:
    """A text and how unexpected it is.

    Args:
        text: as given.
        tokens: T of them.
        spans: of each token, its first character and the one after its last.
        nats: (T + 1,) -log p of each token after those before it, and of the end.
    """

    text: str
    tokens: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    nats: np.ndarray

    @property
    def log_probability(self) -> float:
        """Of the whole text with its end, in nats."""
        return -float(self.nats.sum())

    @property
    def bits(self) -> np.ndarray:
        """(T + 1,) the surprisal of each token and of the end, in bits."""
        bits: np.ndarray = self.nats / math.log(2)
        return bits


def surprisals(body: Sequence[AnyStage], head: AnyHead, texts: Sequence[str]) -> list[Surprisal]:
    """The surprisal of every token of ``texts``.

    Args:
        body: the stages before the head, a tokenizer first.
        head: of a language model.

    Raises:
        NlpipeError: the head is no language model.
    """
    model, tokenizer = able(head, Generates), body[0] if body else None
    if model is None or not isinstance(tokenizer, Tokenizer):
        raise NlpipeError(f"'{written_name(head)}' is no language model; language_model and ngram are")
    wire = inputs_of(texts)
    assert isinstance(wire, Text), type(wire)
    reader = Reader(body, head)
    found = []
    with inference():
        for start, end in cuts(sizes_of(wire)):
            batch = wire.take(range(start, end))
            tokens = tokenizer.forward(batch)
            for b, nats in enumerate(model.surprisals(reader.read(batch))):
                spans = tuple(tokens.spans(b))
                found.append(Surprisal(batch.strings[b], tuple(tokens.words[b]), spans, nats))
    return found
