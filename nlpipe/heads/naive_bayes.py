"""Naive Bayes over counts, by scikit-learn: multinomial, Bernoulli and complement (Rennie et al. 2003).

A fitted model of any of the three variants is linear in the counts.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from nlpipe.classical.examples import ClassWeight, gather, need_counts, need_memory
from nlpipe.classical.linear import Linear
from nlpipe.options import PositiveFloat
from nlpipe.stage import Data
from nlpipe.wire import Vectors


class NaiveBayes(Linear):
    """Assumes that features are independent given the class; trained in one pass over the examples.

    Options:
        variant: ``multinomial``; ``complement``, more robust if classes differ in size; ``bernoulli``, which also uses
            the absence of words
        alpha: additive (Laplace) smoothing of the count of each feature in each class
        prior: ``found`` takes the class frequencies of the training split, ``equal`` the same for all classes
        class_weight: ``auto`` or ``balanced`` weighs each class by the inverse of its share; a mapping names labels
    """

    seeded = False

    def __init__(
        self,
        variant: Literal["multinomial", "complement", "bernoulli"] = "multinomial",
        alpha: PositiveFloat = 1.0,
        prior: Literal["found", "equal"] = "found",
        class_weight: ClassWeight = None,
    ) -> None:
        self.variant = variant
        self.alpha = alpha
        self.prior = prior
        self.class_weight = class_weight
        self.binary = variant == "bernoulli"

    def fit(self, data: Data[Vectors]) -> None:
        """Count the features of each class.

        Raises:
            DataError: fewer than two labels, no features, negative values, or a class weight for a label that does not
                occur.
        """
        from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB

        examples = gather(data)
        need_counts(examples.matrix, "naive_bayes")
        n, d = examples.matrix.shape
        need_memory(d + 1, len(examples.classes), tables=3, rows=2 * n)
        self.classes, self.columns = examples.classes, examples.columns
        models = {"multinomial": MultinomialNB, "complement": ComplementNB, "bernoulli": BernoulliNB}
        model = models[self.variant](alpha=self.alpha, fit_prior=self.prior == "found")
        model.fit(examples.matrix, examples.codes, sample_weight=examples.weights(self.class_weight))
        log_probabilities = model.feature_log_prob_  # (C, D)
        self.offsets = model.class_log_prior_  # (C,)
        if self.variant == "complement":
            self.offsets = np.zeros(len(self.classes))  # complement naive Bayes uses no prior
        if self.variant == "bernoulli":
            absent = np.log1p(-np.exp(log_probabilities))  # (C, D) log-probability that the feature is absent
            self.offsets = self.offsets + absent.sum(axis=1)
            log_probabilities = log_probabilities - absent
        self.weights = np.ascontiguousarray(log_probabilities.T)  # (D, C)
