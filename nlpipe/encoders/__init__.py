"""Encoders: numbers to numbers. One file a stage (or a close family), one line a name."""

from __future__ import annotations

from nlpipe.registry import Slot
from nlpipe.stage import Encoder

SLOT = Slot("encoder", Encoder, __name__, {
    "rnn": "recurrent:RNN",
    "lstm": "recurrent:LSTM",
    "gru": "recurrent:GRU",
    "transformer": "transformer:Transformer",
    "convolution": "convolution:Convolution",
    "mean": "pooling:Mean",
    "max": "pooling:Max",
    "first": "pooling:First",
    "last": "pooling:Last",
    "attention": "attention_pooling:AttentionPooling",
})  # fmt: skip
__getattr__ = SLOT.attribute
