"""A YAML pipeline as a scikit-learn classifier, for ``cross_val_score``, ``GridSearchCV`` and their kin."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from nlpipe.api import load
from nlpipe.errors import SpecError
from nlpipe.spec import read_pipeline


class PipelineClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits the pipeline of ``file`` on lists of texts and labels.

    Args:
        file: a pipeline file.
        options: key path to value, over what the file says: ``{"head.C": 2}``. A grid search may also name an option
            by its path with double underscores in place of dots, ``{"head__C": [0.1, 1, 10]}``.
    """

    def __init__(self, file: str | Path, options: Mapping[str, Any] | None = None) -> None:
        self.file = file
        self.options = options

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """``file`` and ``options``; with ``deep`` each option by itself too, as ``set_params`` takes it."""
        found: dict[str, Any] = super().get_params(deep=False)
        single = {key.replace(".", "__"): value for key, value in (self.options or {}).items()}
        return {**single, **found} if deep else found

    def set_params(self, **params: Any) -> PipelineClassifier:
        """Set ``file`` or ``options``, or single options by path (``head__C=2``).

        Raises:
            ValueError: the pipeline has no such option, or it does not take this value; says which is near.
        """
        own = {name: params.pop(name) for name in list(params) if name in ("file", "options")}
        super().set_params(**own)
        if params:
            given = {name.replace("__", "."): value for name, value in params.items()}
            self.options = {**(self.options or {}), **given}
            try:
                read_pipeline(self.file, self._overrides())
            except SpecError as error:
                raise ValueError(str(error)) from None
        return self

    def fit(self, texts: Sequence[str], labels: Sequence[Any]) -> PipelineClassifier:
        """Learn from ``texts`` and their labels, which may be strings or numbers."""
        check_consistent_length(texts, labels)
        flat = column_or_1d(labels, warn=True)
        check_classification_targets(flat)
        self.classes_, codes = np.unique(flat, return_inverse=True)
        self._names = [str(label) for label in self.classes_.tolist()]
        self.pipeline_ = load(self.file, self._overrides())
        self.pipeline_.fit(list(texts), [self._names[code] for code in codes])
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """(B,) labels, of the type that ``fit`` was given."""
        check_is_fitted(self, "pipeline_")
        back = {name: i for i, name in enumerate(self._names)}
        found = self.pipeline_.predict(list(texts)).values.values
        return np.asarray(self.classes_[np.array([back[label] for label in found], dtype=np.int64)])

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """(B, C) probabilities, columns as in ``classes_``.

        Raises:
            AttributeError: the pipeline's head gives none.
        """
        check_is_fitted(self, "pipeline_")
        if not len(texts):
            return np.zeros((0, len(self.classes_)))
        predictions = self.pipeline_.predict(list(texts))
        if predictions.probabilities is None:
            raise AttributeError(f"the head of {self.file} gives no probabilities")
        columns = [predictions.classes.index(name) for name in self._names]
        return np.asarray(predictions.probabilities[:, columns])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags

    def _overrides(self) -> list[str]:
        return [f"{key}={json.dumps(value, default=_plain)}" for key, value in (self.options or {}).items()]


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy, and paths, as JSON has them."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} is no value that a pipeline file can hold")
