"""Heads: numbers to labels, tags or text. One file a stage (or a close family), one line a name."""

from __future__ import annotations

from nlpipe.registry import Slot
from nlpipe.stage import Head

SLOT = Slot("head", Head, __name__, {
    "classifier": "classifier:Classifier",
})  # fmt: skip
__getattr__ = SLOT.attribute
