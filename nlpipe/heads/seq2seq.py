"""The sequence-to-sequence head: it generates a text token by token from the encoded vectors of another text.

Sutskever, Vinyals and Le 2014, "Sequence to Sequence Learning with Neural Networks"; Bahdanau, Cho and Bengio 2015
(attention); Vaswani et al. 2017, section 3.4 (one embedding table for source, target and output); Press and Wolf 2017,
"Using the Output Embedding to Improve Language Models". In training, the decoder reads the whole target at once
(teacher forcing).

Training and prediction are in one file, since both go through the same table, decoder and vocabulary.
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
    OffersWordVectors,
    Scores,
    Searches,
    SharesTable,
    Trained,
    Translation,
    WordTable,
    able,
)
from nlpipe.errors import DataError, WiringError
from nlpipe.nn.cross_entropy import cross_entropy
from nlpipe.nn.decoder_step import DecoderStep
from nlpipe.nn.dropout import Drop
from nlpipe.nn.linear_layer import LinearLayer, linear
from nlpipe.nn.neural import Neural
from nlpipe.nn.padding import open_batch
from nlpipe.options import Count, Dropout, NonNegativeFloat, Positive
from nlpipe.predictions import Predictions
from nlpipe.search import SearchResult, Tree, beam_search, greedy
from nlpipe.stage import AnyStage, Data, Decoder, Head, State, Tokenizer
from nlpipe.vocabulary import END, PAD, START, UNKNOWN, EncodedText, Vocabulary
from nlpipe.wire import Sequences, Text

SPARE = 10
"""Number of tokens by which an answer may exceed ``max_ratio``, because the lengths of short texts vary more."""
LEAST_RATIO, LEAST_LENGTH = 2.0, 256
"""The limits that are learned are at least these."""


class Seq2Seq(
    Neural[Sequences, Text],
    Head[Sequences, Text],
    Trained[Sequences, Text],
    Scores[Sequences, Text],
    Searches[Sequences],
    Attends[Sequences],
    OffersWordVectors,
):
    """Sequence to sequence: a decoder that attends to the source and generates the target token by token.

    Options:
        decoder: reads the target and attends to the source: rnn, lstm, gru or transformer.
        tokenizer: splits targets into tokens; joint takes the pipeline's tokenizer, fitted to sources and targets
            together, with one vocabulary and one embedding table for source, target and output.
        dim: features of a target token's vector; null takes those of the source tokens (joint) or of the encoder.
        min_count: minimum number of occurrences of a token in the training targets to enter the vocabulary; joint
            uses the option of the representation instead.
        dropout: dropout rate of the target tokens' vectors in training.
        label_smoothing: share of each target token's probability that training spreads over all tokens.
        beam: number of hypotheses kept in beam search; 1 is greedy search.
        length_penalty: alpha of Wu et al. 2016: 0 ranks by log-probability, which favours short texts; 1 ranks nearly
            by the mean log-probability per token.
        coverage_penalty: beta of Wu et al. 2016: ranks down hypotheses that pay little attention to some source tokens.
        stopping: early stops when as many hypotheses as the beam have ended; exact when no other can rank first.
        min_ratio: minimum number of target tokens per source token.
        max_ratio: maximum number of target tokens per source token; ten more are always allowed. null: the ratio that
            one training pair in a thousand exceeds, and a fifth more, but at least 2.
        max_length: maximum number of target tokens; null: twice the longest training target, but at least 256.
        no_repeat_ngram: no sequence of this many tokens may occur twice in an answer; 0 for no such rule.
    """

    specials: ClassVar[tuple[str, ...]] = (START, END)
    fitted: ClassVar[tuple[str, ...]] = ("learned_ratio", "learned_length")
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
        max_ratio: NonNegativeFloat | None = None,
        max_length: Count | None = None,
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
        self.learned_ratio, self.learned_length = LEAST_RATIO, LEAST_LENGTH
        self.counted = Vocabulary.from_counts(Counter(), 1, None, self.specials)
        # in a tuple, so that torch does not register the shared stages as submodules
        self._body: tuple[Tokenizer, SharesTable] | None = None

    @property
    def joint(self) -> bool:
        return self.own is None

    # -- vocabulary and table, shared or its own

    def bind(self, body: Sequence[AnyStage]) -> None:
        """If ``joint``, find the tokenizer and the representation whose vocabulary and table the target shares.

        Raises:
            WiringError: there are none, or the vocabulary lacks the special tokens.
        """
        if not self.joint:
            return
        tokenizer = next((stage for stage in body if isinstance(stage, Tokenizer)), None)
        shared = next((table for stage in body if (table := able(stage, SharesTable)) is not None), None)
        if tokenizer is None or shared is None:
            raise WiringError(
                "seq2seq: tokenizer: joint shares the tokenizer and the table of the stages before it, which have "
                "none to share; use the representation 'embedding', or give the head a tokenizer of its own"
            )
        missing = [word for word in self.specials if word not in shared.vocabulary]
        if missing:
            raise WiringError(
                f"seq2seq: the shared vocabulary has no {missing[0]}, because the representation was fitted without "
                "this head; fit the whole pipeline"
            )
        self._body = (tokenizer, shared)

    def _shared(self) -> tuple[Tokenizer, SharesTable]:
        if self._body is None:
            raise WiringError("seq2seq: tokenizer: joint works only in a pipeline; otherwise give a tokenizer")
        return self._body

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the target."""
        return self.own if self.own is not None else self._shared()[0]

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the target, V tokens."""
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

    # -- training

    def fit(self, data: Data[Sequences]) -> None:
        """Fit the target's tokenizer and vocabulary, unless they are shared.

        Raises:
            DataError: all target texts are empty.
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
                raise WiringError(f"seq2seq: dim: {self.dim}, but the shared table has vectors of {dim}; leave dim out")
        else:
            dim = self.dim or width
            self.table = nn.Embedding(len(self.vocabulary), dim, padding_idx=self.vocabulary.id(PAD))
            nn.init.normal_(self.table.weight, std=dim**-0.5)
        if self.coverage_penalty and not self.decoder.attends:
            raise WiringError("seq2seq: coverage_penalty needs attention, and the decoder has none (attention: none)")
        self.decoder.memory_width = width
        out = self.decoder.build(dim)
        self.project = nn.Identity() if out == dim else LinearLayer(out, dim)
        return len(self.vocabulary)

    def prepare_target(self, target: Text) -> EncodedText:
        if isinstance(target, EncodedText) and target.vocabulary is self.vocabulary:
            return target
        words = self.tokenizer.forward(Text(target.strings)).words
        flat = self.vocabulary.ids([word for sentence in words for word in sentence])
        flat[flat < self.vocabulary.specials] = self.vocabulary.id(
            UNKNOWN
        )  # "</s>" written in a text is not the end token
        ends = np.cumsum([len(sentence) for sentence in words], dtype=np.int64)
        return EncodedText(target.strings, np.split(flat, ends[:-1]) if len(words) else [], self.vocabulary)

    def learn_lengths(self, sources: np.ndarray, targets: np.ndarray) -> None:
        filled = sources > 0
        if filled.any():
            ratios = np.maximum(targets[filled] - SPARE, 0) / sources[filled]
            self.learned_ratio = max(LEAST_RATIO, 1.2 * float(np.quantile(ratios, 0.999)))
            self.learned_length = max(LEAST_LENGTH, 2 * int(targets.max()))

    def length_limit(self) -> str:
        ratio, longest = self._ratio_and_length()
        return f"raise max_ratio ({ratio:.3g} tokens for each of the source) or max_length ({longest:,} tokens)"

    def _ratio_and_length(self) -> tuple[float, int]:
        """``max_ratio`` and ``max_length``, given or learned."""
        positions = self.decoder.max_positions
        longest = self.learned_length if self.max_length is None else self.max_length
        ratio = self.learned_ratio if self.max_ratio is None else self.max_ratio
        return ratio, longest if positions is None else min(longest, positions - 1)

    def _read(self, source: Sequences, target: Text) -> tuple[Tensor, Tensor, np.ndarray]:
        """Run the decoder over the whole target (teacher forcing).

        Returns:
            Outputs (N, D) for the N tokens and end tokens of all targets, without padding; their ids (N,); and the
            lengths (B,) of the targets, each with its end token.
        """
        ids = self.prepare_target(target).ids
        lengths = np.array([len(row) + 1 for row in ids], dtype=np.int64)  # (B,)
        start, end = self.vocabulary.id(START), self.vocabulary.id(END)
        filled = np.arange(lengths.max(initial=0)) < lengths[:, None]  # (B, T)
        inputs, gold = np.zeros(filled.shape, dtype=np.int64), np.zeros(filled.shape, dtype=np.int64)  # (B, T)
        flat = np.concatenate([*ids, np.zeros(0, dtype=np.int64)])
        inner = np.arange(filled.shape[1]) < lengths[:, None] - 1  # (B, T), without the end
        inputs[:, 1:][inner[:, :-1]] = flat
        inputs[:, :1] = start
        gold[inner] = flat
        gold[np.arange(len(ids)), lengths - 1] = end
        rows, mask = open_batch(source, self._table.weight.device, self._table.weight.dtype)  # (B, S, D)
        memory = self.decoder.remember(rows, mask)
        x = self._embed(torch.as_tensor(inputs, device=rows.device))  # (B, T, D)
        y = self.decoder.read(x, memory).flatten(0, 1)  # (B T, D)
        unpadded = torch.as_tensor(np.flatnonzero(filled), device=y.device)  # (N,)
        outputs: Tensor = self.project(y.index_select(0, unpadded))  # (N, D)
        return outputs, torch.as_tensor(gold[filled], device=y.device), lengths

    def _embed(self, ids: Tensor) -> Tensor:
        x: Tensor = self.dropout(self._table(ids) * self._scale)
        return x

    def loss(self, source: Sequences, target: Text) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats, with label smoothing, and the number of tokens; shapes () and ().

        The end token of each target counts as a token.
        """
        outputs, gold, _ = self._read(source, target)
        total = cross_entropy(outputs, self._table.weight, gold, self.label_smoothing)
        return total, torch.tensor(float(len(gold)), device=outputs.device)

    @torch.no_grad()
    def score(self, source: Sequences, target: Text) -> list[np.ndarray]:
        """Log-probability in nats of each target token, with the end token: B arrays (T_b + 1,); unsmoothed."""
        outputs, gold, lengths = self._read(source, target)
        scores = linear(outputs, self._table.weight).float().log_softmax(-1).gather(1, gold[:, None])[:, 0]  # (N,)
        return np.split(scores.cpu().double().numpy(), np.cumsum(lengths)[:-1])

    def word_table(self) -> WordTable | None:
        """The words of the target; None where their table is that of the representation."""
        own = self.own
        if own is None:
            return None
        return WordTable.of(self.vocabulary, self._table.weight, split=lambda texts: own.forward(Text(texts)).words)

    # -- prediction

    def _model(self) -> DecoderStep:
        """The decoder as a search steps through it."""
        return DecoderStep(self.decoder, self._table.weight, self.project, self._scale)

    def start(self, source: Sequences, track_coverage: bool = False) -> tuple[DecoderStep, Tensor, Tree, Tree]:
        """What a search needs: the model, whose ``step`` it calls, first tokens (B,), state and memory."""
        model = self._model()
        rows, mask = open_batch(source, model.table.device, model.table.dtype)  # (B, S, D)
        memory = model.decoder.remember(rows, mask)
        first = torch.full((len(source),), self.vocabulary.id(START), device=rows.device)
        return model, first, model.decoder.start(memory, track_coverage), memory

    def _limits(self, source: Sequences) -> dict[str, Any]:
        """The arguments that greedy search and beam search have in common."""
        lengths = source.lengths
        ratio, limit = self._ratio_and_length()
        longest = np.minimum((ratio * lengths).astype(np.int64) + SPARE, limit)
        longest = np.where(lengths > 0, longest, 0)  # the answer to an empty text is empty
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

    def _predictions(self, result: SearchResult, source: Sequences) -> Predictions[Text]:
        """The best hypothesis of each text."""
        best = [hypotheses[0] for hypotheses in result.lists()]
        longest = self._limits(source)["max_length"].numpy()  # (B,)
        cut = (np.array([len(ids) for ids in best], dtype=np.int64) >= longest) & (longest > 0)
        texts = Text([self._text(ids) for ids in best])
        return Predictions(texts, result.log_probs[:, 0].cpu().double().numpy(), cut=cut)

    @torch.no_grad()
    def predict(self, source: Sequences) -> Predictions[Text]:
        """The best answer to each text by beam search, with its log-probability in nats."""
        return self._predictions(self._search(source), source)

    @torch.no_grad()
    def predict_quickly(self, source: Sequences) -> Predictions[Text]:
        """Answers by greedy search, which is several times as fast as ``predict``."""
        model, first, state, memory = self.start(source)
        return self._predictions(greedy(model.step, first, state, memory, **self._limits(source)), source)

    @torch.no_grad()
    def n_best(self, source: Sequences, n: int) -> list[list[Translation]]:
        """The ``n`` best answers to each text, best first; fewer if the search finds fewer.

        Raises:
            ValueError: ``n`` is not from 1 to ``beam``.
        """
        if not 1 <= n <= self.beam:
            raise ValueError(
                f"n_best: invalid value {n}: expected an integer from 1 to the beam, {self.beam}; raise the option "
                "beam to get more"
            )
        result = self._search(source, n)
        log_probs, scores = result.log_probs.tolist(), result.scores.tolist()
        return [
            [
                Translation(self._text(ids), log_prob, score)
                for ids, log_prob, score in zip(hypotheses, text_log_probs, text_scores, strict=False)
            ]
            for hypotheses, text_log_probs, text_scores in zip(result.lists(), log_probs, scores, strict=True)
        ]

    @torch.no_grad()
    def attend(self, source: Sequences, target: Text | None = None) -> list[Attention]:
        """The attention with which each target is read; ``target`` None takes the answers that ``predict`` gives."""
        encoded = self.prepare_target(self.predict(source).values if target is None else target)
        rows, mask = open_batch(source, self._table.weight.device, self._table.weight.dtype)  # (B, S, D)
        attention = []
        for b, ids in enumerate(encoded.ids):  # one by one, because lengths differ and speed does not matter
            memory = self.decoder.remember(rows[b : b + 1], mask[b : b + 1])
            inputs = torch.as_tensor([[self.vocabulary.id(START), *ids.tolist()]], device=rows.device)  # (1, T)
            weights = self.decoder.attention(self._embed(inputs), memory)[0, :, : source.lengths[b]]  # (T, S)
            words = source.tokens.words[b] if source.tokens is not None else [""] * int(source.lengths[b])
            target_words = [*self.vocabulary.words(ids), self.vocabulary.words([self.vocabulary.id(END)])[0]]
            attention.append(Attention(list(words), target_words, weights.float().cpu().numpy()))
        return attention

    def forward(self, source: Sequences) -> Text:
        """The best answer to each text; use ``loss`` to train."""
        return self.predict(source).values

    # -- saving and loading

    def state(self) -> State:
        state = super().state()
        return State(state.arrays, {**state.data, "vocabulary": self.counted.state() if self.own is not None else None})

    def load_state(self, state: State, version: int) -> None:
        if self.own is not None and version == self.version:
            self.counted = Vocabulary.from_state(state.data["vocabulary"])
        limits = {"learned_ratio": LEAST_RATIO, "learned_length": LEAST_LENGTH}  # of models that learned none
        super().load_state(State(state.arrays, {**limits, **state.data}), version)
