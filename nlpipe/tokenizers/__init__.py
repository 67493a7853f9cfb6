"""Tokenizers split text into words. Each file holds one stage or a few related ones; the table names all stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nlpipe.registry import Slot
from nlpipe.stage import Tokenizer

if TYPE_CHECKING:
    from nlpipe.tokenizers.characters import Characters as Characters
    from nlpipe.tokenizers.regex import Regex as Regex
    from nlpipe.tokenizers.spacy import SpaCy as SpaCy
    from nlpipe.tokenizers.subword import BPE as BPE
    from nlpipe.tokenizers.subword import Unigram as Unigram
    from nlpipe.tokenizers.subword import WordPiece as WordPiece
    from nlpipe.tokenizers.whitespace import Whitespace as Whitespace

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
__dir__ = SLOT.class_names
