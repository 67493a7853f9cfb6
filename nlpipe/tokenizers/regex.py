"""Words are the matches of a regular expression: the tokenizer of all pipelines that do not name another.

It is the hot path of a classical pipeline: one ``lower`` and one ``findall`` a text, as scikit-learn's vectorizers
do it for ``token_pattern``.
"""

from __future__ import annotations

import re

from nlpipe.tokenizers.surface import UNSPACED, Form, _Surface, lower_in_place
from nlpipe.wire import Span

# Python's \w leaves out the vowel signs of Indic scripts and all combining marks, which would cut words in two.
_MARKS = (
    r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
    r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u0f71-\u0f84\u0f86-\u0fbc"
    r"\u102b-\u103e\u17b4-\u17d3\u1ab0-\u1aff\u20d0-\u20ff\u3099\u309a\ufe00-\ufe0f\ufe20-\ufe2f\U0001f3fb-\U0001f3ff"
)
_LETTER = rf"[^\W{UNSPACED}]"

WORDS = (
    rf"{_LETTER}+(?:(?:[{_MARKS}]+|['’](?={_LETTER})){_LETTER}*)*"  # a word with its marks: don't, naïve, हिन्दी
    r"|[\U0001f1e6-\U0001f1ff]{2}"  # a flag
    rf"|\S(?:[{_MARKS}]|\u200d[^\w\s]?)*"  # a letter of a script without spaces, a punctuation mark, an emoji
)
"""The pattern where none is given."""


class Regex(_Surface):
    """Words by a regular expression; by default words with their apostrophes, each punctuation mark alone.

    The default pattern gives every character of a script that writes no spaces (Chinese, Japanese, Thai, Lao, Khmer,
    Burmese) as a word of its own, with its marks, and keeps emoji sequences together. The pattern sees the
    lower-cased text where ``lowercase`` is on.

    Options:
        pattern: a regular expression of Python's ``re``; with one group, the group is the word; null for the default.
        lowercase: whether words are lower-cased.
        form: Unicode normalisation form of the words; null leaves them as they are.
    """

    def __init__(self, pattern: str | None = None, lowercase: bool = True, form: Form = None) -> None:
        self.pattern = pattern
        self.lowercase = lowercase
        self.form = form
        self._compiled = _compile(WORDS if pattern is None else pattern)

    def cut(self, text: str) -> list[Span]:
        group = self._compiled.groups  # 0: the whole match
        found = self._compiled.finditer(lower_in_place(text) if self.lowercase else text)
        return [match.span(group) for match in found if match.end(group) > match.start(group)]

    def split(self, text: str) -> list[str]:
        if not self.fast(text):
            return super().split(text)
        words: list[str] = self._compiled.findall(text.lower() if self.lowercase else text)
        return [word for word in words if word] if self.pattern is not None else words


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern: {pattern!r} is not a regular expression: {error}") from None
    if compiled.groups > 1:
        raise ValueError(f"pattern: {pattern!r} has {compiled.groups} groups; use (?:...) for all but the word itself")
    if any(not match.group() for probe in ("", "a", "a 1.") for match in compiled.finditer(probe)):
        raise ValueError(f"pattern: {pattern!r} matches the empty string; use + where it has *")
    return compiled
