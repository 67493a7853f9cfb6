"""Word vectors spelt out from characters, so that unknown words have one too.

Convolution with a maximum over the word: Ma and Hovy 2016, "End-to-end Sequence Labeling via Bi-directional
LSTM-CNNs-CRF"; LSTM in both directions: Lample et al. 2016, "Neural Architectures for Named Entity Recognition".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlpipe.nn.dropout import Drop
from nlpipe.nn.neural import Neural
from nlpipe.nn.padding import reversal
from nlpipe.nn.recurrent_layer import run_layer
from nlpipe.options import Dropout, Positive
from nlpipe.stage import Data, Representation, State
from nlpipe.vocabulary import Vocabulary
from nlpipe.wire import Sequences, Tokens

PADDING, UNKNOWN = 0, 1
EDGES = ("<w>", "</w>")
"""Stand before and behind every word, so that filters see where it begins and ends."""
KEPT = 200_000
"""Words whose vectors are kept while nothing is trained; texts repeat their words."""


@dataclass
class WordMemory:
    """Vectors of words that were met: the row of each word, and the rows, (U, D) in all."""

    places: dict[str, int] = field(default_factory=dict)
    rows: list[Tensor] = field(default_factory=list)


class Characters(Neural[Tokens, Sequences], Representation[Tokens, Sequences]):
    """A word's vector is spelt out from its characters, by a convolution or an LSTM trained with the pipeline.

    Beside ``static`` in a ``join`` it tells names and unknown words apart. Each different word of a batch is read
    once; while nothing is trained, once in all.

    Options:
        kind: convolution (filters and a maximum over the word) or lstm (last states of both directions).
        dim: numbers in a character's vector.
        filters: D of the outputs; of an LSTM half of them for each direction.
        span: characters that a filter of the convolution sees.
        dropout: share of the characters' numbers dropped in training.
        min_count: times a character must stand in the training split to have a vector; the others share one.
        longest: characters read of a word; of a longer one its beginning and its end.
    """

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
            raise ValueError(f"filters: {filters} will not do with kind=lstm: half of them are for each direction")
        if longest < 2:
            raise ValueError(f"longest: {longest} will not do: it should be at least 2, a beginning and an end")
        self.kind = kind
        self.dim = dim
        self.filters = filters
        self.span = span
        self.min_count = min_count
        self.longest = longest
        self.dropout = Drop(dropout)
        self.vocabulary = Vocabulary.from_counts(Counter(), 1, None, EDGES)

    def fit(self, data: Data[Tokens]) -> None:
        counts = Counter(letter for tokens, _ in data for words in tokens.words for word in words for letter in word)
        self.vocabulary = Vocabulary.from_counts(counts, self.min_count, None, EDGES)

    def allocate(self, width: int) -> int:
        self.table = nn.Embedding(len(self.vocabulary), self.dim, padding_idx=PADDING)
        nn.init.uniform_(self.table.weight, -((3 / self.dim) ** 0.5), (3 / self.dim) ** 0.5)
        with torch.no_grad():
            self.table.weight[PADDING].zero_()
        if self.kind == "convolution":
            self.slide = nn.Conv1d(self.dim, self.filters, self.span)
        else:
            self.ahead = nn.LSTM(self.dim, self.filters // 2, batch_first=True)
            self.back = nn.LSTM(self.dim, self.filters // 2, batch_first=True)
        return self.filters

    def forward(self, source: Tokens) -> Sequences:
        lengths = np.array([len(words) for words in source.words], dtype=np.int64)
        flat = [word for words in source.words for word in words]
        if self.training or torch.is_grad_enabled():
            places: dict[str, int] = {}
            which = [places.setdefault(word, len(places)) for word in flat]
            rows = self._spell(list(places))  # (U, D)
        else:
            which, rows = self._recall(flat)
        chosen = torch.as_tensor(which, dtype=torch.long, device=rows.device)
        return Sequences(rows[chosen], lengths, source)  # (sum of T_b, D)

    def _recall(self, words: list[str]) -> tuple[list[int], Tensor]:
        """Rows of ``words`` in a table that grows by the words it has not met."""
        memory = self.from_weights("words", WordMemory)
        if len(memory.places) > KEPT:
            memory.places, memory.rows = {}, []
        first = len(memory.places)
        which = [memory.places.setdefault(word, len(memory.places)) for word in words]
        fresh = list(memory.places)[first:] if len(memory.places) > first else []
        for start in range(0, len(fresh), 4096):
            memory.rows.append(self._spell(fresh[start : start + 4096]))
        if len(memory.rows) > 1:
            memory.rows = [torch.cat(memory.rows)]
        return which, memory.rows[0] if memory.rows else torch.zeros(0, self.filters, device=self.device)

    def _spell(self, words: list[str]) -> Tensor:
        """(U, D), one vector for each of U words."""
        if not words:
            return torch.zeros(0, self.filters, device=self.device)
        half = self.longest // 2
        cut = [w if len(w) <= self.longest else w[: self.longest - half] + w[-half:] for w in words]
        lengths = np.array([len(word) + 2 for word in cut], dtype=np.int64)
        filled = np.arange(max(lengths.max(), self.span)) < lengths[:, None]  # (U, L)
        ids = np.full(filled.shape, PADDING)
        start, end = EDGES
        ids[filled] = self.vocabulary.ids([letter for word in cut for letter in (start, *word, end)])
        letters = self.dropout(self.table(torch.as_tensor(ids, device=self.device)))  # (U, L, d)
        mask = torch.as_tensor(filled, device=self.device)  # (U, L)
        if self.kind == "convolution":
            columns = F.pad(letters.transpose(1, 2), ((self.span - 1) // 2, self.span // 2))  # (U, d, L + span - 1)
            found: Tensor = self.slide(columns).masked_fill(~mask[:, None], -torch.inf)  # (U, D, L)
            longest: Tensor = found.amax(-1)
            return longest.relu()
        last = torch.as_tensor(lengths, device=self.device)
        order = reversal(mask, last)
        turned = letters.flatten(0, 1)[order].view_as(letters)
        ends = (torch.arange(len(cut), device=self.device), last - 1)
        return torch.cat([run_layer(self.ahead, letters)[0][ends], run_layer(self.back, turned)[0][ends]], -1)  # (U, D)

    def ledger(self, source: Tokens) -> dict[str, float]:
        """Besides the usual counts, words of which the middle is not read."""
        words = [word for sentence in source.words for word in sentence]
        unknown = sum(not any(letter in self.vocabulary for letter in word) for word in words)
        return {
            "tokens": len(words), "out_of_vocabulary": unknown,
            "long_words": sum(len(word) > self.longest for word in words),
        }  # fmt: skip

    def state(self) -> State:
        state = super().state()
        return State(state.arrays, {**state.data, "vocabulary": self.vocabulary.state()})

    def load_state(self, state: State, version: int) -> None:
        self.vocabulary = Vocabulary.from_state(state.data["vocabulary"])
        super().load_state(state, version)
