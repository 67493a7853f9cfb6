"""Word-by-word translation: lexical probabilities, an n-gram language model and a beam search, all in numpy.

Brown et al. 1993 (IBM Model 1, ``classical/ibm_model1.py``); Chen and Goodman 1998 (``classical/kneser_ney.py``).

Source words are translated from left to right. Each is replaced by a string of zero to three target words with which
its occurrences in the training split are aligned. The score of a hypothesis is

    sum of log p(string | source word)  +  language * log p(target)  +  bonus * number of target words

The order of the strings is the order of the source words, so that words are reordered within strings only. The head is
a classical baseline.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Le

from nlpipe.capabilities import Attends, Attention
from nlpipe.classical.candidate_strings import COPY, MAX_STRING, CandidateStrings
from nlpipe.classical.ibm_model1 import align
from nlpipe.classical.kneser_ney import KneserNey
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.options import NonNegativeFloat, Positive
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, Head, State, Tokenizer
from nlpipe.vocabulary import END, START, Vocabulary
from nlpipe.wire import Text, Tokens

MAX_LINKS = 40_000_000
"""Maximum number of word pairs that are aligned, about 1.5 GB of memory; a larger training split is sampled."""
DEFAULT_BONUS = 2.0
"""Bonus per target word if there is no dev split from which to determine it."""
CALIBRATION_TEXTS = 500
"""Maximum number of texts of the dev split from which the bonus is determined."""


class Lexical(Head[Tokens, Text], Attends[Tokens]):
    """IBM Model 1 with a Kneser-Ney language model and beam search: translation without a neural network.

    Source words that do not occur in the training split are copied. The score of an answer is that of the search
    without the bonus: the log-probability of the strings plus the weighted one of the language model, in nats.

    Options:
        tokenizer: splits targets into words and joins words to answers.
        iterations: number of iterations of expectation maximisation.
        diagonal: strength of the preference for aligning words at similar positions; 0 is IBM Model 1 itself.
        candidates: maximum number of strings per source word; the most probable ones are kept.
        order: order n of the n-gram language model.
        language: weight of the language model's log-probability, relative to that of the strings.
        bonus: added per target word, in nats, since the language model prefers short texts; null determines it on the
            dev split, such that answers are as long as the targets.
        beam: number of hypotheses kept per text.
    """

    answering: ClassVar[tuple[str, ...]] = ("beam",)

    def __init__(
        self,
        tokenizer: Tokenizer,
        iterations: Positive = 5,
        diagonal: NonNegativeFloat = 6.0,
        candidates: Positive = 8,
        order: Annotated[int, Ge(1), Le(6)] = 4,
        language: NonNegativeFloat = 0.5,
        bonus: float | None = None,
        beam: Positive = 8,
    ) -> None:
        self.tokenizer = tokenizer
        self.iterations = iterations
        self.diagonal = diagonal
        self.candidates = candidates
        self.order = order
        self.language = language
        self.bonus = bonus
        self.word_bonus = DEFAULT_BONUS if bonus is None else bonus
        self.beam = beam
        self.sources = Vocabulary.count([])
        self.targets = Vocabulary.count([])
        self.table = CandidateStrings.empty()
        self.model: KneserNey | None = None

    # -- training

    def fit(self, data: Data[Tokens]) -> None:
        """Fit the language model to the targets, align sources and targets, and count the strings.

        Raises:
            DataError: no training pair has words on both sides.
        """
        words, texts = list[list[str]](), list[str]()
        for source, target in data:
            words += source.words
            texts += target.strings
        self.tokenizer.fit([(Text(texts), Text(texts))])
        target_words = self.tokenizer.forward(Text(texts)).words
        usable = [i for i in range(len(words)) if words[i] and target_words[i]]
        if not usable:
            raise DataError("no training pair has words on both sides")
        self.sources = Vocabulary.count(words)
        self.targets = Vocabulary.count(target_words, specials=(START, END))
        source_ids = [self.sources.ids(words[i]) for i in usable]
        target_ids = [self.targets.ids(target_words[i]) for i in usable]
        start, end = self.targets.id(START), self.targets.id(END)
        lengths = np.array([len(ids) for ids in target_ids])
        self.model = KneserNey.fit(np.concatenate(target_ids), lengths, len(self.targets), self.order, start, end)
        sample = self._sample(source_ids, target_ids)
        source_ids, target_ids = [source_ids[i] for i in sample], [target_ids[i] for i in sample]
        alignment = align(source_ids, target_ids, self.iterations, self.diagonal)
        self.table = CandidateStrings.count(source_ids, target_ids, alignment.links, len(self.sources), self.candidates)

    def _sample(self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> list[int]:
        """Indices of the pairs that are aligned: all, or a random sample with at most ``MAX_LINKS`` word pairs."""
        sizes = np.array([(len(s) + 1) * len(t) for s, t in zip(sources, targets, strict=True)], dtype=np.int64)
        if sizes.sum() <= MAX_LINKS:
            return list(range(len(sizes)))
        order = np.random.default_rng(self.seed).permutation(len(sizes))
        sample = np.sort(order[np.cumsum(sizes[order]) <= MAX_LINKS])
        message = f"lexical: aligns a sample of {len(sample):,} of {len(sizes):,} training pairs, to limit its memory"
        warnings.warn(message, NlpipeWarning, stacklevel=2)
        return [int(i) for i in sample]

    def build(self, width: int) -> int:
        return 0

    def calibrate(self, dev: Data[Tokens]) -> None:
        """If no bonus is given, find by bisection the one that makes answers as long as the targets of ``dev``."""
        pairs = list(dev) if self.bonus is None else []
        if not sum(len(source) for source, _ in pairs):
            return
        source = Tokens.concat([wire for wire, _ in pairs])
        target = Text.concat([wire for _, wire in pairs])
        sample = range(0, len(source), -(-len(source) // CALIBRATION_TEXTS))
        source, target = source.take(sample), target.take(sample)
        target_length = sum(map(len, self.tokenizer.forward(target).words))
        low, high = -4.0, 12.0
        for _ in range(7):
            self.word_bonus = (low + high) / 2
            length = sum(map(len, self._search(source)[0]))
            low, high = (self.word_bonus, high) if length < target_length else (low, self.word_bonus)

    # -- prediction

    def predict(self, source: Tokens) -> Predictions[Text]:
        words, _, scores = self._search(source)
        scores = scores - self.word_bonus * np.array([len(sentence) for sentence in words])
        return Predictions(Text([self.tokenizer.join(sentence) for sentence in words]), scores)

    def attend(self, source: Tokens) -> list[Attention]:
        """Which source word each word of its own answer is aligned with, as weights of 0 and 1."""
        words, positions, _ = self._search(source)
        attention = []
        for b, sentence in enumerate(words):
            weights = np.zeros((len(sentence), len(source.words[b])))
            weights[np.arange(len(sentence)), positions[b]] = 1.0
            attention.append(Attention(list(source.words[b]), sentence, weights))
        return attention

    def _search(self, source: Tokens) -> tuple[list[list[str]], list[list[int]], np.ndarray]:
        """The best hypothesis for each of B texts: its words, their source positions, and its score (B,)."""
        model = self.model
        assert model is not None, "call fit first"
        lengths = np.array([len(words) for words in source.words], dtype=np.int64)
        ids = np.zeros((len(source), int(lengths.max(initial=0))), dtype=np.int64)  # (B, S)
        for b, sentence in enumerate(source.words):
            ids[b, : lengths[b]] = self.sources.ids(sentence)
        count, beam = len(source), self.beam
        scores = np.full((count, beam), -np.inf)  # (B, K)
        scores[:, 0] = 0.0
        history = np.repeat(model.begin(count)[:, None], beam, axis=1)  # (B, K, n - 1)
        parents = np.zeros((ids.shape[1], count, beam), dtype=np.int16)  # (S, B, K) the hypothesis that was extended
        choices = np.zeros((ids.shape[1], count, beam), dtype=np.int16)  # (S, B, K) the string that was added
        for t in range(ids.shape[1]):
            rows = np.flatnonzero(lengths > t)  # (b,) the texts that are not finished
            extended, states = self._extend(ids[rows, t], scores[rows], history[rows])  # (b, K, C), (b, K, C, n - 1)
            candidates = extended.shape[2]
            extended = extended.reshape(len(rows), -1)  # (b, K C)
            states = states.reshape(len(rows), -1, states.shape[-1])  # (b, K C, n - 1)
            best = _best_distinct(extended, states, beam)  # (b, K)
            parents[t, rows], choices[t, rows] = best // candidates, best % candidates
            scores[rows] = np.take_along_axis(extended, best, axis=1)
            history[rows] = np.take_along_axis(states, best[:, :, None], axis=1)
        ends = np.full(count * beam, self.targets.id(END))
        end_logs, _ = model.step(history.reshape(count * beam, -1), ends)
        scores = scores + self.language * end_logs.reshape(count, beam)
        final = scores.argmax(axis=1)  # (B,)
        words, positions = self._trace(source, ids, lengths, parents, choices, final)
        return words, positions, scores[np.arange(count), final]

    def _extend(self, ids: np.ndarray, scores: np.ndarray, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Extend every hypothesis by every candidate string of its next source word.

        Args:
            ids: (b,) the next source word of each text.
            scores: (b, K) of the hypotheses.
            history: (b, K, n - 1) their last words, as the language model reads them.

        Returns:
            Scores (b, K, C) and histories (b, K, C, n - 1) of the extended hypotheses.
        """
        model = self.model
        assert model is not None
        strings = self.table.strings[ids]  # (b, C, 3)
        extended = scores[:, :, None] + self.table.logs[ids][:, None, :]  # (b, K, C)
        states = np.repeat(history[:, :, None], strings.shape[1], axis=2)  # (b, K, C, n - 1)
        for n in range(MAX_STRING):
            words = np.broadcast_to(strings[:, None, :, n], extended.shape)
            has_word = (words >= 0) & np.isfinite(extended)
            if has_word.any():
                logs, next_states = model.step(states[has_word], words[has_word].astype(np.int64))
                extended[has_word] += self.language * logs + self.word_bonus
                states[has_word] = next_states
        return extended, states

    def _trace(
        self,
        source: Tokens,
        ids: np.ndarray,
        lengths: np.ndarray,
        parents: np.ndarray,
        choices: np.ndarray,
        final: np.ndarray,
    ) -> tuple[list[list[str]], list[list[int]]]:
        """Target words and their source positions, traced back from the last step of each text.

        Args:
            source: of B texts.
            ids: (B, S) of source words.
            lengths: (B,) number of source words.
            parents: (S, B, K) the hypothesis that each hypothesis extends.
            choices: (S, B, K) the candidate string by which it extends it.
            final: (B,) the best hypothesis of each text.
        """
        rows, current = np.arange(len(lengths)), final.copy()
        strings = np.full((len(lengths), ids.shape[1], MAX_STRING), -1, dtype=np.int64)  # (B, S, 3)
        for t in range(ids.shape[1] - 1, -1, -1):
            active = rows[lengths > t]
            strings[active, t] = self.table.strings[ids[active, t], choices[t, active, current[active]]]
            current[active] = parents[t, active, current[active]]
        all_words, all_positions = list[list[str]](), list[list[int]]()
        vocabulary = self.targets.words()
        for b in range(len(lengths)):
            spans = source.spans(b) if (strings[b] == COPY).any() else []
            positions, slots = np.nonzero(strings[b] >= 0)
            words = []
            for position, word in zip(positions.tolist(), strings[b][positions, slots].tolist(), strict=True):
                words.append(source.texts[b][slice(*spans[position])] if word == COPY else vocabulary[word])
            all_words.append(words)
            all_positions.append(positions.tolist())
        return all_words, all_positions

    # -- saving and loading

    def state(self) -> State:
        model = self.model
        assert model is not None, "call fit first"
        arrays: dict[str, np.ndarray] = {"strings": self.table.strings, "logs": self.table.logs, **model.arrays()}
        return State(
            arrays, {"sources": self.sources.state(), "targets": self.targets.state(), "word_bonus": self.word_bonus}
        )

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        arrays: dict[str, Any] = state.arrays
        self.sources = Vocabulary.from_state(state.data["sources"])
        self.targets = Vocabulary.from_state(state.data["targets"])
        self.table = CandidateStrings(arrays["strings"], arrays["logs"])
        self.word_bonus = state.data["word_bonus"]
        self.model = KneserNey.from_arrays(arrays, self.targets.id(START))


def _best_distinct(scores: np.ndarray, states: np.ndarray, beam: int) -> np.ndarray:
    """Indices (b, K) of the best hypotheses in each row.

    Of hypotheses with the same history only the best is taken, unless too few others are left: the language model
    cannot distinguish them later, so that the others can never become better (recombination).

    Args:
        scores: (b, N).
        states: (b, N, n - 1) histories.
        beam: K.
    """
    order = np.argsort(-scores, axis=1, kind="stable")[:, : 3 * beam]  # (b, 3K)
    ranked = np.take_along_axis(states, order[:, :, None], axis=1)  # (b, 3K, n - 1)
    same = (ranked[:, :, None] == ranked[:, None, :]).all(axis=-1)  # (b, 3K, 3K)
    repeated = (same & np.tri(order.shape[1], k=-1, dtype=bool)).any(axis=2)  # (b, 3K)
    best = np.argsort(repeated, axis=1, kind="stable")[:, :beam]  # (b, K)
    return np.take_along_axis(order, best, axis=1)
