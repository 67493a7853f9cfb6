"""The tagger: a softmax for every word, and the most probable tags that the scheme allows; no CRF.

What a conditional random field adds is learned transitions. Where tags mark entities, most of what those learn is
what the scheme forbids anyway (no ``I-PER`` after ``O``); a Viterbi search over these hard constraints alone gives
that for nothing, and needs no training. ``constrained: false`` takes each word's best tag, to see what it buys.
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
from nlpipe.stage import Data, Head, Predictions
from nlpipe.tag_decoding import decode
from nlpipe.wire import Sequences, Tags


class Tagger(Softmax[Sequences, Tags], Head[Sequences, Tags], Trained[Sequences, Tags], Scores[Sequences, Tags]):
    """Neural tagger: a softmax for every word, decoded to the best tags that the scheme allows.

    Options:
        dropout: share of the inputs, and of the hidden layer's outputs, dropped in training.
        hidden: features of a hidden layer with ReLU; null: none.
        class_weight: auto (every tag the same weight in all), a mapping of tags to weights (else 1), or null.
        label_smoothing: share of each tag's probability that training spreads over all tags.
        scheme: how entities are marked inside, IOB2 or IOBES (tells ends and single words too); answers are IOB2.
        constrained: whether tags that the scheme forbids in this order are ruled out (Viterbi), or each word's best.
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
        """Learn the tags; where they do not mark entities, there is no scheme and nothing to rule out."""
        found = [tags for _, target in data for tags in target.values]
        self.marks_entities = tag_schemes.marks_entities({tag for tags in found for tag in tags})
        self.learn_classes(Counter(tag for tags in found for tag in self._inside(tags)))

    @property
    def answers(self) -> tuple[str, ...]:
        """The tags it chooses from, in IOB2 where they mark entities."""
        if not self.marks_entities:
            return self.classes
        kinds = sorted({name[2:] for name in self.classes if name != "O"})
        return ("O", *(f"{mark}-{kind}" for kind in kinds for mark in "BI"))

    def _inside(self, tags: list[str]) -> list[str]:
        return tag_schemes.convert(tags, "IOB2", self.scheme) if self.marks_entities else tags

    def logits(self, source: Sequences) -> Tensor:
        """(sum of T_b, C), float32, before softmax and temperature."""
        return self.logits_of(source.flat().tensor(self.device))

    def loss(self, source: Sequences, target: Tags) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats, weighted and smoothed as options say, and the number of words.

        Raises:
            DataError: a tag that the training split does not have.
        """
        return self.loss_of(self.logits(source), [tag for tags in target.values for tag in self._inside(tags)])

    @torch.no_grad()
    def score(self, source: Sequences, target: Tags) -> np.ndarray:
        """Log-probability, in nats, of each word's gold tag: (sum of T_b,); -inf for a tag never seen in training."""
        logged = (self.logits(source) / self.temperature).log_softmax(-1).cpu().double().numpy()  # (N, C)
        tags = [tag for tags in target.values for tag in self._inside(tags)]
        columns = np.array([self.columns.get(tag, -1) for tag in tags], dtype=np.int64)
        scores = logged[np.arange(len(columns)), columns]
        return np.where(columns < 0, -np.inf, scores)

    @torch.no_grad()
    def predict(self, source: Sequences) -> Predictions[Tags]:
        logged = (self.logits(source) / self.temperature).log_softmax(-1).cpu().numpy()  # (sum of T_b, C)
        scheme = self.scheme if self.marks_entities else "none"
        return decode(logged, source, self.classes, scheme, self.constrained)

    def forward(self, source: Sequences) -> Tags:
        """The best tags of each text; to train, use ``loss``."""
        return self.predict(source).values

    @torch.no_grad()
    def calibrate(self, dev: Data[Sequences]) -> None:
        """Divide the logits by the temperature from 0.05 to 20 that makes the dev tags most probable."""
        rows, gold = [], []
        for source, target in dev:
            places, columns = self.known(tag for tags in target.values for tag in self._inside(tags))
            rows.append(self.logits(source).cpu().double().numpy()[places])  # (N, C)
            gold += columns
        self.temperature = fit_temperature(np.concatenate(rows), np.array(gold)) if gold else 1.0
