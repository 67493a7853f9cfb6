"""Decoders: what a sequence-to-sequence head steps through. One file a stage (or a close family), one line a name."""

from __future__ import annotations

from nlpipe.registry import Slot
from nlpipe.stage import Decoder

SLOT = Slot("decoder", Decoder, __name__, {
    "rnn": "recurrent:RNN",
    "lstm": "recurrent:LSTM",
    "gru": "recurrent:GRU",
    "transformer": "transformer:Transformer",
})  # fmt: skip
__getattr__ = SLOT.attribute
