"""How a text is read for a language model: with the start before it, and in windows where it is long.

A neural language model predicts each token from the vector of the one before it, and the first from that of the start
token, which is therefore put in front of the words. Stages whose state grows with what they read (a transformer) read a
long text in overlapping windows, and each token is predicted in the window in which it has most before it.
"""

from __future__ import annotations

import hashlib
import unicodedata
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from nlpipe.capabilities import Corrupts, Fills, Generates, OffersPieces, Steps, able
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.pipeline.batches import apply
from nlpipe.registry import written_name
from nlpipe.stage import AnyHead, AnyStage, Encoder, Tokenizer
from nlpipe.tasks.task import Split
from nlpipe.vocabulary import START, escaped
from nlpipe.wire import Sequences, Span, Text, Tokens, Vectors

WINDOWS = 64
"""Windows that are read together."""
CHECKED, LONGEST_CHECKED = 100, 10_000
"""Texts, and characters of each, in which it is checked whether the tokenizer keeps the text."""


class Reader:
    """Reads texts through the stages before a head: what its ``predict`` is given.

    Args:
        body: the stages before the head; the first is the tokenizer.
        head: the head behind them.
    """

    def __init__(self, body: Sequence[AnyStage], head: AnyHead) -> None:
        self.body = list(body)
        self.corrupts = able(head, Corrupts)
        self.opens = self.corrupts is not None and able(head, Generates) is not None
        """Whether texts are read with the start before them."""
        self.hides = self.corrupts is not None and able(head, Fills) is not None
        """Whether pieces of them are hidden."""
        self.offers = next((found for stage in body if (found := able(stage, OffersPieces)) is not None), None)
        grows = any(
            isinstance(stage, Encoder) and (steps := able(stage, Steps)) is not None and not steps.recurrent
            for stage in body
        )
        self.context = self.corrupts.context if self.corrupts is not None and self.opens and grows else None

    def read(self, wire: Any) -> Any:
        """``wire`` through all stages."""
        if not (self.opens or self.hides):
            return apply(self.body, wire)
        return self.read_tokens(self.tokens(wire))

    def tokens(self, wire: Any) -> Any:
        """Texts as the representation reads them: opened words, or pieces of which the same are hidden each time."""
        if not self.hides:
            return opened(self.body[0].process(wire))
        assert self.corrupts is not None and self.offers is not None and isinstance(wire, Text)
        inputs, targets = [], []
        for text, ids in zip(wire.strings, self.offers.pieces_of(wire.strings), strict=True):
            number = int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")
            some, hidden = self.corrupts.corrupt([ids], np.random.default_rng(number))
            inputs += some
            targets += hidden
        return self.offers.hidden(inputs, targets, wire.strings)

    def read_tokens(self, tokens: Any) -> Any:
        """What ``tokens`` gave, perhaps a part of it, through the stages behind the tokenizer."""
        stages = self.body[1:]
        if self.context is None or int(tokens.lengths.max(initial=0)) <= self.context:
            return apply(stages, tokens)
        return self._in_windows(stages, tokens, self.context)

    def _in_windows(self, stages: Sequence[AnyStage], tokens: Tokens, context: int) -> Sequences:
        """The vectors (sum of T_b, D) of all tokens, each from the window in which most stands before it."""
        cuts = [(b, *cut) for b, length in enumerate(tokens.lengths) for cut in windows(int(length), context)]
        parts: list[Any] = []
        for first in range(0, len(cuts), WINDOWS):
            some = cuts[first : first + WINDOWS]
            chosen = sliced(tokens, [(b, start, end) for b, start, end, _ in some])
            output = apply(stages, chosen)
            rows, lengths = output.ragged()
            places = np.concatenate([[0], np.cumsum(lengths)])
            keep = [np.arange(places[i] + kept - start, places[i + 1]) for i, (_, start, _, kept) in enumerate(some)]
            parts.append(Vectors(rows).take(np.concatenate(keep).tolist()))
        return Sequences(Vectors.concat(parts).rows, tokens.lengths, tokens)


def windows(length: int, context: int) -> list[tuple[int, int, int]]:
    """(start, end, kept) of windows of at most ``context`` tokens over ``length``: the vectors from ``kept`` on count.

    Each but the first reads half a context again.
    """
    cuts = [(0, min(length, context), 0)]
    while cuts[-1][1] < length:
        kept = cuts[-1][1]
        start = max(0, kept - context // 2)
        cuts.append((start, min(length, start + context), kept))
    return cuts


def sliced(tokens: Tokens, cuts: Sequence[tuple[int, int, int]]) -> Tokens:
    """Stretches (text, start, end) of the words of ``tokens``, without their texts."""
    words = [tokens.words[b][start:end] for b, start, end in cuts]
    return Tokens(words, [""] * len(words))


def opened(tokens: Tokens) -> Tokens:
    """``tokens`` with the start token before each text; one that is spelled like a special one is escaped."""
    words = [[START, *escaped(text)] for text in tokens.words]
    locate = tokens.locate

    def find(text: str, found: list[str]) -> list[Span]:
        return [(0, 0), *locate(text, found[1:])]

    return Tokens(words, tokens.texts, find)


def check_spelled(tokenizer: AnyStage, train: Split) -> None:
    """Refuse a tokenizer that changes the text: the probability of the text itself would not be known.

    Warns where only white space changes, which is then not predicted.

    Raises:
        DataError: the words of one of the first texts do not spell it; white space and invisible characters apart.
    """
    if not (isinstance(tokenizer, Tokenizer) and isinstance(train.inputs, Text)):
        return
    dropped = ""
    for text in train.inputs.strings[:CHECKED]:
        part = text[:LONGEST_CHECKED]
        joined = _joined(tokenizer, part)
        dropped = dropped or _first_change(part.strip(), joined.strip())
        shown = _first_change(_visible(part), _visible(joined))
        if shown:
            way = "; set lowercase: false" if tokenizer.options.get("lowercase") else "; take another, or form: null"
            raise DataError(
                f"tokenizer '{written_name(tokenizer)}' changes the text ({shown}), and a language model must give the "
                f"probability of the text as it is{way}"
            )
    if dropped:
        message = (
            f"tokenizer '{written_name(tokenizer)}' does not keep white space as it is ({dropped}): what it drops is "
            "not predicted, so that scores are a little better than those of a model that predicts it (characters)"
        )
        warnings.warn(message, NlpipeWarning, stacklevel=2)


def _first_change(text: str, changed: str) -> str:
    """The first place where a text was changed, in words; empty where it was not."""
    if text == changed:
        return ""
    i = next((i for i, (a, b) in enumerate(zip(text, changed, strict=False)) if a != b), min(len(text), len(changed)))
    return f"{text[max(0, i - 10) : i + 10]!r} becomes {changed[max(0, i - 10) : i + 10]!r}"


def _visible(text: str) -> str:
    return "".join(
        c for c in unicodedata.normalize("NFC", text) if not c.isspace() and unicodedata.category(c)[0] != "C"
    )


def _joined(tokenizer: Tokenizer, text: str) -> str:
    return tokenizer.join(tokenizer.forward(Text([text])).words[0])
