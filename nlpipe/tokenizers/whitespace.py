"""Words are what stands between spaces: for text that is tokenized already, or as the simplest baseline."""

from __future__ import annotations

import re

from nlpipe.tokenizers.surface import Form, _Surface
from nlpipe.wire import Span

_WORD = re.compile(r"\S+")


class Whitespace(_Surface):
    """Splits at white space of any kind; punctuation stays on its word.

    Options:
        lowercase: whether words are lower-cased.
        form: Unicode normalisation form of the words; null leaves them as they are.
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
