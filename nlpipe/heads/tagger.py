"""The neural tagger: a softmax for every word, decoded to the most probable tags that the scheme allows.

It has no conditional random field. If tags mark entities, a CRF mostly learns the transitions that the scheme forbids
(no ``I-PER`` after ``O``). A Viterbi search with these constraints has the same effect without training.
``constrained: false`` takes the most probable tag of each word instead, to measure the effect.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from nlpipe import tag_schemes
from nlpipe.capabilities import Scores, Trained
from nlpipe.nn.softmax import ClassWeight, Softmax, fit_temperature
from nlpipe.options import Dropout, Positive
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, Head
from nlpipe.tag_decoding import decode
from nlpipe.wire import Sequences, Tags


class Tagger(Softmax[Sequences, Tags], Head[Sequences, Tags], Trained[Sequences, Tags], Scores[Sequences, Tags]):
    """Neural tagger: a softmax for every word, decoded to the best sequence of tags that the scheme allows.

    Options:
        dropout: dropout rate of the inputs and of the hidden layer's outputs in training.
        hidden: number of features of a hidden layer with ReLU; null for no hidden layer.
        class_weight: auto or balanced weighs each tag by the inverse of its share; a mapping from tag to weight (1
            for tags not named); null for equal weights.
        label_smoothing: share of each tag's probability that training spreads over all tags.
        scheme: tag scheme in which entities are learned, IOB2 or IOBES; answers are always in IOB2.
        constrained: whether to search the best sequence that the scheme allows (Viterbi), not each word's best tag.
    """

    fitted: ClassVar[tuple[str, ...]] = (*Softmax.fitted, "marks_entities")

    answering: ClassVar[tuple[str, ...]] = ("constrained",)

    def __init__(
        self,
        dropout: Dropout = 0.0,
        hidden: Positive | None = None,
        class_weight: ClassWeight = None,
        label_smoothing: Dropout = 0.0,
        scheme: Literal["IOB2", "IOBES"] = "IOBES",
        constrained: bool = True,
    ) -> None:
        super().__init__(dropout, hidden, class_weight, label_smoothing)
        self.scheme = scheme
        self.constrained = constrained
        self.marks_entities = True

    def fit(self, data: Data[Sequences]) -> None:
        """Learn the set of tags, and whether they mark entities; if not, there is no scheme.

        Raises:
            DataError: there are no tags, or ``class_weight`` names a tag that does not occur.
        """
        sentences = [tags for _, target in data for tags in target.values]
        self.marks_entities = tag_schemes.marks_entities({tag for tags in sentences for tag in tags})
        self.learn_classes(Counter(tag for tags in sentences for tag in self._to_scheme(tags)))

    @property
    def answers(self) -> tuple[str, ...]:
        """The tags that it can predict, in IOB2 if they mark entities."""
        if not self.marks_entities:
            return self.classes
        kinds = sorted({name[2:] for name in self.classes if name != "O"})
        return ("O", *(f"{mark}-{kind}" for kind in kinds for mark in "BI"))

    def _to_scheme(self, tags: list[str]) -> list[str]:
        """The tags of one text in the scheme that is learned."""
        return tag_schemes.convert(tags, "IOB2", self.scheme) if self.marks_entities else tags

    def logits(self, source: Sequences) -> Tensor:
        """(sum of T_b, C), float32, before softmax and temperature."""
        return self.logits_of(source.flat().tensor(self.device))

    def loss(self, source: Sequences, target: Tags) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats, with class weights and label smoothing, and the number of words.

        Raises:
            DataError: the training split does not have one of the tags.
        """
        return self.loss_of(self.logits(source), [tag for tags in target.values for tag in self._to_scheme(tags)])

    @torch.no_grad()
    def score(self, source: Sequences, target: Tags) -> np.ndarray:
        """Log-probability in nats of each word's gold tag: (sum of T_b,); -inf for tags not seen in training."""
        log_probs = (self.logits(source) / self.temperature).log_softmax(-1).cpu().double().numpy()  # (N, C)
        tags = [tag for tags in target.values for tag in self._to_scheme(tags)]
        columns = np.array([self.columns.get(tag, -1) for tag in tags], dtype=np.int64)
        scores = log_probs[np.arange(len(columns)), columns]
        return np.where(columns < 0, -np.inf, scores)

    @torch.no_grad()
    def predict(self, source: Sequences) -> Predictions[Tags]:
        log_probs = (self.logits(source) / self.temperature).log_softmax(-1).cpu().numpy()  # (sum of T_b, C)
        scheme = self.scheme if self.marks_entities else "none"
        return decode(log_probs, source, self.classes, scheme, self.constrained)

    def forward(self, source: Sequences) -> Tags:
        """The best tags of each text; use ``loss`` to train."""
        return self.predict(source).values

    @torch.no_grad()
    def calibrate(self, dev: Data[Sequences]) -> None:
        """Set the temperature, from 0.05 to 20, under which the dev tags are most probable (Guo et al. 2017)."""
        logits, gold = [], []
        for source, target in dev:
            rows, columns = self.known(tag for tags in target.values for tag in self._to_scheme(tags))
            logits.append(self.logits(source).cpu().double().numpy()[rows])  # (N, C)
            gold += columns
        self.temperature = fit_temperature(np.concatenate(logits), np.array(gold)) if gold else 1.0
