"""The n-gram language model: the next word by the n - 1 words before it, from counts.

Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling" (modified Kneser-Ney, add-k);
Brants et al. 2007, "Large Language Models in Machine Translation" (stupid backoff). The counting is in
``nlpipe.classical``.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le

from nlpipe.capabilities import Generates, NextTokens
from nlpipe.classical.kneser_ney import KneserNey
from nlpipe.classical.ngram_counts import NgramCounts
from nlpipe.classical.ngram_model import NgramModel
from nlpipe.classical.ngram_smoothing import AddK, StupidBackoff
from nlpipe.classical.spelling import Spelling, spelled
from nlpipe.errors import DataError
from nlpipe.options import Positive, PositiveFloat
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, Head, State
from nlpipe.vocabulary import END, START, Vocabulary, escaped
from nlpipe.wire import Text, Tokens

if TYPE_CHECKING:
    from torch import Tensor


SMOOTHINGS: dict[str, type[NgramModel]] = {"kneser_ney": KneserNey, "add_k": AddK, "stupid_backoff": StupidBackoff}


class Ngram(Head[Tokens, Text], Generates[Tokens]):
    """N-gram language model: the next word by the words before it, from smoothed counts.

    Options:
        order: n, number of words of an n-gram, the predicted one included.
        smoothing: kneser_ney (modified, interpolated); add_k and stupid_backoff to compare it with.
        k: what add_k adds to every count.
        min_count: how often a word must occur in the training split to be known; the others are one unknown word.
        max_words: maximum number of known words, the most frequent; null: no limit.
    """

    seeded = False
    specials: ClassVar[tuple[str, ...]] = (START, END)

    def __init__(
        self,
        order: Annotated[int, Ge(1), Le(20)] = 5,
        smoothing: Literal["kneser_ney", "add_k", "stupid_backoff"] = "kneser_ney",
        k: PositiveFloat = 0.01,
        min_count: Positive = 1,
        max_words: Positive | None = None,
    ) -> None:
        self.order = order
        self.smoothing = smoothing
        self.k = k
        self.min_count = min_count
        self.max_words = max_words
        self.counted = Vocabulary.from_counts({}, specials=self.specials)
        self.model: NgramModel | None = None
        self.spelling: Spelling | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """The words that it knows, V with the special ones."""
        return self.counted

    # -- training

    def fit(self, data: Data[Tokens]) -> None:
        """Count the n-grams of all texts.

        Raises:
            DataError: no text has a word.
        """
        numbers: dict[str, int] = {}  # in the order of their first occurrence
        flat, lengths = array("i"), array("q")
        for source, _ in data:
            for words in map(escaped, source.words):
                flat.extend([numbers.setdefault(word, len(numbers)) for word in words])
                lengths.append(len(words))
        if not len(flat):
            raise DataError("ngram: the training split has no words to learn from")
        first_ids = np.frombuffer(flat, dtype=np.int32)
        counts = Counter(dict(zip(numbers, np.bincount(first_ids).tolist(), strict=True)))
        vocabulary = Vocabulary.from_counts(counts, self.min_count, self.max_words, self.specials)
        ids = vocabulary.ids(list(numbers)).astype(np.int32)[first_ids]  # (N,)
        self.learn(ids, np.frombuffer(lengths, dtype=np.int64), vocabulary, counts)

    def learn(self, ids: np.ndarray, lengths: np.ndarray, vocabulary: Vocabulary, counts: Counter[str]) -> None:
        """Learn from texts that are ids already.

        Args:
            ids: (N,) of all B texts after one another.
            lengths: (B,).
            vocabulary: of the ids.
            counts: how often each word occurs, known or not.
        """
        self.counted = vocabulary
        start, end = vocabulary.id(START), vocabulary.id(END)
        counts_by_length = NgramCounts.of(ids, lengths, len(vocabulary), self.order, start, end)
        kind = SMOOTHINGS[self.smoothing]
        self.model = AddK.of(counts_by_length, self.k) if kind is AddK else kind.of(counts_by_length)
        self.spelling = Spelling.learn(counts, vocabulary)

    def build(self, width: int) -> int:
        return 0

    # -- use

    def surprisals(self, source: Tokens) -> list[np.ndarray]:
        model, spelling = self._fitted()
        lengths = source.lengths
        texts = [escaped(words) for words in source.words]
        flat = self.vocabulary.ids([word for words in texts for word in [*words, END]])  # (sum of T_b + 1,)
        costs = -model.score(flat, lengths + 1)  # (sum of T_b + 1,)
        return spelled(np.split(costs, np.cumsum(lengths + 1)[:-1]), texts, self.vocabulary, spelling)

    def predict(self, source: Tokens) -> Predictions[Text]:
        return self.scored(source, source.texts)

    def next_tokens(self) -> NextTokens:
        return NgramStep(self._fitted()[0])

    def _fitted(self) -> tuple[NgramModel, Spelling]:
        assert self.model is not None and self.spelling is not None, "call fit first"
        return self.model, self.spelling

    # -- saving and loading

    def state(self) -> State:
        model, spelling = self._fitted()
        arrays, characters = spelling.state()
        return State({**model.arrays(), **arrays}, {"vocabulary": self.vocabulary.state(), "characters": characters})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.counted = Vocabulary.from_state(state.data["vocabulary"])
        counted = {name: values for name, values in state.arrays.items() if not name.startswith("spelling.")}
        self.model = SMOOTHINGS[self.smoothing].from_arrays(counted, self.counted.id(START))
        self.spelling = Spelling.from_state(state.arrays, state.data["characters"])


class NgramStep(NextTokens):
    """An n-gram model as a search steps through it; the state is the history (N, n - 1).

    Args:
        model: fitted.
    """

    def __init__(self, model: NgramModel) -> None:
        self.model = model

    def start(self, batch: int) -> Tensor:
        import torch

        return torch.full((batch, max(1, self.model.order - 1)), -1, dtype=torch.int64)

    def step(self, tokens: Tensor, state: Tensor, memory: Any = ()) -> tuple[Tensor, Tensor]:
        import torch

        order = self.model.order
        if order == 1:
            history = np.zeros((len(tokens), 0), dtype=np.int64)
        else:
            history = self.model.step(state.numpy(), tokens.numpy())[1]
        logs = torch.from_numpy(self.model.log_probs(history)).float()  # (N, V)
        return logs, torch.from_numpy(history) if order > 1 else state
