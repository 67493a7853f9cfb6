"""A head that labels vectors, applied to every word: how linear classifiers tag.

Inside, entities are marked in IOBES, whose marks for last and single words tell where an entity ends: Ratinov and Roth
2009, "Design Challenges and Misconceptions in Named Entity Recognition", section 3.2. Answers are in IOB2.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nlpipe import tag_schemes
from nlpipe.capabilities import Margins, able
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, Head, LabelHead
from nlpipe.tag_decoding import decode
from nlpipe.wire import Labels, Sequences, Tags, Vectors

INSIDE = "IOBES"


class Flat:
    """Batches of (Sequences, Tags) as batches of (Vectors, Labels), one row a word; can be iterated repeatedly."""

    def __init__(self, data: Data[Sequences], scheme: str) -> None:
        self.data = data
        self.scheme = scheme

    def __iter__(self) -> Iterator[tuple[Vectors, Labels]]:
        for source, target in self.data:
            inside = (tag_schemes.convert(tags, "IOB2", self.scheme) for tags in target.values)
            yield source.flat(), Labels([tag for tags in inside for tag in tags])


class WordTagger(Head[Sequences, Tags]):
    """A head that labels vectors, as one that tags the words of texts.

    Options:
        head: it is fitted on the words of all texts, and keeps all that is learnt.
    """

    def __init__(self, head: LabelHead) -> None:
        self.head = head

    @property
    def answers(self) -> tuple[str, ...]:
        return self.head.answers

    def fit(self, data: Data[Sequences]) -> None:
        marked = tag_schemes.marks_entities(tag for _, target in data for tags in target.values for tag in tags)
        self.head.fit(Flat(data, INSIDE if marked else "none"))

    def calibrate(self, dev: Data[Sequences]) -> None:
        self.head.calibrate(Flat(dev, self._scheme))

    @property
    def _scheme(self) -> str:
        return INSIDE if tag_schemes.marks_entities(self.head.classes, INSIDE) else "none"

    def predict(self, source: Sequences) -> Predictions[Tags]:
        """The tags of each text whose probabilities, or else margins, are the best that the scheme allows."""
        vectors, scheme = source.flat(), self._scheme
        linear = able(self.head, Margins)
        if linear is not None:
            return Predictions(decode(linear.margins(vectors), source, self.head.classes, scheme).values)
        labels = self.head.predict(vectors)
        if labels.probabilities is None:
            ends = np.cumsum(source.lengths)[:-1]
            parts = np.split(np.array(labels.values.values, dtype=object), ends) if len(source) else []
            return Predictions(Tags([tag_schemes.convert(list(part), scheme, "IOB2") for part in parts], source.tokens))
        with np.errstate(divide="ignore"):
            log_probabilities = np.log(labels.probabilities)  # (sum of T_b, C)
        return decode(log_probabilities, source, self.head.classes, scheme)
