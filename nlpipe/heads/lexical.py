"""Translation word by word: lexical probabilities, an n-gram language model and a beam search, all in numpy.

Brown et al. 1993 (IBM Model 1, ``alignment.py``); Chen and Goodman 1998 (the language model, ``kneser_ney.py``).
Source words are taken from left to right. Each becomes one of the strings of target words, none to three long, that
its occurrences in the training split are aligned with; a hypothesis is scored by

    sum of log p(string | source word)  +  language * log p(target)  +  bonus * words

Word order is the source's, but for what happens within the strings: the honest classical baseline, not a rival.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Le

from nlpipe.capabilities import Attends, Attention
from nlpipe.classical.ibm_model1 import align
from nlpipe.classical.kneser_ney import KneserNey
from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.options import NonNegativeFloat, Positive
from nlpipe.stage import Data, Head, Predictions, State, Tokenizer
from nlpipe.vocabulary import END, START, Vocabulary
from nlpipe.wire import Text, Tokens

LONGEST = 3
"""Most target words that one source word becomes."""
LINKS = 40_000_000
"""Pairs of words that are aligned at most, about 1.5 GB; a larger training split is sampled."""
UNKNOWN = 1
USUAL_BONUS = 2.0
"""The bonus of a target word where there is no dev split to decide it."""
CALIBRATED = 500
"""Most texts of the dev split that the bonus is decided on."""


class Lexical(Head[Tokens, Text], Attends[Tokens]):
    """IBM Model 1 with a Kneser-Ney language model and a beam search: translation without a neural network.

    Words that training never saw are copied as the text has them. The score is that of the search without the bonus:
    the log-probability of the strings, plus that of the target as the language model sees it, weighted.

    Options:
        tokenizer: how targets are split into words and joined again.
        iterations: passes of expectation maximisation.
        diagonal: how much likelier word pairs at like places are; 0 is IBM Model 1 to the letter.
        candidates: strings that each source word may become, the most probable ones.
        order: words that the language model looks at together.
        language: what the language model's log-probability counts, beside that of the strings.
        bonus: added for each target word, in nats, as the language model alone prefers short texts; null lets the dev
            split decide, so that answers are as long as its targets.
        beam: hypotheses kept for each text.
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
        self.word_bonus = USUAL_BONUS if bonus is None else bonus
        self.beam = beam
        self.sources = Vocabulary.count([])
        self.targets = Vocabulary.count([])
        self.strings = np.zeros((0, 0, LONGEST), dtype=np.int32)  # (V, C, 3), -1 behind the end
        self.logs = np.zeros((0, 0))  # (V, C) log p(string | source word), -inf where there is none
        self.model: KneserNey | None = None

    # -- learning ------------------------------------------------------------------------------------------------

    def fit(self, data: Data[Tokens]) -> None:
        """Align, count strings, and fit the language model on the targets.

        Raises:
            DataError: there is no pair with words on both sides.
        """
        words, texts = list[list[str]](), list[str]()
        for source, target in data:
            words += source.words
            texts += target.strings
        self.tokenizer.fit([(Text(texts), Text(texts))])
        answers = self.tokenizer.forward(Text(texts)).words
        both = [i for i in range(len(words)) if words[i] and answers[i]]
        if not both:
            raise DataError("there is no training pair with words on both sides")
        self.sources = Vocabulary.count(words)
        self.targets = Vocabulary.count(answers, specials=(START, END))
        source_ids = [self.sources.ids(words[i]) for i in both]
        target_ids = [self.targets.ids(answers[i]) for i in both]
        start, end = self.targets.id(START), self.targets.id(END)
        self.model = KneserNey.fit(target_ids, len(self.targets), self.order, start, end)
        chosen = self._sample(source_ids, target_ids)
        source_ids, target_ids = [source_ids[i] for i in chosen], [target_ids[i] for i in chosen]
        found = align(source_ids, target_ids, self.iterations, self.diagonal)
        self._learn_strings(source_ids, target_ids, found.links)

    def _sample(self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> list[int]:
        """Examples with at most ``LINKS`` pairs of words together: all, or as many as fit, drawn at random."""
        sizes = np.array([(len(s) + 1) * len(t) for s, t in zip(sources, targets, strict=True)], dtype=np.int64)
        if sizes.sum() <= LINKS:
            return list(range(len(sizes)))
        order = np.random.default_rng(self.seed).permutation(len(sizes))
        kept = np.sort(order[np.cumsum(sizes[order]) <= LINKS])
        message = f"lexical aligned a sample of {len(kept):,} of {len(sizes):,} training pairs, to bound its memory"
        warnings.warn(message, NlpipeWarning, stacklevel=2)
        return [int(i) for i in kept]

    def _learn_strings(self, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], links: np.ndarray) -> None:
        """Count which string of target words each occurrence of a source word is aligned with."""
        offsets = np.cumsum([0, *(len(s) for s in sources)])
        ids, words = np.concatenate(list(sources)), np.concatenate(list(targets))
        example = np.repeat(np.arange(len(targets)), [len(t) for t in targets])  # (W,)
        aligned = _with_next(links, example)
        occurrence = offsets[example] + aligned - 1  # which source word, counted over all texts; (W,)
        begins = np.flatnonzero(np.diff(occurrence, prepend=-2) | np.diff(example, prepend=-1))
        lengths = np.diff(np.append(begins, len(words)))
        usable = (lengths <= LONGEST) & (aligned[begins] > 0)
        begins, lengths = begins[usable], lengths[usable]
        chosen, first = np.unique(occurrence[begins], return_index=True)  # the first run of each occurrence
        begins, lengths = begins[first], lengths[first]
        strings = np.full((len(ids), LONGEST), -1, dtype=np.int64)
        for n in range(LONGEST):
            long = lengths > n
            strings[chosen[long], n] = words[begins[long] + n]
        linked = np.zeros(len(ids), dtype=bool)
        linked[occurrence[aligned > 0]] = True
        strings = strings[linked <= (strings[:, 0] >= 0)]  # words whose runs were all too long teach nothing
        ids = ids[linked <= np.isin(np.arange(len(ids)), chosen)]
        self._keep_best(ids, strings)

    def _keep_best(self, ids: np.ndarray, strings: np.ndarray) -> None:
        """The most frequent strings of each source word, as a table."""
        rows, kinds = np.unique(strings, axis=0, return_inverse=True)
        pairs, counts = np.unique(ids.astype(np.int64) * len(rows) + kinds.reshape(-1), return_counts=True)
        owner = pairs // len(rows)
        logs = np.log(counts / np.bincount(owner, counts)[owner])
        order = np.lexsort((pairs, -logs, owner))
        owner, pairs, logs = owner[order], pairs[order], logs[order]
        rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
        kept = rank < self.candidates
        owner, pairs, logs, rank = owner[kept], pairs[kept], logs[kept], rank[kept]
        self.strings = np.full((len(self.sources), self.candidates, LONGEST), -1, dtype=np.int32)
        self.logs = np.full((len(self.sources), self.candidates), -np.inf)
        self.strings[owner, rank] = rows[pairs % len(rows)]
        self.logs[owner, rank] = logs
        bare = np.isinf(self.logs[:, 0])  # unknown words, and those that were never aligned: to be copied
        self.strings[bare, 0, 0] = UNKNOWN
        self.logs[bare, 0] = 0.0

    def build(self, width: int) -> int:
        return 0

    def calibrate(self, dev: Data[Tokens]) -> None:
        """Where no bonus is given: the one that makes answers as long as the targets of ``dev``, by bisection."""
        pairs = list(dev) if self.bonus is None else []
        if not sum(len(source) for source, _ in pairs):
            return
        source = Tokens.concat([wire for wire, _ in pairs])
        target = Text.concat([wire for _, wire in pairs])
        chosen = range(0, len(source), -(-len(source) // CALIBRATED))
        source, target = source.take(chosen), target.take(chosen)
        wanted = sum(map(len, self.tokenizer.forward(target).words))
        low, high = -4.0, 12.0
        for _ in range(7):
            self.word_bonus = (low + high) / 2
            given = sum(map(len, self._search(source)[0]))
            low, high = (self.word_bonus, high) if given < wanted else (low, self.word_bonus)

    # -- use -----------------------------------------------------------------------------------------------------

    def predict(self, source: Tokens) -> Predictions[Text]:
        words, _, scores = self._search(source)
        scores = scores - self.word_bonus * np.array([len(sentence) for sentence in words])
        return Predictions(Text([self.tokenizer.join(sentence) for sentence in words]), scores)

    def attend(self, source: Tokens) -> list[Attention]:
        """Which source word each word of its own answer came from, as weights of 0 and 1."""
        words, places, _ = self._search(source)
        found = []
        for b, sentence in enumerate(words):
            matrix = np.zeros((len(sentence), len(source.words[b])))
            matrix[np.arange(len(sentence)), places[b]] = 1.0
            found.append(Attention(list(source.words[b]), sentence, matrix))
        return found

    def _search(self, source: Tokens) -> tuple[list[list[str]], list[list[int]], np.ndarray]:
        """The best hypothesis of each text: its words, the source position of each, and its score."""
        model = self.model
        assert model is not None, "fit comes first"
        lengths = np.array([len(words) for words in source.words], dtype=np.int64)
        ids = np.zeros((len(source), int(lengths.max(initial=0))), dtype=np.int64)  # (B, S)
        for b, sentence in enumerate(source.words):
            ids[b, : lengths[b]] = self.sources.ids(sentence)
        count, beam = len(source), self.beam
        scores = np.full((count, beam), -np.inf)
        scores[:, 0] = 0.0
        history = np.repeat(model.begin(count)[:, None], beam, axis=1)  # (B, K, n - 1)
        parents = np.zeros((ids.shape[1], count, beam), dtype=np.int16)
        chosen = np.zeros((ids.shape[1], count, beam), dtype=np.int16)
        for t in range(ids.shape[1]):
            rows = np.flatnonzero(lengths > t)
            wide, states = self._extend(ids[rows, t], scores[rows], history[rows])  # (b, K, C), (b, K, C, n - 1)
            best = _best_different(wide.reshape(len(rows), -1), states.reshape(len(rows), -1, states.shape[-1]), beam)
            parents[t, rows], chosen[t, rows] = best // wide.shape[2], best % wide.shape[2]
            scores[rows] = np.take_along_axis(wide.reshape(len(rows), -1), best, axis=1)
            history[rows] = np.take_along_axis(
                states.reshape(len(rows), -1, states.shape[-1]), best[:, :, None], axis=1
            )
        end = np.full(count * beam, self.targets.id(END))
        ending, _ = model.step(history.reshape(count * beam, -1), end)
        scores = scores + self.language * ending.reshape(count, beam)
        final = scores.argmax(axis=1)
        words, places = self._trace(source, ids, lengths, parents, chosen, final)
        return words, places, scores[np.arange(count), final]

    def _extend(self, ids: np.ndarray, scores: np.ndarray, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Every hypothesis with every string of its next source word: scores (b, K, C), histories (b, K, C, n - 1)."""
        model = self.model
        assert model is not None
        strings = self.strings[ids]  # (b, C, 3)
        wide = scores[:, :, None] + self.logs[ids][:, None, :]  # (b, K, C)
        states = np.repeat(history[:, :, None], strings.shape[1], axis=2)  # (b, K, C, n - 1)
        for n in range(LONGEST):
            words = np.broadcast_to(strings[:, None, :, n], wide.shape)
            live = (words >= 0) & np.isfinite(wide)
            if live.any():
                logs, after = model.step(states[live], words[live].astype(np.int64))
                wide[live] += self.language * logs + self.word_bonus
                states[live] = after
        return wide, states

    def _trace(
        self,
        source: Tokens,
        ids: np.ndarray,
        lengths: np.ndarray,
        parents: np.ndarray,
        chosen: np.ndarray,
        final: np.ndarray,
    ) -> tuple[list[list[str]], list[list[int]]]:
        """Words and their source positions, back from the last step of each text."""
        rows, at = np.arange(len(lengths)), final.copy()
        strings = np.full((len(lengths), ids.shape[1], LONGEST), -1, dtype=np.int64)
        for t in range(ids.shape[1] - 1, -1, -1):
            live = rows[lengths > t]
            strings[live, t] = self.strings[ids[live, t], chosen[t, live, at[live]]]
            at[live] = parents[t, live, at[live]]
        all_words, all_places = list[list[str]](), list[list[int]]()
        names = self.targets.words()
        for b in range(len(lengths)):
            spans = source.spans(b) if (strings[b] == UNKNOWN).any() else []
            places, slots = np.nonzero(strings[b] >= 0)
            words = []
            for place, word in zip(places.tolist(), strings[b][places, slots].tolist(), strict=True):
                words.append(source.texts[b][slice(*spans[place])] if word == UNKNOWN else names[word])
            all_words.append(words)
            all_places.append(places.tolist())
        return all_words, all_places

    # -- on disk -------------------------------------------------------------------------------------------------

    def state(self) -> State:
        model = self.model
        assert model is not None, "fit comes first"
        arrays: dict[str, np.ndarray] = {"strings": self.strings, "logs": self.logs, **model.arrays()}
        return State(
            arrays, {"sources": self.sources.state(), "targets": self.targets.state(), "word_bonus": self.word_bonus}
        )

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        arrays: dict[str, Any] = state.arrays
        self.sources = Vocabulary.from_state(state.data["sources"])
        self.targets = Vocabulary.from_state(state.data["targets"])
        self.strings, self.logs = arrays["strings"], arrays["logs"]
        self.word_bonus = state.data["word_bonus"]
        self.model = KneserNey.from_arrays(arrays, self.targets.id(START))


def _with_next(links: np.ndarray, example: np.ndarray) -> np.ndarray:
    """Target words of the empty word join the next word of their text that has a source, else the one before; (W,)."""
    places = np.arange(len(links))
    known = np.where(links > 0, places, len(links))
    after = np.minimum.accumulate(known[::-1])[::-1]
    before = np.maximum.accumulate(np.where(links > 0, places, -1))
    last = len(links) - 1
    follows = (after <= last) & (example[np.minimum(after, last)] == example)
    leads = (before >= 0) & (example[np.maximum(before, 0)] == example)
    chosen = np.where(follows, np.minimum(after, last), np.where(leads, np.maximum(before, 0), places))
    return links[chosen]


def _best_different(scores: np.ndarray, states: np.ndarray, beam: int) -> np.ndarray:
    """The ``beam`` best of each row, (b, K), of those with the same history only the best while others are left.

    Args:
        scores: (b, N).
        states: (b, N, n - 1).
    """
    order = np.argsort(-scores, axis=1, kind="stable")[:, : 3 * beam]  # (b, 3K)
    ranked = np.take_along_axis(states, order[:, :, None], axis=1)
    same = (ranked[:, :, None] == ranked[:, None, :]).all(axis=-1)  # (b, 3K, 3K)
    repeated = (same & np.tri(order.shape[1], k=-1, dtype=bool)).any(axis=2)
    kept = np.argsort(repeated, axis=1, kind="stable")[:, :beam]
    return np.take_along_axis(order, kept, axis=1)
