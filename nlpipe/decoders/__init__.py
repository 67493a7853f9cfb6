"""Decoders: what a sequence-to-sequence head steps through. One file a stage (or a close family), one line a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlpipe.registry import Slot
from nlpipe.stage import Decoder

if TYPE_CHECKING:
    from nlpipe.decoders.recurrent_decoder import GRU as GRU
    from nlpipe.decoders.recurrent_decoder import LSTM as LSTM
    from nlpipe.decoders.recurrent_decoder import RNN as RNN
    from nlpipe.decoders.transformer_decoder import Transformer as Transformer

SLOT = Slot("decoder", Decoder, __name__, {
    "rnn": "recurrent_decoder:RNN",
    "lstm": "recurrent_decoder:LSTM",
    "gru": "recurrent_decoder:GRU",
    "transformer": "transformer_decoder:Transformer",
})  # fmt: skip
__getattr__ = SLOT.attribute
__dir__ = SLOT.class_names
