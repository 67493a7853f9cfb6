"""A YAML pipeline as a scikit-learn classifier, for ``cross_val_score``, ``GridSearchCV`` and their kin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from nlpipe.api import load


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

    def set_params(self, **params: Any) -> PipelineClassifier:
        """Set ``file`` or ``options``, or single options by path (``head__C=2``)."""
        own = {name: params.pop(name) for name in list(params) if name in ("file", "options")}
        super().set_params(**own)
        if params:
            given = {name.replace("__", "."): value for name, value in params.items()}
            self.options = {**(self.options or {}), **given}
        return self

    def fit(self, texts: Sequence[str], labels: Sequence[Any]) -> PipelineClassifier:
        """Learn from ``texts`` and their labels, which may be strings or numbers."""
        self.classes_, codes = np.unique(np.asarray(labels), return_inverse=True)
        self._names = [str(label) for label in self.classes_.tolist()]
        self.pipeline_ = load(self.file, [_override(key, value) for key, value in (self.options or {}).items()])
        self.pipeline_.fit(list(texts), [self._names[code] for code in codes])
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """(B,) labels, of the type that ``fit`` was given."""
        check_is_fitted(self, "pipeline_")
        back = {name: i for i, name in enumerate(self._names)}
        found = self.pipeline_.predict(list(texts)).values.values
        return np.asarray(self.classes_[[back[label] for label in found]])

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """(B, C) probabilities, columns as in ``classes_``.

        Raises:
            AttributeError: the pipeline's head gives none.
        """
        check_is_fitted(self, "pipeline_")
        predictions = self.pipeline_.predict(list(texts))
        if predictions.probabilities is None:
            raise AttributeError(f"the head of {self.file} gives no probabilities")
        columns = [predictions.classes.index(name) for name in self._names]
        return np.asarray(predictions.probabilities[:, columns])


def _override(key: str, value: Any) -> str:
    import json

    return f"{key}={json.dumps(value.item() if isinstance(value, np.generic) else value)}"
