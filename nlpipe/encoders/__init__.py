"""Encoders: numbers to numbers. One file a stage (or a close family), one line a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlpipe.registry import Slot
from nlpipe.stage import Encoder

if TYPE_CHECKING:
    from nlpipe.encoders.attention_pooling import AttentionPooling as AttentionPooling
    from nlpipe.encoders.convolution import Convolution as Convolution
    from nlpipe.encoders.pooling import First as First
    from nlpipe.encoders.pooling import Last as Last
    from nlpipe.encoders.pooling import Max as Max
    from nlpipe.encoders.pooling import Mean as Mean
    from nlpipe.encoders.recurrent import GRU as GRU
    from nlpipe.encoders.recurrent import LSTM as LSTM
    from nlpipe.encoders.recurrent import RNN as RNN
    from nlpipe.encoders.transformer import Transformer as Transformer

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
__dir__ = SLOT.class_names
