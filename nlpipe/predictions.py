"""What a head says of a batch: labels, sets of labels, tags or texts, with scores and probabilities if it has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from nlpipe.errors import NlpipeError
from nlpipe.tag_schemes import to_spans
from nlpipe.wire import Labels, LabelSets, Tags, Text, Wire
from nlpipe.writing_systems import UNSPACED

Out = TypeVar("Out", bound=Wire)

WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
"""A word of an answer: what stands between spaces, or one letter of a writing system without them."""


@dataclass(frozen=True)
class Predictions(Generic[Out]):
    """What a head says of B examples.

    Args:
        values: B predicted labels, sets of labels, tag lists or texts.
        scores: (B,) probability, or log-probability for texts, of what is predicted; for tags (B,) arrays of that of
            each word; for sets of labels, that of the whole set if labels were independent; None where there is none.
        probabilities: (B, C) for labels and sets of labels, columns as in ``classes``; None where the head has none.
        classes: C labels.
        cut: (B,) whether a generated answer was ended by a length limit; None where answers are not generated.
        units: (B,) the tokens whose log-probability ``scores`` are; None where they are of the whole answer.
    """

    values: Out
    scores: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    cut: np.ndarray | None = None
    units: np.ndarray | None = None

    @property
    def labels(self) -> list[str]:
        """The predicted label of each text.

        Raises:
            NlpipeError: the predictions are sets of labels, tags or texts.
        """
        labels: list[str] = self._values(Labels, "labels").values
        return labels

    @property
    def label_sets(self) -> list[list[str]]:
        """The predicted labels of each text, any number of them; NlpipeError as for ``labels``."""
        sets: list[list[str]] = self._values(LabelSets, "label_sets").values
        return sets

    @property
    def tags(self) -> list[list[str]]:
        """The predicted tag of each word of each text; NlpipeError as for ``labels``."""
        tags: list[list[str]] = self._values(Tags, "tags").values
        return tags

    @property
    def texts(self) -> list[str]:
        """The predicted text for each text; NlpipeError as for ``labels``."""
        texts: list[str] = self._values(Text, "texts").strings
        return texts

    @property
    def entities(self) -> list[list[tuple[int, int, str]]]:
        """The entities of each text: first character, the one after the last, type. NlpipeError as for ``labels``."""
        tags = self._values(Tags, "entities")
        assert tags.tokens is not None
        found = []
        for b, sentence in enumerate(tags.values):
            spans = tags.tokens.spans(b)
            found.append([(spans[first][0], spans[end - 1][1], kind) for first, end, kind in to_spans(sentence)])
        return found

    @property
    def confidence(self) -> np.ndarray | None:
        """(B,) how sure each answer is, from 0 to 1; None where the head gives neither probabilities nor scores.

        Of a label it is its probability, of a set of labels that of all decisions if
        they were independent. Of tags it is the product of the probabilities of the words' tags, one number
        a text: the probability that all are right, were the words independent; 1 for a text without words. Of a
        generated text it is the geometric mean of the probabilities of its words and its end, so that long answers are
        not less sure for their length alone. Heads calibrate their probabilities on dev or on held-out folds; the
        products and means are made of these and not calibrated again.
        """
        if self.scores is None:
            return None
        if isinstance(self.values, Tags):
            return np.array([np.prod(np.asarray(words, dtype=np.float64)) for words in self.scores], dtype=np.float64)
        scores = np.asarray(self.scores, dtype=np.float64)
        if isinstance(self.values, Text):
            words = np.array([len(WORD.findall(text)) for text in self.values.strings], dtype=np.float64)
            return np.exp(np.minimum(scores, 0.0) / (words + 1))
        return scores

    def _values(self, kind: type[Any], name: str) -> Any:
        if not isinstance(self.values, kind):
            own = {Labels: "labels", LabelSets: "label_sets", Tags: "tags", Text: "texts"}.get(
                type(self.values), "values"
            )
            raise NlpipeError(f"these predictions have no {name}; they are {self.values!r}: use .{own}")
        return self.values

    def __repr__(self) -> str:
        """``Predictions(Labels(3 labels), scores, probabilities of 2 classes)``."""
        scores = ", scores" if self.scores is not None else ""
        classes = f", probabilities of {len(self.classes)} classes" if self.probabilities is not None else ""
        return f"Predictions({self.values!r}{scores}{classes})"


AnyPredictions: TypeAlias = Predictions[Any]
"""Predictions of labels, tags or texts."""
