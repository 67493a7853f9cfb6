"""The training data of a classical head as one matrix with class codes and weights, and its output and warnings."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nlpipe.classical.columns import Columns, occurring
from nlpipe.errors import DataError, NlpipeWarning, suggest
from nlpipe.options import PositiveFloat
from nlpipe.predictions import Predictions
from nlpipe.stage import Data
from nlpipe.wire import Labels, Vectors

ClassWeight = Literal["auto", "balanced"] | dict[str, PositiveFloat] | None
"""``auto``, or ``balanced``, weights classes by their inverse frequency; those that a mapping does not name weigh 1."""


@dataclass(frozen=True)
class Examples:
    """N training examples.

    Args:
        matrix: (N, D), sparse or dense; without the columns that ``columns`` leaves out.
        codes: (N,) the class of each example, as an index into ``classes``.
        classes: C labels, sorted.
        columns: which columns of the vectors the matrix has.
    """

    matrix: Any
    codes: np.ndarray
    classes: tuple[str, ...]
    columns: Columns

    @property
    def frequencies(self) -> np.ndarray:
        """(C,) the share of the examples in each class."""
        return np.bincount(self.codes, minlength=len(self.classes)) / len(self.codes)

    def weights(self, class_weight: Literal["auto", "balanced"] | Mapping[str, float] | None) -> np.ndarray | None:
        """Return the weight of each example, (N,); None if all are 1.

        Raises:
            DataError: ``class_weight`` names a label that does not occur.
        """
        if class_weight is None:
            return None
        if isinstance(class_weight, str):
            class_weights = 1.0 / (len(self.classes) * self.frequencies)  # (C,)
        else:
            for label in class_weight:
                if label not in self.classes:
                    raise DataError(
                        f"class_weight: no training example has the label {label!r}{suggest(label, self.classes)}"
                    )
            class_weights = np.array([class_weight.get(label, 1.0) for label in self.classes])  # (C,)
        return np.asarray(class_weights[self.codes])


def gather(data: Data[Vectors]) -> Examples:
    """Join all batches.

    Raises:
        DataError: there is no example, no feature, or only one label.
    """
    batches = list(data)
    labels = [label for _, target in batches for label in target.values]
    classes = tuple(sorted(set(labels)))
    if not labels:
        raise DataError("there is no training example")
    if len(classes) == 1:
        raise DataError(f"every training example ({len(labels)}) has the label {classes[0]!r}; two are needed")
    vectors = Vectors.concat([source for source, _ in batches if len(source)])
    if vectors.width == 0:
        raise DataError("no features: every text is empty after tokenisation")
    numbers = {label: code for code, label in enumerate(classes)}
    codes = np.fromiter(map(numbers.__getitem__, labels), dtype=np.int64, count=len(labels))
    matrix = vectors.matrix()
    columns = occurring(matrix)
    return Examples(columns.of(matrix), codes, classes, columns)


def need_memory(features: int, labels: int, tables: int, rows: int = 0) -> None:
    """Check that the model fits in memory.

    Args:
        features: number of features, D.
        labels: number of classes, C.
        tables: how many dense float64 tables (D, C) are needed at the same time.
        rows: how many rows of C numbers, such as the scores of each example, are needed beside them.

    Raises:
        DataError: the tables do not fit in the memory of this machine.
    """
    needed, available = 8 * labels * (tables * features + rows), _memory()
    if needed > available > 0:
        raise DataError(
            f"{features:,} features and {labels:,} labels need {needed / 1e9:,.0f} GB of memory, but this machine has "
            f"{available / 1e9:,.0f} GB; use fewer features (min_count or max_features of the representation), fewer "
            "labels, or a head whose size does not grow with features or examples times labels (classifier, tagger)"
        )


def _memory() -> int:
    """Return the memory of this machine in bytes; 0 if the system does not say."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0


def need_counts(matrix: Any, head: str) -> None:
    """Check that the values of ``matrix`` can be counts; ``head`` names the head in the message.

    Raises:
        DataError: a value is negative.
    """
    if matrix.size and matrix.min() < 0:
        raise DataError(
            f"{head} needs counts, but its input has negative values; "
            "use bow, tfidf, or hashing with 'signed: false' before it"
        )


def answer(probabilities: np.ndarray, classes: tuple[str, ...]) -> Predictions[Labels]:
    """Predict the most probable class of each row of ``probabilities`` (B, C); the first one if there are several."""
    best = probabilities.argmax(axis=1)  # (B,)
    scores = probabilities[np.arange(len(best)), best]  # (B,)
    return Predictions(Labels([classes[code] for code in best.tolist()]), scores, probabilities, classes)


@contextmanager
def converging(head: str, advice: str) -> Iterator[None]:
    """Replace scikit-learn's ConvergenceWarning in the block by one of nlpipe, which ends with ``advice``."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if not issubclass(warning.category, ConvergenceWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
        warnings.warn(f"{head} stopped before it converged; {advice}", NlpipeWarning, stacklevel=3)
