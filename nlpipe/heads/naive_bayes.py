"""Naive Bayes over counts: multinomial, Bernoulli, and the complement of Rennie et al. 2003; scikit-learn's.

Once fitted, all three are linear in the counts.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from nlpipe.classical.examples import ClassWeight, gather, need_counts
from nlpipe.classical.linear import Linear
from nlpipe.options import PositiveFloat
from nlpipe.stage import Data
from nlpipe.wire import Vectors


class NaiveBayes(Linear):
    """Class frequencies times word frequencies; one pass, nothing to tune, a fair first answer.

    Options:
        variant: ``multinomial``; ``complement``, which is steadier where classes differ in size; ``bernoulli``, which
            also heeds words that are absent
        alpha: added to the count of each feature in each class
        prior: class frequencies as found, or all equal
        class_weight: ``auto`` weighs classes by the inverse of their share; or a mapping from label to weight
    """

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
        """Count.

        Raises:
            DataError: fewer than two labels, no features, values below 0, or a class weight for a label that is not
                there.
        """
        from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB

        examples = gather(data)
        need_counts(examples.matrix, "naive_bayes")
        self.classes = examples.classes
        kinds = {"multinomial": MultinomialNB, "complement": ComplementNB, "bernoulli": BernoulliNB}
        bayes = kinds[self.variant](alpha=self.alpha, fit_prior=self.prior == "found")
        bayes.fit(examples.matrix, examples.codes, sample_weight=examples.weights(self.class_weight))
        logs = bayes.feature_log_prob_  # (C, D)
        self.offsets = bayes.class_log_prior_  # (C,)
        if self.variant == "complement":
            self.offsets = np.zeros(len(self.classes))  # the prior has no part in it
        if self.variant == "bernoulli":
            absent = np.log1p(-np.exp(logs))
            self.offsets = self.offsets + absent.sum(axis=1)
            logs = logs - absent
        self.weights = np.ascontiguousarray(logs.T)  # (D, C)
