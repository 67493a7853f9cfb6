"""The sequence-to-sequence head: from the vectors of one text to another text, token by token.

Sutskever, Vinyals and Le 2014, "Sequence to Sequence Learning with Neural Networks"; Bahdanau, Cho and Bengio 2015
(attention); Vaswani et al. 2017, section 3.4 (one table for source, target and output); Press and Wolf 2017, "Using the
Output Embedding to Improve Language Models". Training reads the whole target at once (teacher forcing).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nlpipe.capabilities import (
    Attends,
    Attention,
    Scores,
    Searches,
    SharesTable,
    Trained,
    Translation,
    able,
)
from nlpipe.errors import DataError, WiringError
from nlpipe.nn.cross_entropy import cross_entropy
from nlpipe.nn.decoder_step import DecoderStep
from nlpipe.nn.dropout import Drop
from nlpipe.nn.neural import Neural
from nlpipe.nn.padding import open_batch
from nlpipe.options import Count, Dropout, NonNegativeFloat, Positive
from nlpipe.search import SearchResult, Tree, beam_search, greedy
from nlpipe.stage import Data, Decoder, Head, Predictions, Stage, State, Tokenizer
from nlpipe.vocabulary import END, PAD, START, UNKNOWN, EncodedText, Vocabulary
from nlpipe.wire import Sequences, Text

SPARE = 10
"""Tokens that a translation may be longer than ``max_ratio`` allows: short texts vary more."""


class Seq2Seq(
    Neural[Sequences, Text],
    Head[Sequences, Text],
    Trained[Sequences, Text],
    Scores[Sequences, Text],
    Searches[Sequences],
    Attends[Sequences],
):
    """Sequence to sequence: a decoder that attends to the source and gives one token after the other.

    Options:
        decoder: what reads the target: rnn, lstm, gru or transformer.
        tokenizer: of the target; joint: the pipeline's own, learnt from sources and targets together, with one
            vocabulary and one table for source, target and output.
        dim: features of a target token; null: those of the source's (joint), or of the encoder's vectors.
        min_count: times a token must stand in the training targets to be known; joint has the representation's.
        dropout: share of the target tokens' vectors dropped in training.
        label_smoothing: share of each token's probability that training spreads over all tokens.
        beam: hypotheses that are followed at a time; 1 is greedy search.
        length_penalty: alpha of Wu et al. 2016: 0 ranks by log-probability, which favours short texts; 1 nearly by
            the mean of the tokens.
        coverage_penalty: beta of Wu et al. 2016: ranks down what leaves words of the source without attention.
        stopping: early: when as many hypotheses as the beam is wide have ended; exact: when none can come first.
        min_ratio: fewest target tokens to each source token.
        max_ratio: most target tokens to each source token, and ten more.
        max_length: most target tokens.
        no_repeat_ngram: n, where no n tokens in a row may come twice in a text; 0: they may.
    """

    specials: ClassVar[tuple[str, ...]] = (START, END)
    answering: ClassVar[tuple[str, ...]] = (
        "beam", "length_penalty", "coverage_penalty", "stopping", "min_ratio", "max_ratio", "max_length",
        "no_repeat_ngram",
    )  # fmt: skip

    def __init__(
        self,
        decoder: Decoder[Sequences, Sequences],
        tokenizer: Tokenizer | Literal["joint"] = "joint",
        dim: Positive | None = None,
        min_count: Positive = 1,
        dropout: Dropout = 0.1,
        label_smoothing: Dropout = 0.1,
        beam: Positive = 5,
        length_penalty: NonNegativeFloat = 1.0,
        coverage_penalty: NonNegativeFloat = 0.0,
        stopping: Literal["early", "exact"] = "early",
        min_ratio: NonNegativeFloat = 0.0,
        max_ratio: NonNegativeFloat = 2.0,
        max_length: Count = 256,
        no_repeat_ngram: Count = 0,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.own = tokenizer if isinstance(tokenizer, Tokenizer) else None
        self.dim = dim
        self.min_count = min_count
        self.dropout = Drop(dropout)
        self.label_smoothing = label_smoothing
        self.beam = beam
        self.length_penalty = length_penalty
        self.coverage_penalty = coverage_penalty
        self.stopping: Literal["early", "exact"] = stopping
        self.min_ratio = min_ratio
        self.max_ratio = max_ratio
        self.max_length = max_length
        self.no_repeat_ngram = no_repeat_ngram
        self.counted = Vocabulary.from_counts(Counter(), 1, None, self.specials)
        # a tuple, so that torch does not take them for parts of it
        self._body: tuple[Tokenizer, SharesTable] | None = None

    @property
    def joint(self) -> bool:
        return self.own is None

    # -- what it shares, or has of its own -----------------------------------------------------------------------

    def bind(self, body: Sequence[Stage[Any, Any]]) -> None:
        """Find the tokenizer, and the representation whose vocabulary and table are the target's too.

        Raises:
            WiringError: ``joint``, and there are none.
        """
        if not self.joint:
            return
        tokenizer = next((stage for stage in body if isinstance(stage, Tokenizer)), None)
        shared = next((table for stage in body if (table := able(stage, SharesTable)) is not None), None)
        if tokenizer is None or shared is None:
            raise WiringError(
                "seq2seq: tokenizer: joint shares the tokenizer and the table of the stages before it, which have "
                "none to share; take the representation 'embedding', or give the head a tokenizer of its own"
            )
        missing = [word for word in self.specials if word not in shared.vocabulary]
        if missing:
            raise WiringError(
                f"seq2seq: the vocabulary it shares has no {missing[0]}; the representation was fitted alone"
            )
        self._body = (tokenizer, shared)

    def _shared(self) -> tuple[Tokenizer, SharesTable]:
        if self._body is None:
            raise WiringError("seq2seq: tokenizer: joint works within a pipeline; alone, give it a tokenizer")
        return self._body

    @property
    def tokenizer(self) -> Tokenizer:
        """The target's."""
        return self.own if self.own is not None else self._shared()[0]

    @property
    def vocabulary(self) -> Vocabulary:
        """The target's, V words."""
        return self.counted if self.own is not None else self._shared()[1].vocabulary

    @property
    def _table(self) -> nn.Embedding:
        if self.own is None:
            return self._shared()[1].table
        table = self.table
        assert isinstance(table, nn.Embedding)
        return table

    @property
    def _scale(self) -> float:
        return self._table.embedding_dim**0.5 if self.own is not None else self._shared()[1].scale

    # -- learning ------------------------------------------------------------------------------------------------

    def fit(self, data: Data[Sequences]) -> None:
        """Learn the target's pieces and words, where they are its own.

        Raises:
            DataError: there is no target with a word.
        """
        texts = [(target, target) for _, target in data]
        if not any(text.strip() for target, _ in texts for text in target.strings):
            raise DataError("seq2seq: the training split has no target texts to learn from")
        if self.own is not None:
            self.own.fit(texts)
            counts = Counter(word for target, _ in texts for words in self.own.forward(target).words for word in words)
            self.counted = Vocabulary.from_counts(counts, self.min_count, None, self.specials)

    def allocate(self, width: int) -> int:
        if self.own is None:
            dim = self._table.embedding_dim
            if self.dim not in (None, dim):
                raise WiringError(f"seq2seq: dim: {self.dim}, but the table it shares has rows of {dim}; leave dim out")
        else:
            dim = self.dim or width
            self.table = nn.Embedding(len(self.vocabulary), dim, padding_idx=self.vocabulary.id(PAD))
            nn.init.normal_(self.table.weight, std=dim**-0.5)
        if self.coverage_penalty and not self.decoder.attends:
            raise WiringError("seq2seq: coverage_penalty is of attention, and the decoder has none (attention: none)")
        self.decoder.memory_width = width
        out = self.decoder.build(dim)
        self.project = nn.Identity() if out == dim else nn.Linear(out, dim)
        return len(self.vocabulary)

    def prepare_target(self, target: Text) -> EncodedText:
        if isinstance(target, EncodedText) and target.vocabulary is self.vocabulary:
            return target
        words = self.tokenizer.forward(Text(target.strings)).words
        flat = self.vocabulary.ids([word for sentence in words for word in sentence])
        flat[flat < self.vocabulary.specials] = self.vocabulary.id(UNKNOWN)  # "</s>" in a text does not end it
        ends = np.cumsum([len(sentence) for sentence in words], dtype=np.int64)
        return EncodedText(target.strings, np.split(flat, ends[:-1]) if len(words) else [], self.vocabulary)

    def _read(self, source: Sequences, target: Text) -> tuple[Tensor, Tensor, np.ndarray]:
        """Teacher forcing: outputs (N, D) of real tokens and ends alone, their ids (N,), lengths (B,) with the end."""
        ids = self.prepare_target(target).ids
        lengths = np.array([len(row) + 1 for row in ids], dtype=np.int64)  # (B,)
        start, end = self.vocabulary.id(START), self.vocabulary.id(END)
        filled = np.arange(lengths.max(initial=0)) < lengths[:, None]  # (B, T)
        read, wanted = np.zeros(filled.shape, dtype=np.int64), np.zeros(filled.shape, dtype=np.int64)  # (B, T)
        flat = np.concatenate([*ids, np.zeros(0, dtype=np.int64)])
        inner = np.arange(filled.shape[1]) < lengths[:, None] - 1  # (B, T), all but the end
        read[:, 1:][inner[:, :-1]] = flat
        read[:, :1] = start
        wanted[inner] = flat
        wanted[np.arange(len(ids)), lengths - 1] = end
        rows, mask = open_batch(source, self._table.weight.device, self._table.weight.dtype)  # (B, S, D)
        memory = self.decoder.remember(rows, mask)
        x = self._embed(torch.as_tensor(read, device=rows.device))  # (B, T, D)
        y = self.decoder.read(x, memory).flatten(0, 1)  # (B T, D)
        real = torch.as_tensor(np.flatnonzero(filled), device=y.device)
        kept: Tensor = self.project(y.index_select(0, real))  # (N, D)
        return kept, torch.as_tensor(wanted[filled], device=y.device), lengths

    def _embed(self, ids: Tensor) -> Tensor:
        x: Tensor = self.dropout(self._table(ids) * self._scale)
        return x

    def loss(self, source: Sequences, target: Text) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats, smoothed as options say, and target tokens with ends; () and ()."""
        rows, gold, _ = self._read(source, target)
        total = cross_entropy(rows, self._table.weight, gold, self.label_smoothing)
        return total, torch.tensor(float(len(gold)), device=rows.device)

    @torch.no_grad()
    def score(self, source: Sequences, target: Text) -> list[np.ndarray]:
        """Log-probability, in nats, of each token of each target and of its end: B arrays (T_b + 1,); unsmoothed."""
        rows, gold, lengths = self._read(source, target)
        scores = (rows @ self._table.weight.T).float().log_softmax(-1).gather(1, gold[:, None])[:, 0]  # (N,)
        return np.split(scores.cpu().double().numpy(), np.cumsum(lengths)[:-1])

    # -- use -----------------------------------------------------------------------------------------------------

    def _model(self) -> DecoderStep:
        """The decoder as a search steps through it: in bf16 where that is faster."""
        if self.training or torch.is_grad_enabled():
            return self._decoder_step()
        return self.from_weights("decoder step", self._fastest_decoder_step, [self._table.weight])

    def _decoder_step(self) -> DecoderStep:
        return DecoderStep(self.decoder, self._table.weight, self.project, self._scale)

    def _fastest_decoder_step(self) -> DecoderStep:
        model = self._decoder_step()
        return model.bf16_copy() if model.bf16_is_faster() else model

    def start(self, source: Sequences, track_coverage: bool = False) -> tuple[DecoderStep, Tensor, Tree, Tree]:
        """What a search needs: the model, whose ``step`` it calls, first tokens (B,), state and memory."""
        model = self._model()
        rows, mask = open_batch(source, model.table.device, model.table.dtype)  # (B, S, D)
        memory = model.decoder.remember(rows, mask)
        first = torch.full((len(source),), self.vocabulary.id(START), device=rows.device)
        return model, first, model.decoder.start(memory, track_coverage), memory

    def _limits(self, source: Sequences) -> dict[str, Any]:
        """Arguments of a search that all searches take."""
        lengths = source.lengths
        positions = self.decoder.max_positions
        most = self.max_length if positions is None else min(self.max_length, positions - 1)
        longest = np.minimum((self.max_ratio * lengths).astype(np.int64) + SPARE, most)
        longest = np.where(lengths > 0, longest, 0)  # nothing said is nothing translated
        shortest = np.minimum((self.min_ratio * lengths).astype(np.int64), longest)
        return {
            "end": self.vocabulary.id(END),
            "max_length": torch.as_tensor(longest),
            "min_length": torch.as_tensor(shortest),
            "no_repeat_ngram": self.no_repeat_ngram,
            "banned": [self.vocabulary.id(word) for word in (PAD, UNKNOWN, START)],
        }

    def _search(self, source: Sequences, n_best: int = 1) -> SearchResult:
        track_coverage = self.coverage_penalty > 0 and self.beam > 1
        model, first, state, memory = self.start(source, track_coverage)
        if self.beam == 1:
            return greedy(model.step, first, state, memory, **self._limits(source))
        return beam_search(
            model.step, first, state, memory, **self._limits(source),
            beam=self.beam, n_best=n_best, length_penalty=self.length_penalty, stopping=self.stopping,
            coverage_penalty=self.coverage_penalty if track_coverage else 0.0,
            coverage=model.coverage if track_coverage else None,
        )  # fmt: skip

    def _text(self, ids: Sequence[int]) -> str:
        return self.tokenizer.join(self.vocabulary.words(ids))

    def _predictions(self, found: SearchResult) -> Predictions[Text]:
        texts = [self._text(hypotheses[0]) for hypotheses in found.lists()]
        return Predictions(Text(texts), found.log_probs[:, 0].cpu().double().numpy())

    @torch.no_grad()
    def predict(self, source: Sequences) -> Predictions[Text]:
        """The best texts by beam search, with their log-probabilities in nats."""
        return self._predictions(self._search(source))

    @torch.no_grad()
    def predict_quickly(self, source: Sequences) -> Predictions[Text]:
        """Greedy search, a few times as fast as ``predict``."""
        model, first, state, memory = self.start(source)
        return self._predictions(greedy(model.step, first, state, memory, **self._limits(source)))

    @torch.no_grad()
    def n_best(self, source: Sequences, n: int) -> list[list[Translation]]:
        """The ``n`` best of each example, best first; fewer where there are no more.

        Raises:
            ValueError: ``n`` is above ``beam``.
        """
        if not 1 <= n <= self.beam:
            raise ValueError(
                f"n_best: {n} will not do: from 1 to the beam, which is {self.beam}; the option beam makes it wider"
            )
        found = self._search(source, n)
        log_probs, scores = found.log_probs.tolist(), found.scores.tolist()
        return [
            [Translation(self._text(ids), *numbers) for ids, *numbers in zip(rows, logged, ranked, strict=False)]
            for rows, logged, ranked in zip(found.lists(), log_probs, scores, strict=True)
        ]

    @torch.no_grad()
    def attend(self, source: Sequences, target: Text | None = None) -> list[Attention]:
        """Where each target (None: what is predicted) looked in its source."""
        encoded = self.prepare_target(self.predict(source).values if target is None else target)
        rows, mask = open_batch(source, self._table.weight.device, self._table.weight.dtype)  # (B, S, D)
        found = []
        for b, ids in enumerate(encoded.ids):  # alone: T differs, and it is for display
            memory = self.decoder.remember(rows[b : b + 1], mask[b : b + 1])
            read = torch.as_tensor([[self.vocabulary.id(START), *ids.tolist()]], device=rows.device)  # (1, T)
            weights = self.decoder.attention(self._embed(read), memory)[0, :, : source.lengths[b]]  # (T, S)
            words = source.tokens.words[b] if source.tokens is not None else [""] * int(source.lengths[b])
            said = [*self.vocabulary.words(ids), self.vocabulary.words([self.vocabulary.id(END)])[0]]
            found.append(Attention(list(words), said, weights.float().cpu().numpy()))
        return found

    def forward(self, source: Sequences) -> Text:
        """The best text of each; to train, use ``loss``."""
        return self.predict(source).values

    # -- on disk -------------------------------------------------------------------------------------------------

    def state(self) -> State:
        state = super().state()
        return State(state.arrays, {**state.data, "vocabulary": self.counted.state() if self.own is not None else None})

    def load_state(self, state: State, version: int) -> None:
        if self.own is not None and version == self.version:
            self.counted = Vocabulary.from_state(state.data["vocabulary"])
        super().load_state(state, version)
