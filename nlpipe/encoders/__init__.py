"""Encoders: numbers to numbers. One file a stage (or a close family), one line a name."""

from __future__ import annotations

from nlpipe.registry import Slot
from nlpipe.stage import Encoder

SLOT = Slot("encoder", Encoder, __name__, {
})  # fmt: skip
__getattr__ = SLOT.attribute
