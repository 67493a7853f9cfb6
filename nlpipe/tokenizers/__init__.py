"""Tokenizers: text to words. One file a stage (or a close family), one line a name."""

from __future__ import annotations

from nlpipe.registry import Slot
from nlpipe.stage import Tokenizer

SLOT = Slot("tokenizer", Tokenizer, __name__, {
    "whitespace": "whitespace:Whitespace",
    "regex": "regex:Regex",
    "characters": "characters:Characters",
    "spacy": "spacy:SpaCy",
    "bpe": "subword:BPE",
    "wordpiece": "subword:WordPiece",
    "unigram": "subword:Unigram",
})  # fmt: skip
__getattr__ = SLOT.attribute
