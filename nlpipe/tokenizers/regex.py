"""Words are the matches of a regular expression; this is the default tokenizer.

Its speed decides that of a classical pipeline, so it calls ``lower`` and ``findall`` once for each text, as
scikit-learn's vectorizers do for their ``token_pattern``.
"""

from __future__ import annotations

import re

from nlpipe.tokenizers.span_tokenizer import Form, SpanTokenizer, lower_in_place
from nlpipe.wire import Span
from nlpipe.writing_systems import UNSPACED

# Python's \w does not match the vowel signs of Indic scripts and combining marks; without them, words would be split.
_MARKS = (
    r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
    r"\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u0f71-\u0f84\u0f86-\u0fbc"
    r"\u102b-\u103e\u17b4-\u17d3\u1ab0-\u1aff\u20d0-\u20ff\u3099\u309a\ufe00-\ufe0f\ufe20-\ufe2f\U0001f3fb-\U0001f3ff"
)
_LETTER = rf"[^\W{UNSPACED}]"

WORDS = (
    rf"{_LETTER}+(?:(?:[{_MARKS}]+|['’](?={_LETTER})){_LETTER}*)*"  # with combining marks: don't, naïve, हिन्दी
    r"|[\U0001f1e6-\U0001f1ff]{2}"  # a flag
    rf"|\S(?:[{_MARKS}]|\u200d[^\w\s]?)*"  # an unspaced letter, a punctuation mark or an emoji
)
"""The default pattern."""


class Regex(SpanTokenizer):
    """Find words with a regular expression; by default, apostrophes belong to words and punctuation marks are words.

    With the default pattern, each character of a writing system without spaces (Chinese, Japanese, Thai, Lao, Khmer,
    Burmese) is a word, together with its combining marks, and emoji sequences are not split. If ``lowercase`` is true,
    the pattern is applied to the lower-cased text.

    Options:
        pattern: a regular expression of Python's ``re``; if it has a group, the group is the word; null: the default.
        lowercase: whether to lower-case the words.
        form: Unicode normalisation form of the words; null: no normalisation.
    """

    def __init__(self, pattern: str | None = None, lowercase: bool = True, form: Form = None) -> None:
        self.pattern = pattern
        self.lowercase = lowercase
        self.form = form
        self._compiled = _compile(WORDS if pattern is None else pattern)

    def cut(self, text: str) -> list[Span]:
        group = self._compiled.groups  # 0: the whole match
        matches = self._compiled.finditer(lower_in_place(text) if self.lowercase else text)
        return [match.span(group) for match in matches if match.end(group) > match.start(group)]

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
        raise ValueError(
            f"pattern: {pattern!r} has {compiled.groups} groups; write (?:...) for every group that is not the word"
        )
    if any(not match.group() for probe in ("", "a", "a 1.") for match in compiled.finditer(probe)):
        raise ValueError(f"pattern: {pattern!r} matches the empty string; write + in place of *")
    return compiled
