"""Batches of vectors and labels as one matrix and class numbers, with the weights of the classes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nlpipe.errors import DataError, NlpipeWarning, suggest
from nlpipe.options import PositiveFloat
from nlpipe.stage import Data, Predictions
from nlpipe.wire import Labels, Vectors

ClassWeight = Literal["auto"] | dict[str, PositiveFloat] | None
"""``auto`` weighs each class by the inverse of its share; a mapping names classes, all others weigh 1."""


@dataclass(frozen=True)
class Examples:
    """N examples to learn from.

    Args:
        matrix: (N, D), sparse or dense.
        codes: (N,) the class of each, by number.
        classes: C labels, sorted.
    """

    matrix: Any
    codes: np.ndarray
    classes: tuple[str, ...]

    @property
    def frequencies(self) -> np.ndarray:
        """(C,): the share of each class."""
        return np.bincount(self.codes, minlength=len(self.classes)) / len(self.codes)

    def weights(self, class_weight: Literal["auto"] | Mapping[str, float] | None) -> np.ndarray | None:
        """(N,): what each example counts; None if all count 1.

        Raises:
            DataError: ``class_weight`` names a label that no example has.
        """
        if class_weight is None:
            return None
        if class_weight == "auto":
            of_classes = 1.0 / (len(self.classes) * self.frequencies)  # (C,)
        else:
            for label in class_weight:
                if label not in self.classes:
                    raise DataError(
                        f"class_weight: no training example has the label {label!r}{suggest(label, self.classes)}"
                    )
            of_classes = np.array([class_weight.get(label, 1.0) for label in self.classes])  # (C,)
        return np.asarray(of_classes[self.codes])


def gather(data: Data[Vectors]) -> Examples:
    """All batches as one.

    Raises:
        DataError: there is nothing to learn from: no example, no feature, or one label only.
    """
    batches = list(data)
    labels = [label for _, target in batches for label in target.values]
    classes = tuple(sorted(set(labels)))
    if not labels:
        raise DataError("there is no training example")
    if len(classes) == 1:
        raise DataError(f"every training example ({len(labels)}) has the label {classes[0]!r}: two labels are needed")
    vectors = Vectors.concat([source for source, _ in batches if len(source)])
    if vectors.width == 0:
        raise DataError("no features: every text is empty after tokenisation")
    numbers = {label: code for code, label in enumerate(classes)}
    codes = np.fromiter(map(numbers.__getitem__, labels), dtype=np.int64, count=len(labels))
    return Examples(vectors.matrix(), codes, classes)


def need_memory(features: int, labels: int, tables: int) -> None:
    """Nothing, or an error before the machine swaps.

    Args:
        tables: how many dense float64 tables (features, labels) are needed at a time.

    Raises:
        DataError: they do not fit into this machine's memory.
    """
    needed, there = 8 * tables * features * labels, _memory()
    if needed > there > 0:
        raise DataError(
            f"{features:,} features of {labels:,} labels need {needed / 1e9:,.0f} GB, and this machine has "
            f"{there / 1e9:,.0f} GB: have fewer features (min_count or max_features of the representation), or a "
            "head whose size does not grow with features times labels (classifier, tagger)"
        )


def _memory() -> int:
    """Bytes of this machine; 0 where the system does not tell."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0


def need_counts(matrix: Any, head: str) -> None:
    """Nothing, or an error.

    Raises:
        DataError: ``matrix`` has a value below 0.
    """
    if matrix.size and matrix.min() < 0:
        raise DataError(
            f"{head} needs counts, but its input has values below 0; "
            "use bow or tfidf, or hashing with 'signed: false', before it"
        )


def answer(probabilities: np.ndarray, classes: tuple[str, ...]) -> Predictions[Labels]:
    """The most probable class of each row of ``probabilities``, (B, C); of equals the first."""
    best = probabilities.argmax(axis=1)  # (B,)
    scores = probabilities[np.arange(len(best)), best]  # (B,)
    return Predictions(Labels([classes[code] for code in best.tolist()]), scores, probabilities, classes)


@contextmanager
def converging(head: str, way: str) -> Iterator[None]:
    """Scikit-learn's warning that a solver stopped early becomes one of ours, which says what to do: ``way``."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if not issubclass(warning.category, ConvergenceWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
        warnings.warn(f"{head} stopped before it had converged; {way}", NlpipeWarning, stacklevel=3)
