"""A head that labels vectors, applied to every word: how linear classifiers tag.

Inside, entities are marked as IOBES has it, where last and single words have marks of their own: Ratinov and Roth
2009, "Design Challenges and Misconceptions in Named Entity Recognition", section 3.2. Without learned transitions that
is most of what tells where an entity ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nlpipe import tag_schemes
from nlpipe.heads.perceptron import Perceptron
from nlpipe.stage import Data, LabelHead, Predictions, Stage
from nlpipe.tag_decoding import decode
from nlpipe.wire import Labels, Sequences, Tags, Vectors, Wire

INSIDE = "IOBES"


class Flat:
    """Batches of (Sequences, Tags) as batches of (Vectors, Labels), one row a word; gone through as often."""

    def __init__(self, data: Data[Sequences], scheme: str) -> None:
        self.data = data
        self.scheme = scheme

    def __iter__(self) -> Iterator[tuple[Vectors, Labels]]:
        for source, target in self.data:
            inside = (tag_schemes.convert(tags, "IOB2", self.scheme) for tags in target.values)
            yield source.flat(), Labels([tag for tags in inside for tag in tags])


def labels_words(head: Stage[Any, Any], target: type[Wire]) -> bool:
    """Whether ``head`` labels vectors where the task wants tags, so that it is applied to every word."""
    return isinstance(head, LabelHead) and target is Tags


def fit_per_token(head: LabelHead, data: Data[Sequences]) -> None:
    """``head.fit`` on the words of all texts."""
    marked = tag_schemes.marks_entities(tag for _, target in data for tags in target.values for tag in tags)
    head.fit(Flat(data, INSIDE if marked else "none"))


def predict_per_token(head: LabelHead, source: Sequences) -> Predictions[Tags]:
    """The tags of each text whose probabilities, or else margins, are the best that the scheme allows."""
    vectors = source.flat()
    scheme = INSIDE if tag_schemes.marks_entities(head.classes, INSIDE) else "none"
    if isinstance(head, Perceptron):
        found = decode(head.margins(vectors), source, head.classes, scheme)
        return Predictions(found.values)
    labels: Predictions[Any] = head.predict(vectors)
    if labels.probabilities is None:
        ends = np.cumsum(source.lengths)[:-1]
        parts = np.split(np.array(labels.values.values, dtype=object), ends) if len(source) else []
        return Predictions(Tags([tag_schemes.convert(list(part), scheme, "IOB2") for part in parts], source.tokens))
    with np.errstate(divide="ignore"):
        logged = np.log(labels.probabilities)  # (sum of T_b, C)
    return decode(logged, source, head.classes, scheme)
