"""Any scikit-learn classifier that can be made from plain options; kept with skops, so no code is loaded with it."""

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

from nlpipe.classical.examples import answer, converging, gather, need_counts
from nlpipe.errors import DataError, ModelError, NlpipeError, suggest
from nlpipe.stage import Data, LabelHead, Predictions, State
from nlpipe.wire import Labels, Vectors

DENSE_BYTES = 2**31
"""The largest matrix that is made dense for an estimator that takes no other."""


class Estimator(LabelHead):
    """A scikit-learn classifier by its class name, with its own options.

    Options:
        estimator: ``RandomForestClassifier``, ``KNeighborsClassifier``, ``SGDClassifier`` and most others
        options: what its constructor is given; ``random_state`` is the pipeline's seed unless given here
    """

    def __init__(self, estimator: str, options: dict[str, Any] = {}) -> None:  # noqa: B006 - never changed
        known = classifiers()
        if estimator not in known:
            raise ValueError(f"estimator: scikit-learn has no classifier {estimator!r} that can be used here"
                             f"{suggest(estimator, known)}")  # fmt: skip
        parameters = inspect.signature(known[estimator]).parameters
        for name in options:
            if name not in parameters:
                raise ValueError(f"options: {estimator} has no option {name!r}{suggest(name, parameters)}")
        made = known[estimator](**options)
        try:
            made._validate_params()
        except ValueError as error:
            raise ValueError(f"options: {error}") from None
        self.name = estimator
        self.settings = dict(options)
        self.model = made

    def fit(self, data: Data[Vectors]) -> None:
        """Fit it.

        Raises:
            DataError: fewer than two labels, no features, values it cannot take, or too many of them to be dense.
            NlpipeError: scikit-learn refuses the data or the options.
        """
        examples = gather(data)
        self.classes = examples.classes
        self.model = classifiers()[self.name](**self.settings)
        if "random_state" in self.model.get_params() and "random_state" not in self.settings:
            self.model.set_params(random_state=self.seed)
        if _tags(self.model).positive_only:
            need_counts(examples.matrix, self.name)
        matrix = self._form(examples.matrix)
        with converging(self.name, "see its options"):
            try:
                self.model.fit(matrix, examples.codes)
            except ValueError as error:
                raise NlpipeError(f"estimator {self.name}: {error}") from error

    def _form(self, matrix: Any) -> Any:
        """``matrix`` as the estimator takes it.

        Raises:
            DataError: it would have to be dense and is too large.
        """
        if not sp.issparse(matrix) or _tags(self.model).sparse:
            return matrix
        size = matrix.shape[0] * matrix.shape[1] * 8
        if size > DENSE_BYTES:
            raise DataError(
                f"{self.name} takes no sparse vectors, and {matrix.shape[0]} x {matrix.shape[1]} dense ones would fill "
                f"{size / 2**30:.0f} GiB; set max_features or select of the representation, or take another estimator"
            )
        return matrix.toarray()

    def build(self, width: int) -> int:
        return len(self.classes)

    def predict(self, source: Vectors) -> Predictions[Labels]:
        """As the estimator says; without scores if it has no probabilities."""
        matrix = source.matrix()
        rows = max(1, DENSE_BYTES // 32 // (8 * max(1, source.width)))
        if not sp.issparse(matrix) or _tags(self.model).sparse:
            rows = max(1, len(source))
        parts = [self._form(matrix[start : start + rows]) for start in range(0, len(source), rows)]
        if hasattr(self.model, "predict_proba"):
            none = np.zeros((0, len(self.classes)))
            return answer(np.concatenate([none, *(self.model.predict_proba(part) for part in parts)]), self.classes)
        codes = [code for part in parts for code in self.model.predict(part).tolist()]
        return Predictions(Labels([self.classes[code] for code in codes]), classes=self.classes)

    def state(self) -> State:
        kept = np.frombuffer(skops.io.dumps(self.model), dtype=np.uint8)
        return State({"skops": kept}, {"classes": list(self.classes)})

    def load_state(self, state: State, version: int) -> None:
        """Take back what ``state`` gave, on an instance made with the same options.

        Raises:
            ModelError: the model holds something else than parts of scikit-learn, or is of another estimator.
        """
        super().load_state(state, version)
        kept = state.arrays["skops"].tobytes()
        needed = skops.io.get_untrusted_types(data=kept)
        for name in needed:
            if not _is_part_of_sklearn(name):
                raise ModelError(f"the saved {self.name} holds {name!r}, which is no part of scikit-learn: not loaded")
        model = skops.io.loads(kept, trusted=needed)
        if type(model) is not classifiers()[self.name]:
            raise ModelError(f"the saved estimator is {type(model).__name__}, not {self.name}")
        self.model = model
        self.classes = tuple(state.data["classes"])


@functools.cache
def classifiers() -> Mapping[str, type[Any]]:
    """The classifiers of scikit-learn that work without another estimator given to them, by class name."""
    from sklearn.utils import all_estimators

    usable = {}
    for name, found in all_estimators(type_filter="classifier"):
        if any(p.default is p.empty for p in inspect.signature(found).parameters.values()):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            try:
                _tags(found())
            except (FutureWarning, AttributeError):  # on its way out of scikit-learn, or empty without another one
                continue
        usable[name] = found
    return usable


def _tags(model: Any) -> Any:
    from sklearn.utils import get_tags

    return get_tags(model).input_tags


def _is_part_of_sklearn(name: str) -> bool:
    """Whether ``name`` is a class that scikit-learn itself defines, or a sparse matrix; functions are not."""
    module, _, attribute = name.rpartition(".")
    if not f"{module}.".startswith(("sklearn.", "scipy.sparse.")):
        return False
    found = getattr(importlib.import_module(module), attribute, None)
    return isinstance(found, type) and f"{found.__module__}.".startswith(("sklearn.", "scipy.sparse."))
