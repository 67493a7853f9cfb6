"""A pipeline file as a scikit-learn classifier, for ``cross_val_score``, ``GridSearchCV`` and similar functions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, is_multilabel
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from nlpipe.api import load
from nlpipe.errors import ModelError, SpecError
from nlpipe.labels import clean_label
from nlpipe.predictions import AnyPredictions
from nlpipe.spec import read_pipeline
from nlpipe.wire import Labels, LabelSets


def _has_probabilities(classifier: PipelineClassifier) -> bool:
    """Whether the head of a fitted classifier has probabilities; assumed of one that is not fitted."""
    return getattr(classifier, "_gives_probabilities", True)


class PipelineClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that fits the pipeline of ``file`` to lists of texts and labels.

    For a pipeline of ``task: multilabel``, labels are a matrix (N, C) of 0 and 1, as scikit-learn has them.

    Args:
        file: a pipeline file.
        options: values that override the file, by key path: ``{"head.C": 2}``. In ``set_params`` and grid searches, an
            option is named by its path with double underscores instead of dots: ``{"head__C": [0.1, 1, 10]}``.
    """

    def __init__(self, file: str | Path, options: Mapping[str, Any] | None = None) -> None:
        self.file = file
        self.options = options

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """``file`` and ``options``; with ``deep`` also each option under the name that ``set_params`` takes."""
        parameters: dict[str, Any] = super().get_params(deep=False)
        options = {key.replace(".", "__"): value for key, value in (self.options or {}).items()}
        return {**options, **parameters} if deep else parameters

    def set_params(self, **params: Any) -> PipelineClassifier:
        """Set ``file`` or ``options``, or single options by path (``head__C=2``).

        Raises:
            ValueError: the pipeline has no such option, or the option does not accept the value; the message names
                similar options.
        """
        own_parameters = {name: params.pop(name) for name in list(params) if name in ("file", "options")}
        super().set_params(**own_parameters)
        if params:
            options = {name.replace("__", "."): value for name, value in params.items()}
            self.options = {**(self.options or {}), **options}
            try:
                read_pipeline(self.file, self._overrides())
            except SpecError as error:
                raise ValueError(str(error)) from None
        return self

    def fit(self, texts: Sequence[str], labels: Any) -> PipelineClassifier:
        """Fit the pipeline to ``texts`` and their labels.

        Args:
            labels: (N,) strings or numbers; for several labels a text a matrix (N, C) of 0 and 1, an array, a sparse
                one or a table, the names of whose columns then become ``classes_``.

        Raises:
            DataError: a text is none, or there are too few labels.
            ModelError: the pipeline is for another task.
            ValueError: the numbers of texts and labels differ, or labels are missing, continuous, or of another shape
                than the pipeline's task has.
        """
        check_consistent_length(texts, labels)
        self.pipeline_ = load(self.file, self._overrides())
        task = self.pipeline_.task
        if task.target is Labels:
            targets: list[Any] = self._one_each(labels)
        elif task.target is LabelSets:
            targets = self._several_each(labels)
        else:
            raise ModelError(
                f"{self.file}: this pipeline is for {task.name}, but a classifier needs one for classification or "
                "multilabel"
            )
        self.pipeline_.fit(list(texts), targets)
        self._gives_probabilities = self.pipeline_.predict(["a"]).probabilities is not None
        return self

    def _one_each(self, labels: Any) -> list[str]:
        """The label of each text, as the pipeline has it."""
        if getattr(labels, "ndim", 1) == 2 and labels.shape[1] > 1:
            raise ValueError(
                f"labels: a matrix of {labels.shape[1]} columns, and {self.file} gives one label a text; several need "
                "task: multilabel in that file"
            )
        flat = column_or_1d(labels, warn=True)
        check_classification_targets(flat)
        self.classes_, codes = np.unique(flat, return_inverse=True)
        self._names = _names(self.classes_)
        return [self._names[code] for code in codes]

    def _several_each(self, labels: Any) -> list[list[str]]:
        """The labels of each text, as the pipeline has them: the names of the columns, or their numbers."""
        matrix = labels.to_numpy() if hasattr(labels, "to_numpy") else labels
        if not is_multilabel(matrix):
            raise ValueError(
                f"labels: {self.file} gives several labels a text, which are a matrix (N, C) of 0 and 1; "
                "sklearn.preprocessing.MultiLabelBinarizer makes one of lists of labels"
            )
        has = np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix, dtype=bool)  # (N, C)
        self.classes_ = np.asarray(getattr(labels, "columns", np.arange(has.shape[1])))
        self._names = _names(self.classes_)
        return [[self._names[code] for code in np.flatnonzero(row)] for row in has]

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """(B,) predicted labels, of the type that was passed to ``fit``; of several labels a text (B, C) 0 and 1."""
        check_is_fitted(self, "pipeline_")
        predictions = self.pipeline_.predict(list(texts))
        if isinstance(predictions.values, LabelSets):
            return predictions.values.matrix(self._names).astype(np.int64)
        codes = {name: code for code, name in enumerate(self._names)}
        labels = predictions.values.values
        return np.asarray(self.classes_[np.array([codes[label] for label in labels], dtype=np.int64)])

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """(B, C) probabilities, with columns in the order of ``classes_``.

        Of several labels a text they need not sum to 1, and are 0 for one that no training text has.

        Raises:
            AttributeError: the pipeline's head has no probabilities.
        """
        check_is_fitted(self, "pipeline_")
        if not len(texts):
            return np.zeros((0, len(self.classes_)))
        predictions: AnyPredictions = self.pipeline_.predict(list(texts))
        assert predictions.probabilities is not None
        column = {name: code for code, name in enumerate(self._names)}
        probabilities = np.zeros((len(texts), len(self._names)))
        probabilities[:, [column[name] for name in predictions.classes]] = predictions.probabilities
        return probabilities

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.classifier_tags.multi_label = True
        return tags

    def _overrides(self) -> list[str]:
        return [f"{key}={json.dumps(value, default=_plain)}" for key, value in (self.options or {}).items()]


def _names(classes: np.ndarray) -> list[str]:
    """The labels as the pipeline has them.

    Raises:
        ValueError: two become the same.
    """
    names = [clean_label(str(label)) for label in classes.tolist()]
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"labels: {count} of them are {name!r}; they differ in white space or type alone")
    return names


def _plain(value: Any) -> Any:
    """A numpy number, a numpy array or a path as a value that JSON can hold."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a pipeline file cannot hold the value {value!r}")
