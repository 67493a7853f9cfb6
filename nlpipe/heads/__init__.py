"""Heads: numbers to labels, tags or text. One file a stage (or a close family), one line a name."""

from __future__ import annotations

from nlpipe.registry import Slot
from nlpipe.stage import Head

SLOT = Slot("head", Head, __name__, {
    "estimator": "estimator:Estimator",
    "linear_svm": "linear_svm:LinearSVM",
    "logistic_regression": "logistic_regression:LogisticRegression",
    "majority": "majority:Majority",
    "naive_bayes": "naive_bayes:NaiveBayes",
    "nbsvm": "nbsvm:NBSVM",
    "classifier": "classifier:Classifier",
    "tagger": "tagger:Tagger",
    "dictionary": "dictionary:Dictionary",
    "perceptron": "perceptron:Perceptron",
    "seq2seq": "seq2seq:Seq2Seq",
    "lexical": "lexical:Lexical",
    "pretrained_seq2seq": "pretrained_seq2seq:PretrainedSeq2Seq",
    "translation_memory": "translation_memory:TranslationMemory",
})  # fmt: skip
__getattr__ = SLOT.attribute
