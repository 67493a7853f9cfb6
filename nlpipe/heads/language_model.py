"""The neural language model: a softmax over the vocabulary behind causal stages, for every token the next one.

Bengio et al. 2003, "A Neural Probabilistic Language Model"; Mikolov et al. 2010 (recurrent); Radford et al. 2018
(transformer). Its table of words is that of the representation (tied: Press and Wolf 2017, "Using the Output Embedding
to Improve Language Models").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nlpipe.capabilities import (
    Corrupts,
    Generates,
    NextTokens,
    OffersWordVectors,
    SharesTable,
    Steps,
    Trained,
    WordTable,
    able,
)
from nlpipe.classical.spelling import Spelling, spelled
from nlpipe.errors import WiringError
from nlpipe.nn.causal_stack import CausalStack
from nlpipe.nn.cross_entropy import cross_entropy
from nlpipe.nn.dropout import Drop
from nlpipe.nn.linear_layer import LinearLayer, linear
from nlpipe.nn.neural import Neural
from nlpipe.options import Dropout, Positive
from nlpipe.predictions import Predictions
from nlpipe.stage import AnyStage, Encoder, Head, State
from nlpipe.vocabulary import END, START, EncodedTokens, Vocabulary, encode
from nlpipe.wire import Sequences, Text

ROWS = 1024
"""Tokens whose scores over the vocabulary are in memory together."""


class LanguageModel(
    Neural[Sequences, Text],
    Head[Sequences, Text],
    Trained[Sequences, Text],
    Generates[Sequences],
    Corrupts,
    OffersWordVectors,
):
    """Neural language model: for every token a distribution over the one that follows.

    Options:
        context: number of tokens that are read together in training; a transformer reads no more in use either.
        dropout: share of its inputs that are set to zero in training.
        tied: whether its table of words is that of the representation; if not, it has one of its own.
    """

    specials: ClassVar[tuple[str, ...]] = (START, END)
    reads_ahead: ClassVar[int] = 1

    def __init__(self, context: Positive = 128, dropout: Dropout = 0.1, tied: bool = True) -> None:
        super().__init__()
        self.context = context
        self.dropout = Drop(dropout)
        self.tied = tied
        self.spelling: Spelling | None = None
        # in a tuple, so that torch does not register the shared stages as submodules
        self._body: tuple[SharesTable, list[Steps[Any]]] | None = None

    # -- training

    def bind(self, body: Sequence[AnyStage]) -> None:
        """Find the representation, whose vocabulary it predicts, and the encoders that it steps through.

        Raises:
            WiringError: no representation has a vocabulary to share.
        """
        shared = next((table for stage in body if (table := able(stage, SharesTable)) is not None), None)
        if shared is None or START not in shared.vocabulary:
            raise WiringError("language_model: it predicts the vocabulary of the representation; use 'embedding'")
        encoders = [steps for stage in body if isinstance(stage, Encoder) and (steps := able(stage, Steps)) is not None]
        self._body = (shared, encoders)

    def _bound(self) -> tuple[SharesTable, list[Steps[Any]]]:
        if self._body is None:
            raise WiringError("language_model works only in a pipeline, behind a representation with a vocabulary")
        return self._body

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the representation, V entries."""
        return self._bound()[0].vocabulary

    @property
    def _table(self) -> Tensor:
        """(V, D) of the words, as they come out."""
        return self._bound()[0].table.weight if self.tied else self.words

    def allocate(self, width: int) -> int:
        shared = self._bound()[0]
        dim = shared.table.embedding_dim if self.tied else width
        self.project = nn.Identity() if dim == width else LinearLayer(width, dim)
        if not self.tied:
            self.words = nn.Parameter(torch.empty(len(shared.vocabulary), dim))
            nn.init.normal_(self.words, std=dim**-0.5)
        return len(shared.vocabulary)

    def learn(self, ids: np.ndarray, lengths: np.ndarray, vocabulary: Vocabulary, counts: Counter[str]) -> None:
        """Learn the spelling of unknown words; the arguments are those of ``Ngram.learn``."""
        self.spelling = Spelling.learn(counts, vocabulary)

    def corrupt(
        self, ids: Sequence[np.ndarray], random: np.random.Generator
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """All tokens but the last, and the next token of each: the end, where a new text begins."""
        start, end = self.vocabulary.id(START), self.vocabulary.id(END)
        return [row[:-1] for row in ids], [np.where(row[1:] == start, end, row[1:]) for row in ids]

    def loss(self, source: Sequences, target: Any) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood of the next tokens in nats, and their number; shapes () and ()."""
        assert isinstance(target, EncodedTokens), "a language model's targets are what corrupt makes"
        rows = self._outputs(source)
        gold = torch.as_tensor(target.flat(), dtype=torch.int64, device=rows.device)
        return cross_entropy(rows, self._table, gold), torch.tensor(float(len(gold)), device=rows.device)

    def _outputs(self, source: Sequences) -> Tensor:
        """(sum of T_b, D)."""
        rows = source.flat().tensor(self._table.device)
        outputs: Tensor = self.project(self.dropout(rows.to(self._table.dtype)))
        return outputs

    # -- use

    @torch.no_grad()
    def surprisals(self, source: Sequences) -> list[np.ndarray]:
        assert source.tokens is not None and self.spelling is not None, "call fit first"
        words = [text[1:] for text in source.tokens.words]  # the first is the start
        ids = encode(source.tokens, self.vocabulary, self.vocabulary.ids).ids
        end = self.vocabulary.id(END)
        gold = np.concatenate([np.zeros(0, dtype=np.int64), *(np.append(row[1:], end) for row in ids)])
        rows, table = self._outputs(source), self._table
        costs = np.zeros(len(gold))
        for first in range(0, len(gold), ROWS):
            some = torch.as_tensor(gold[first : first + ROWS], dtype=torch.int64, device=rows.device)[:, None]  # (n, 1)
            scores = linear(rows[first : first + ROWS], table).float()  # (n, V)
            cost = scores.logsumexp(-1) - scores.gather(1, some)[:, 0]  # (n,)
            costs[first : first + ROWS] = cost.cpu().double().numpy()
        parts = np.split(costs, np.cumsum([len(row) for row in ids])[:-1]) if ids else []
        return spelled(parts, words, self.vocabulary, self.spelling)

    def predict(self, source: Sequences) -> Predictions[Text]:
        assert source.tokens is not None
        return self.scored(source, source.tokens.texts)

    def forward(self, source: Sequences) -> Text:
        """The texts themselves; use ``loss`` to train and ``surprisals`` for their probability."""
        return self.predict(source).values

    def word_table(self) -> WordTable | None:
        """The table of words as they come out; None where it is tied."""
        return None if self.tied else WordTable.of(self.vocabulary, self.words)

    def next_tokens(self) -> NextTokens:
        shared, encoders = self._bound()
        return CausalStack(shared, encoders, self.project, self._table, self.context)

    # -- saving and loading

    def state(self) -> State:
        state = super().state()
        assert self.spelling is not None, "call fit first"
        arrays, characters = self.spelling.state()
        return State({**state.arrays, **arrays}, {**state.data, "characters": characters})

    def load_state(self, state: State, version: int) -> None:
        self.spelling = Spelling.from_state(state.arrays, state.data["characters"])
        own = {name: array for name, array in state.arrays.items() if not name.startswith("spelling.")}
        super().load_state(State(own, state.data), version)
