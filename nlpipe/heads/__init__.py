"""Heads: they map vectors, sequences or tokens to labels, tags or text. One file per stage, one line per name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlpipe.registry import Slot
from nlpipe.stage import Head

if TYPE_CHECKING:
    from nlpipe.heads.classifier import Classifier as Classifier
    from nlpipe.heads.ctranslate2 import CTranslate2 as CTranslate2
    from nlpipe.heads.dictionary import Dictionary as Dictionary
    from nlpipe.heads.estimator import Estimator as Estimator
    from nlpipe.heads.interpolated import Interpolated as Interpolated
    from nlpipe.heads.language_model import LanguageModel as LanguageModel
    from nlpipe.heads.lexical import Lexical as Lexical
    from nlpipe.heads.linear_svm import LinearSVM as LinearSVM
    from nlpipe.heads.logistic_regression import LogisticRegression as LogisticRegression
    from nlpipe.heads.majority import Majority as Majority
    from nlpipe.heads.masked_language_model import MaskedLanguageModel as MaskedLanguageModel
    from nlpipe.heads.naive_bayes import NaiveBayes as NaiveBayes
    from nlpipe.heads.nbsvm import NBSVM as NBSVM
    from nlpipe.heads.ngram import Ngram as Ngram
    from nlpipe.heads.perceptron import Perceptron as Perceptron
    from nlpipe.heads.pretrained_seq2seq import PretrainedSeq2Seq as PretrainedSeq2Seq
    from nlpipe.heads.seq2seq import Seq2Seq as Seq2Seq
    from nlpipe.heads.tagger import Tagger as Tagger
    from nlpipe.heads.translation_memory import TranslationMemory as TranslationMemory

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
    "ctranslate2": "ctranslate2:CTranslate2",
    "ngram": "ngram:Ngram",
    "language_model": "language_model:LanguageModel",
    "masked_language_model": "masked_language_model:MaskedLanguageModel",
    "interpolated": "interpolated:Interpolated",
    "translation_memory": "translation_memory:TranslationMemory",
})  # fmt: skip
__getattr__ = SLOT.attribute
__dir__ = SLOT.class_names
