"""Representations: words to numbers. One file a stage (or a close family), one line a name."""

from __future__ import annotations

from nlpipe.registry import Slot
from nlpipe.stage import Representation

SLOT = Slot("representation", Representation, __name__, {
    "bow": "bow:BagOfWords",
    "hashing": "hashing:Hashing",
    "tfidf": "tfidf:TfIdf",
})  # fmt: skip
__getattr__ = SLOT.attribute
