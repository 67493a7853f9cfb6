"""A head that labels vectors, applied to every word: how linear classifiers tag."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nlpipe import schemes
from nlpipe.heads.perceptron import Perceptron
from nlpipe.heads.tag_decoding import decode
from nlpipe.stage import Data, LabelHead, Predictions
from nlpipe.wire import Labels, Sequences, Tags, Vectors


class Flat:
    """Batches of (Sequences, Tags) as batches of (Vectors, Labels), one row a word; gone through as often."""

    def __init__(self, data: Data[Sequences]) -> None:
        self.data = data

    def __iter__(self) -> Iterator[tuple[Vectors, Labels]]:
        for source, target in self.data:
            yield source.flat(), Labels([tag for tags in target.values for tag in tags])


def fit_per_token(head: LabelHead, data: Data[Sequences]) -> None:
    """``head.fit`` on the words of all texts."""
    head.fit(Flat(data))


def predict_per_token(head: LabelHead, source: Sequences) -> Predictions[Tags]:
    """The tags of each text whose probabilities, or else margins, are the best that the scheme allows."""
    vectors = source.flat()
    scheme = "IOB2" if schemes.marks_entities(head.classes) else "none"
    if isinstance(head, Perceptron):
        found = decode(head.margins(vectors), source, head.classes, scheme)
        return Predictions(found.values)
    labels: Predictions[Any] = head.predict(vectors)
    if labels.probabilities is None:
        ends = np.cumsum(source.lengths)[:-1]
        parts = np.split(np.array(labels.values.values, dtype=object), ends) if len(source) else []
        return Predictions(Tags([list(part) for part in parts], source.tokens))
    with np.errstate(divide="ignore"):
        logged = np.log(labels.probabilities)  # (sum of T_b, C)
    return decode(logged, source, head.classes, scheme)
