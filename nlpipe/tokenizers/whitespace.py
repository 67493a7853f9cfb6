"""Words are separated by white space: for text that is already tokenized, or as the simplest baseline."""

from __future__ import annotations

import re

from nlpipe.tokenizers.span_tokenizer import Form, SpanTokenizer
from nlpipe.unicode_classes import has_invisible, is_visible
from nlpipe.wire import Span

_WORD = re.compile(r"\S+")


class Whitespace(SpanTokenizer):
    """Split at any white space; punctuation stays attached to words.

    Options:
        lowercase: whether to lower-case the words.
        form: Unicode normalisation form of the words, without soft hyphens and marks of direction; null: as written.
    """

    def __init__(self, lowercase: bool = True, form: Form = "NFC") -> None:
        self.lowercase = lowercase
        self.form = form

    def find(self, text: str) -> list[Span]:
        return [match.span() for match in _WORD.finditer(text) if is_visible(match.group())]

    def split(self, text: str) -> list[str]:
        if self.fast(text):
            words = (text.lower() if self.lowercase else text).split()
            return [word for word in words if is_visible(word)] if has_invisible(text) else words
        return super().split(text)
