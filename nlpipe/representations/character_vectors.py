"""Word vectors computed from the characters of a word, so that unknown words also have a vector.

Convolution and maximum over the word: Ma and Hovy 2016, "End-to-end Sequence Labeling via Bi-directional
LSTM-CNNs-CRF". Bidirectional LSTM: Lample et al. 2016, "Neural Architectures for Named Entity Recognition".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpipe.capabilities import ComputesWordVectors
from nlpipe.nn.dropout import Drop
from nlpipe.nn.learned_table import LearnedTable
from nlpipe.nn.padding import reversal
from nlpipe.nn.recurrent_layer import run_layer
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Data, Representation
from nlpipe.vocabulary import PAD_ID, Vocabulary
from nlpipe.wire import Sequences, Tokens

EDGES = ("<w>", "</w>")
"""Symbols before and after every word, so that filters recognise its start and end."""
CACHE_SIZE = 200_000
"""Maximum number of words whose vectors are cached in prediction, since texts repeat their words."""

CHUNK = 4096
"""Words that are computed together."""


@dataclass
class WordCache:
    """Vectors of earlier words: the row of each word, and the rows (U, D), in parts."""

    numbers: dict[str, int] = field(default_factory=dict)
    rows: list[Tensor] = field(default_factory=list)


class Characters(LearnedTable[Tokens, Sequences], Representation[Tokens, Sequences], ComputesWordVectors):
    """Word vectors that a convolution or an LSTM computes from the characters; it is trained with the pipeline.

    In a ``join`` with ``static``, it distinguishes names and unknown words. Each distinct word of a batch is computed
    once; in prediction, the vectors of earlier batches are reused.

    Options:
        kind: convolution (with the maximum over the word) or lstm (the last states of both directions).
        dim: size of a character's vector.
        filters: D, size of a word's vector; each direction of an LSTM has half of it.
        span: number of characters that a filter of the convolution covers.
        dropout: share of the values of character vectors that are set to zero in training.
        min_count: how often a character must occur in the training split to have a vector; the others share one.
        longest: maximum number of characters read of a word; of a longer word, the first and the last ones are read.
    """

    seeded = False

    def __init__(
        self,
        kind: Literal["convolution", "lstm"] = "convolution",
        dim: Positive = 30,
        filters: Positive = 50,
        span: Positive = 3,
        dropout: Dropout = 0.3,
        min_count: Positive = 2,
        longest: Positive = 40,
    ) -> None:
        super().__init__()
        if kind == "lstm" and filters % 2:
            raise ValueError(
                f"filters: invalid value {filters}: expected an even number, half for each direction of the LSTM"
            )
        if longest < 2:
            raise ValueError(f"longest: invalid value {longest}: expected an integer of at least 2")
        self.kind = kind
        self.dim = dim
        self.filters = filters
        self.span = span
        self.min_count = min_count
        self.longest = longest
        self.dropout = Drop(dropout)
        self.vocabulary = Vocabulary.from_counts({}, specials=EDGES)

    def fit(self, data: Data[Tokens]) -> None:
        counts = Counter(letter for tokens, _ in data for words in tokens.words for word in words for letter in word)
        self.vocabulary = Vocabulary.from_counts(counts, self.min_count, specials=EDGES)

    def allocate(self, width: int) -> int:
        bound = (3 / self.dim) ** 0.5
        self.make_table(self.dim, partial(nn.init.uniform_, a=-bound, b=bound))
        if self.kind == "convolution":
            self.slide = nn.Conv1d(self.dim, self.filters, self.span)
        else:
            self.ahead = nn.LSTM(self.dim, self.filters // 2, batch_first=True)
            self.back = nn.LSTM(self.dim, self.filters // 2, batch_first=True)
        return self.filters

    def forward(self, source: Tokens) -> Sequences:
        flat = [word for words in source.words for word in words]
        if self.training or torch.is_grad_enabled():
            numbers: dict[str, int] = {}
            indices = [numbers.setdefault(word, len(numbers)) for word in flat]
            rows = self._compute(list(numbers))  # (U, D)
        else:
            indices, rows = self._look_up(flat)
        chosen = torch.as_tensor(indices, dtype=torch.long, device=rows.device)
        return Sequences(rows[chosen], source.lengths, source)  # (sum of T_b, D)

    def _look_up(self, words: list[str]) -> tuple[list[int], Tensor]:
        """Return the index of each word in the cache, and the rows of the cache (U, D); compute missing rows first."""
        cache = self.from_weights("words", WordCache)
        if len(cache.numbers) > CACHE_SIZE:
            cache.numbers, cache.rows = {}, []
        size = len(cache.numbers)
        indices = [cache.numbers.setdefault(word, len(cache.numbers)) for word in words]
        missing = list(cache.numbers)[size:] if len(cache.numbers) > size else []
        for start in range(0, len(missing), CHUNK):
            cache.rows.append(self._compute(missing[start : start + CHUNK]))
        if len(cache.rows) > 1:
            cache.rows = [torch.cat(cache.rows)]
        return indices, cache.rows[0] if cache.rows else torch.zeros(0, self.filters, device=self.device)

    def _compute(self, words: list[str]) -> Tensor:
        """Return the vectors of U words, (U, D)."""
        if not words:
            return torch.zeros(0, self.filters, device=self.device)
        half = self.longest // 2
        shortened = [w if len(w) <= self.longest else w[: self.longest - half] + w[-half:] for w in words]
        lengths = np.array([len(word) + 2 for word in shortened], dtype=np.int64)
        is_letter = np.arange(max(lengths.max(), self.span)) < lengths[:, None]  # (U, L)
        ids = np.full(is_letter.shape, PAD_ID)
        start, end = EDGES
        ids[is_letter] = self.vocabulary.ids([letter for word in shortened for letter in (start, *word, end)])
        letters = self.dropout(self.table(torch.as_tensor(ids, device=self.device)))  # (U, L, d)
        mask = torch.as_tensor(is_letter, device=self.device)  # (U, L)
        if self.kind == "convolution":
            columns = F.pad(letters.transpose(1, 2), ((self.span - 1) // 2, self.span // 2))  # (U, d, L + span - 1)
            features: Tensor = self.slide(columns).masked_fill(~mask[:, None], -torch.inf)  # (U, D, L)
            maxima: Tensor = features.amax(-1)  # (U, D)
            return maxima.relu()
        counts = torch.as_tensor(lengths, device=self.device)
        reversed_letters = letters.flatten(0, 1)[reversal(mask, counts)].view_as(letters)  # (U, L, d)
        last = (torch.arange(len(words), device=self.device), counts - 1)
        return torch.cat(
            [run_layer(self.ahead, letters)[0][last], run_layer(self.back, reversed_letters)[0][last]], -1
        )  # (U, D)

    @torch.no_grad()
    def compute_vectors(self, words: Sequence[str]) -> np.ndarray:
        parts = [self._compute(list(words[start : start + CHUNK])) for start in range(0, max(1, len(words)), CHUNK)]
        return torch.cat(parts).float().cpu().numpy()  # (N, D)

    def ledger(self, source: Tokens) -> dict[str, float]:
        """Return the usual counts, and the number of words that are longer than ``longest``."""
        words = [word for sentence in source.words for word in sentence]
        unknown = sum(not any(letter in self.vocabulary for letter in word) for word in words)
        return {
            "tokens": len(words), "out_of_vocabulary": unknown,
            "long_words": sum(len(word) > self.longest for word in words),
        }  # fmt: skip
