"""Words are separated by white space: for text that is already tokenized, or as the simplest baseline."""

from __future__ import annotations

import re

from nlpipe.tokenizers.span_tokenizer import Form, SpanTokenizer
from nlpipe.wire import Span

_WORD = re.compile(r"\S+")


class Whitespace(SpanTokenizer):
    """Split at any white space; punctuation stays attached to words.

    Options:
        lowercase: whether to lower-case the words.
        form: Unicode normalisation form of the words; null: no normalisation.
    """

    def __init__(self, lowercase: bool = True, form: Form = None) -> None:
        self.lowercase = lowercase
        self.form = form

    def cut(self, text: str) -> list[Span]:
        return [match.span() for match in _WORD.finditer(text)]

    def split(self, text: str) -> list[str]:
        if self.fast(text):
            return (text.lower() if self.lowercase else text).split()
        return super().split(text)
