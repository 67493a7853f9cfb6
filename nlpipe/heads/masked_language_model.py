"""The masked language model: words are hidden in a text, and predicted by all that stands around them.

Devlin, Chang, Lee, Toutanova 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
section 3.1: of the hidden pieces 80 % become [MASK], 10 % another piece, 10 % stay. Which are hidden is drawn afresh
for each batch: Liu et al. 2019, "RoBERTa", section 4.1.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpipe.capabilities import Corrupts, Fills, OffersPieces, OffersWordVectors, Trained, WordTable, able
from nlpipe.errors import ModelError, NlpipeWarning, WiringError
from nlpipe.nn import masked_model
from nlpipe.nn.cross_entropy import cross_entropy
from nlpipe.nn.linear_layer import LinearLayer, linear
from nlpipe.nn.neural import Neural
from nlpipe.nn.word_pieces import HiddenPieces
from nlpipe.options import Positive, PositiveFloat
from nlpipe.predictions import Predictions
from nlpipe.stage import AnyStage, Head
from nlpipe.vocabulary import TokenIds, Vocabulary
from nlpipe.wire import Sequences, Text

MASKED, REPLACED = 0.8, 0.1
"""Shares of the hidden pieces that become [MASK], and another piece."""
ROWS = 1024
"""Hidden pieces whose scores over the vocabulary are in memory together."""


class MaskedLanguageModel(
    Neural[Sequences, Text], Head[Sequences, Text], Trained[Sequences, Text], Fills, Corrupts, OffersWordVectors
):
    """Masked language model: predicts hidden pieces of a text, which pre-trains the BERT before it.

    Options:
        share: share of the pieces that are hidden.
        whole_words: whether all pieces of a word are hidden together.
        context: number of pieces that are read together in training.
    """

    reads_ahead: ClassVar[int] = 0

    def __init__(self, share: PositiveFloat = 0.15, whole_words: bool = False, context: Positive = 126) -> None:
        super().__init__()
        if share > 0.9:
            raise ValueError(f"share: invalid value {share}: expected a number above 0 and at most 0.9")
        self.share = share
        self.whole_words = whole_words
        self.context = context
        self._body: tuple[OffersPieces] | None = None  # in a tuple, so that torch does not register it as a submodule

    def _bound(self) -> OffersPieces:
        if self._body is None:
            raise WiringError("masked_language_model works only in a pipeline, behind 'bert' or 'new_bert'")
        return self._body[0]

    # -- training

    def bind(self, body: Sequence[AnyStage]) -> None:
        """Find the BERT whose pieces it predicts.

        Raises:
            WiringError: there is none, or its weights are frozen.
        """
        offers = next((found for stage in body if (found := able(stage, OffersPieces)) is not None), None)
        if offers is None:
            raise WiringError("masked_language_model predicts the pieces of a BERT; use 'new_bert' or 'bert'")
        self._body = (offers,)

    def allocate(self, width: int) -> int:
        offers = self._bound()
        kind = offers.encoder.config.model_type
        if kind != "bert":
            raise ModelError(
                f"{offers.name} is a {kind}; masked_language_model goes on with the training of a BERT alone"
            )
        self.dense = LinearLayer(width, width)
        self.norm = nn.LayerNorm(width, eps=offers.norm_epsilon)
        self.bias = nn.Parameter(torch.zeros(len(offers.piece_table)))
        self._continues = offers.continues
        found = offers.masked_head()
        if found is not None:
            self.load_state_dict({name: tensor.clone() for name, tensor in found.items()})
        elif offers.was_trained:
            message = f"masked_language_model: {offers.name} has no head for masked words: a new one is trained"
            warnings.warn(message, NlpipeWarning, stacklevel=2)
        return len(offers.piece_table)

    def learn(self, ids: np.ndarray, lengths: np.ndarray, vocabulary: Vocabulary, counts: Counter[str]) -> None:
        """Nothing: its pieces are those of the BERT."""

    def corrupt(
        self, ids: Sequence[np.ndarray], random: np.random.Generator
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Windows with some pieces hidden, and these pieces, -1 for the others; at least one of each window."""
        offers = self._bound()
        inputs, targets = [], []
        for row in ids:
            hidden = self._hidden(row, random)
            fate = random.random(len(row))
            other = random.integers(offers.special_pieces, len(offers.piece_table), len(row))
            changed = np.where(fate < MASKED, offers.mask_piece, np.where(fate < MASKED + REPLACED, other, row))
            inputs.append(np.where(hidden, changed, row))
            targets.append(np.where(hidden, row, -1))
        return inputs, targets

    def _hidden(self, row: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """(T,) which pieces are hidden."""
        word = np.arange(len(row))
        if self.whole_words:
            word = np.maximum(np.cumsum(~self._continues[row]) - 1, 0)  # the number of each piece's word
        count = int(word[-1]) + 1 if len(row) else 0
        chosen = random.permutation(count)[: max(1, round(self.share * count))]
        return np.isin(word, chosen)

    def loss(self, source: Sequences, target: Any) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood of the hidden pieces in nats, and their number; shapes () and ()."""
        assert isinstance(target, TokenIds), "a masked language model's targets are what corrupt makes"
        rows, gold = self._hidden_rows(source, target.flat())
        total = cross_entropy(*self._with_bias(self._transformed(rows)), gold)
        return total, torch.tensor(float(len(gold)), device=rows.device)

    def _hidden_rows(self, source: Sequences, gold: np.ndarray) -> tuple[Tensor, Tensor]:
        """Vectors (N, D) of the hidden pieces, and their ids (N,)."""
        places = np.flatnonzero(gold >= 0)
        rows = source.flat().tensor(self.device)
        chosen = torch.as_tensor(places, device=rows.device)
        return rows.index_select(0, chosen), torch.as_tensor(gold[places], dtype=torch.int64, device=rows.device)

    def _transformed(self, rows: Tensor) -> Tensor:
        """(N, D), as BERT does before the scores: a layer, GELU, a norm."""
        transformed: Tensor = self.norm(F.gelu(self.dense(rows.to(self.dense.weight.dtype))))
        return transformed

    def _with_bias(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (N, D + 1) and table (V, D + 1) whose products are the scores with the bias of each piece."""
        table = torch.cat([self._bound().piece_table.to(self.bias.dtype), self.bias[:, None]], 1)
        return torch.cat([rows, rows.new_ones(len(rows), 1)], 1), table

    # -- use

    @torch.no_grad()
    def predict(self, source: Sequences) -> Predictions[Text]:
        """Of each text, the log-probability of the pieces that were hidden in it."""
        tokens = source.tokens
        assert isinstance(tokens, HiddenPieces), "a masked language model reads texts in which pieces are hidden"
        gold = np.concatenate([np.zeros(0, dtype=np.int64), *tokens.targets])
        rows, wanted = self._hidden_rows(source, gold)
        rows, table = self._with_bias(self._transformed(rows))
        costs = np.zeros(len(wanted))
        for first in range(0, len(wanted), ROWS):
            scores = linear(rows[first : first + ROWS], table).float()  # (n, V)
            own = scores.gather(1, wanted[first : first + ROWS, None])[:, 0]
            costs[first : first + ROWS] = (scores.logsumexp(-1) - own).cpu().double().numpy()
        owners = np.repeat(np.arange(len(tokens.targets)), [int((row >= 0).sum()) for row in tokens.targets])
        sums = np.bincount(owners, costs, minlength=len(tokens.targets))
        units = np.bincount(owners, minlength=len(tokens.targets)).astype(np.float64)
        return Predictions(Text(tokens.texts), -sums, units=units)

    def forward(self, source: Sequences) -> Text:
        """The texts themselves; use ``loss`` to train."""
        return self.predict(source).values

    def word_table(self) -> WordTable:
        """The pieces of the BERT and the table with which it reads and predicts them, before any context."""
        offers = self._bound()
        backend = offers.splitter.backend
        special = {i for i, token in backend.get_added_tokens_decoder().items() if token.special}
        pieces = sorted((i, piece) for piece, i in backend.get_vocab().items() if i not in special)
        rows = offers.piece_table.detach().float().cpu().numpy()[[i for i, _ in pieces]]  # (V, D)

        def split(texts: Sequence[str]) -> list[list[str]]:
            return [found.tokens for found in backend.encode_batch(list(texts), add_special_tokens=False)]

        return WordTable([piece for _, piece in pieces], rows, split=split)

    def masked_model(self) -> tuple[Any, Any]:
        offers = self._bound()
        weights = {name: tensor.detach() for name, tensor in self.state_dict().items()}
        return masked_model.assembled(offers, weights), offers.splitter

    def export(self, directory: Path) -> None:
        masked_model.write(*self.masked_model(), Path(directory))
