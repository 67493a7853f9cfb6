"""Any scikit-learn classifier whose options are plain values. It is saved with skops, which loads no code."""

from __future__ import annotations

import functools
import importlib
import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
import skops.io

from nlpipe.classical.columns import Columns, saved_columns
from nlpipe.classical.estimator_check import check_archive, check_indices
from nlpipe.classical.examples import answer, converging, gather, need_counts
from nlpipe.errors import DataError, ModelError, NlpipeError, suggest
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, LabelHead, State
from nlpipe.wire import Labels, Vectors

MAX_DENSE_BYTES = 2**31
"""Maximum size of a dense matrix that is made for an estimator that does not accept sparse ones."""


class Estimator(LabelHead):
    """A scikit-learn classifier, named by its class, with its own options.

    Options:
        estimator: class name, such as ``RandomForestClassifier``, ``KNeighborsClassifier`` or ``SGDClassifier``
        options: arguments of its constructor; ``random_state`` is the pipeline's seed unless it is given here
    """

    def __init__(self, estimator: str, options: dict[str, Any] = {}) -> None:  # noqa: B006 - never modified
        available = classifiers()
        if estimator not in available:
            raise ValueError(
                f"estimator: scikit-learn has no classifier {estimator!r} that can be used here"
                f"{suggest(estimator, available)}"
            )
        parameters = inspect.signature(available[estimator]).parameters
        for name in options:
            if name not in parameters:
                raise ValueError(f"options: {estimator} has no option {name!r}{suggest(name, parameters)}")
        model = available[estimator](**options)
        try:
            model._validate_params()
        except ValueError as error:
            raise ValueError(f"options: {error}") from None
        self.name = estimator
        self.settings = dict(options)
        self.model = model
        self.columns = Columns()

    def fit(self, data: Data[Vectors]) -> None:
        """Fit the estimator.

        Raises:
            DataError: fewer than two labels, no features, negative values where the estimator needs counts, or too
                many values for a dense matrix.
            NlpipeError: scikit-learn refuses the data or the options.
        """
        examples = gather(data)
        self.classes, self.columns = examples.classes, examples.columns
        self.model = classifiers()[self.name](**self.settings)
        if "random_state" in self.model.get_params() and "random_state" not in self.settings:
            self.model.set_params(random_state=self.seed)
        if _input_tags(self.model).positive_only:
            need_counts(examples.matrix, self.name)
        matrix = self._convert(examples.matrix)
        with converging(self.name, "see its options"):
            try:
                self.model.fit(matrix, examples.codes)
            except ValueError as error:
                raise NlpipeError(f"estimator {self.name}: {error}") from error

    def _convert(self, matrix: Any) -> Any:
        """``matrix`` (N, D), made dense if the estimator does not accept sparse matrices.

        Raises:
            DataError: the dense matrix would be too large.
        """
        if not sp.issparse(matrix) or _input_tags(self.model).sparse:
            return matrix
        size = matrix.shape[0] * matrix.shape[1] * 8
        if size > MAX_DENSE_BYTES:
            raise DataError(
                f"{self.name} does not accept sparse vectors, and {matrix.shape[0]} x {matrix.shape[1]} dense values "
                f"would need {size / 2**30:.0f} GiB of memory; set max_features or select of the representation, or "
                "use another estimator"
            )
        return matrix.toarray()

    def build(self, width: int) -> int:
        return len(self.classes)

    def predict(self, source: Vectors) -> Predictions[Labels]:
        """The labels that the estimator predicts; without scores if it has no ``predict_proba``."""
        matrix = self.columns.of(source.matrix())
        rows = max(1, MAX_DENSE_BYTES // 32 // (8 * max(1, matrix.shape[1])))  # per part
        if not sp.issparse(matrix) or _input_tags(self.model).sparse:
            rows = max(1, len(source))
        parts = [self._convert(matrix[start : start + rows]) for start in range(0, len(source), rows)]
        if hasattr(self.model, "predict_proba"):
            empty = np.zeros((0, len(self.classes)))
            return answer(np.concatenate([empty, *(self.model.predict_proba(part) for part in parts)]), self.classes)
        codes = [code for part in parts for code in self.model.predict(part).tolist()]
        return Predictions(Labels([self.classes[code] for code in codes]), classes=self.classes)

    def state(self) -> State:
        content = np.frombuffer(skops.io.dumps(self.model), dtype=np.uint8)
        return State({"skops": content, **self.columns.arrays()}, {"classes": list(self.classes)})

    def load_state(self, state: State, version: int) -> None:
        """Restore what ``state`` returned, on an instance with the same options.

        Raises:
            ModelError: the file holds objects that are not part of scikit-learn, or another estimator.
        """
        super().load_state(state, version)
        content = state.arrays["skops"].tobytes()
        check_archive(content)
        try:
            type_names = skops.io.get_untrusted_types(data=content)
        except Exception as error:  # a damaged file can make skops raise anything
            raise ModelError(f"the saved {self.name} is damaged: {error}") from None
        for name in type_names:
            if not _is_part_of_sklearn(name):
                raise ModelError(
                    f"the saved {self.name} is not loaded, because it holds {name!r}, which is not part of scikit-learn"
                )
        try:
            model = skops.io.loads(content, trusted=type_names)
        except Exception as error:
            raise ModelError(f"the saved {self.name} is damaged: {error}") from None
        if type(model) is not classifiers()[self.name]:
            raise ModelError(f"the saved estimator is {type(model).__name__} instead of {self.name}")
        check_indices(model)
        self.model = model
        self.columns = saved_columns(state.arrays)
        self.classes = tuple(state.data["classes"])


@functools.cache
def classifiers() -> Mapping[str, type[Any]]:
    """The classifiers of scikit-learn that do not need another estimator as an argument, by class name."""
    from sklearn.utils import all_estimators

    usable = {}
    for name, estimator in all_estimators(type_filter="classifier"):
        if any(p.default is p.empty for p in inspect.signature(estimator).parameters.values()):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            try:
                _input_tags(estimator())
            except (FutureWarning, AttributeError):  # deprecated, or unusable without another estimator
                continue
        usable[name] = estimator
    return usable


def _input_tags(model: Any) -> Any:
    """Scikit-learn's description of the inputs that ``model`` accepts."""
    from sklearn.utils import get_tags

    return get_tags(model).input_tags


def _is_part_of_sklearn(name: str) -> bool:
    """Whether ``name`` is a class that scikit-learn defines, or SciPy's sparse matrices; functions are refused."""
    module, _, attribute = name.rpartition(".")
    if not f"{module}.".startswith(("sklearn.", "scipy.sparse.")):
        return False
    owner = getattr(importlib.import_module(module), attribute, None)
    return isinstance(owner, type) and f"{owner.__module__}.".startswith(("sklearn.", "scipy.sparse."))
