"""Interpolation of language models: a weighted mean of their probabilities, with weights that dev decides.

Jelinek and Mercer 1980, "Interpolated Estimation of Markov Source Parameters from Sparse Data": the weights are those
under which the dev split is most probable, found by expectation maximisation. A model that is worse alone still helps
where it errs elsewhere: counts know rare phrases by heart, a network generalises.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nlpipe.capabilities import Corrupts, Generates, NextTokens, Trained, able
from nlpipe.errors import NlpipeWarning
from nlpipe.nn.neural import Neural
from nlpipe.predictions import Predictions
from nlpipe.stage import AnyStage, Data, Head
from nlpipe.vocabulary import END, START, Vocabulary
from nlpipe.wire import Sequences, Text, Tokens

ROUNDS = 100
"""Rounds of expectation maximisation at most; it ends when no weight changes by more than ``SMALL``."""
SMALL = 1e-5


class Interpolated(
    Neural[Sequences, Text], Head[Sequences, Text], Trained[Sequences, Text], Generates[Sequences], Corrupts
):
    """Interpolated language models: a neural one and n-gram models, with weights fitted on dev.

    Options:
        models: one neural language model and at least one of n-grams.
    """

    specials: ClassVar[tuple[str, ...]] = (START, END)
    fitted: ClassVar[tuple[str, ...]] = ("weights",)
    reads_ahead: ClassVar[int] = 1

    def __init__(self, models: list[Head]) -> None:  # type: ignore[type-arg]
        super().__init__()
        unfit = next((model for model in models if able(model, Generates) is None), None)
        if unfit is not None:
            raise ValueError(f"models: {type(unfit).__name__} is no language model; name language_model and ngram")
        neural = [model for model in models if able(model, Corrupts) is not None]
        if len(neural) != 1 or len(models) < 2:
            raise ValueError("models: expected one neural language model (language_model) and at least one ngram")
        for name, usual in (("min_count", 1), ("max_words", None)):
            if any(model.options.get(name, usual) != usual for model in models):
                raise ValueError(
                    f"models: all models share the vocabulary of the representation; set {name} there, and leave it "
                    "out here"
                )
        self.models: list[Head[Any, Text]] = list(models)
        assert isinstance(neural[0], nn.Module)
        self.neural = neural[0]
        self.weights = [1 / len(models)] * len(models)

    def _network(self) -> Any:
        return self.neural

    @property
    def context(self) -> int:  # type: ignore[override]
        """That of the neural model."""
        context: int = self._network().context
        return context

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the representation, V entries, which all models share."""
        vocabulary: Vocabulary = self._network().vocabulary
        return vocabulary

    # -- training

    def bind(self, body: Sequence[AnyStage]) -> None:
        self._network().bind(body)

    def allocate(self, width: int) -> int:
        size: int = self._network().build(width)
        return size

    def learn(self, ids: np.ndarray, lengths: np.ndarray, vocabulary: Vocabulary, counts: Counter[str]) -> None:
        """Each model learns from the same corpus; the arguments are those of ``Ngram.learn``."""
        for model in self.models:
            learner: Any = model
            learner.learn(ids, lengths, vocabulary, counts)

    def corrupt(
        self, ids: Sequence[np.ndarray], random: np.random.Generator
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        made: tuple[list[np.ndarray], list[np.ndarray]] = self._network().corrupt(ids, random)
        return made

    def loss(self, source: Sequences, target: Any) -> tuple[Tensor, Tensor]:
        """The loss of the neural model, which is trained as if it were alone."""
        loss: tuple[Tensor, Tensor] = self._network().loss(source, target)
        return loss

    def predict_quickly(self, source: Sequences) -> Predictions[Text]:
        """The neural model alone, for the score of each epoch."""
        predictions: Predictions[Text] = self._network().predict(source)
        return predictions

    def calibrate(self, dev: Data[Sequences]) -> None:
        """Find the weights under which the dev split is most probable."""
        columns = [np.stack([np.concatenate(costs) for costs in self._each(source)]) for source, _ in dev]
        if not columns:
            message = "interpolated: there is no dev split to fit the weights on: all models count alike"
            warnings.warn(message, NlpipeWarning, stacklevel=2)
            return
        costs = np.concatenate(columns, axis=1)  # (M, N)
        relative = np.exp(costs.min(axis=0) - costs)  # (M, N), probabilities up to a factor of each token
        weights = np.array(self.weights)
        for _ in range(ROUNDS):
            shares = weights[:, None] * relative
            new = (shares / shares.sum(axis=0)).mean(axis=1)  # (M,)
            done = np.abs(new - weights).max() < SMALL
            weights = new
            if done:
                break
        self.weights = [float(weight) for weight in weights]

    # -- use

    def _each(self, source: Sequences) -> list[list[np.ndarray]]:
        """The surprisals by each model."""
        assert source.tokens is not None
        tokens = Tokens([text[1:] for text in source.tokens.words], source.tokens.texts)
        found = []
        for model in self.models:
            given: Any = tokens if issubclass(model.takes, Tokens) else source
            scorer = able(model, Generates)
            assert scorer is not None
            found.append(scorer.surprisals(given))
        return found

    def surprisals(self, source: Sequences) -> list[np.ndarray]:
        logs = np.log(np.maximum(self.weights, 1e-300))[:, None]  # (M, 1)
        mixed = []
        for costs in zip(*self._each(source), strict=True):
            mixed.append(-np.logaddexp.reduce(logs - np.stack(costs), axis=0))  # (T_b + 1,)
        return mixed

    def predict(self, source: Sequences) -> Predictions[Text]:
        assert source.tokens is not None
        return self.scored(source, source.tokens.texts)

    def forward(self, source: Sequences) -> Text:
        """The texts themselves; use ``loss`` to train and ``surprisals`` for their probability."""
        return self.predict(source).values

    def next_tokens(self) -> NextTokens:
        models = [able(model, Generates) for model in self.models]
        return MixedSteps([model.next_tokens() for model in models if model is not None], self.weights)


class MixedSteps(NextTokens):
    """Several models as one for a search; the state is a tuple of theirs.

    Args:
        models: with the same vocabulary.
        weights: of each, 1 in all.
    """

    def __init__(self, models: Sequence[NextTokens], weights: Sequence[float]) -> None:
        self.models = list(models)
        self.logs = [math.log(max(weight, 1e-300)) for weight in weights]

    def start(self, batch: int) -> tuple[Any, ...]:
        return tuple(model.start(batch) for model in self.models)

    def step(self, tokens: Tensor, state: tuple[Any, ...], memory: Any = ()) -> tuple[Tensor, tuple[Any, ...]]:
        steps = [model.step(tokens, before) for model, before in zip(self.models, state, strict=True)]
        parts = torch.stack([log + found for log, (found, _) in zip(self.logs, steps, strict=True)])  # (M, N, V)
        return parts.logsumexp(0), tuple(after for _, after in steps)
