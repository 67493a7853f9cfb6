"""Representations: words to numbers. One file a stage (or a close family), one line a name."""

from __future__ import annotations

from nlpipe.registry import Slot
from nlpipe.stage import Representation

SLOT = Slot("representation", Representation, __name__, {
    "bow": "bow:BagOfWords",
    "hashing": "hashing:Hashing",
    "tfidf": "tfidf:TfIdf",
    "word2vec": "word2vec:Word2Vec",
    "static": "static:Static",
    "embedding": "embedding:Embedding",
    "characters": "characters:Characters",
    "bert": "bert:Bert",
    "window": "window:Window",
    "join": "join:Join",
})  # fmt: skip
__getattr__ = SLOT.attribute
