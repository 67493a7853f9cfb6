"""Words are the matches of a regular expression; this is the default tokenizer.

Its speed decides that of a classical pipeline, so it calls ``lower`` and ``findall`` once for each text, as
scikit-learn's vectorizers do for their ``token_pattern``.
"""

from __future__ import annotations

import functools
import re

from nlpipe.tokenizers.span_tokenizer import Form, SpanTokenizer, lower_in_place
from nlpipe.unicode_classes import FILLERS, JOINERS, SKIN_TONES, TAGS, formats, invisible, marks
from nlpipe.wire import Span
from nlpipe.writing_systems import UNSPACED

_INSIDE = "'’‘＇·\u0387‧׳״՚՛՜՞՟"
"""What belongs to a word between two letters: apostrophes, Catalan, Hebrew and Armenian signs."""


_ASCII = re.compile(r"\w+(?:'\w+)*|[!-~]")
"""What the default pattern is for ASCII alone."""


@functools.cache
def default_pattern() -> str:
    """The default pattern: made when it is first needed, because the classes of Unicode are.

    Speed decides its form: next to a word stands most often a space or an ASCII sign, which one test sorts out, and a
    class of ``re`` is fast where its characters lie below U+10000, so that those above are tested apart.
    """
    letter = rf"[^\W{UNSPACED}]"
    low, high = marks(end=0x10000), marks(start=0x10000)
    sign, hidden = formats(), invisible()
    mark = rf"(?:[{low}]|(?=[\U00010000-\U0010ffff])[{high}])"
    return (
        r"[0-9#*]\ufe0f?\u20e3"  # a keycap
        rf"|(?![{FILLERS}]){letter}+(?:(?![\0-&(-\x7f])(?:[{low}][{low}{JOINERS}]*|{mark}[{JOINERS}]*"
        rf"|[{sign}]+(?={letter}|{mark})|[{_INSIDE}](?={letter})){letter}*)*"
        r"|[\U0001f1e6-\U0001f1ff]{2}"  # a flag
        # an unspaced letter, a punctuation mark or an emoji
        rf"|[^\s{hidden}](?:(?![\0-\x7f])(?:{mark}|[{SKIN_TONES}{TAGS}]|[{sign}]+(?={mark})|\u200d[^\w\s{hidden}]))*"
    )


@functools.cache
def _default() -> re.Pattern[str]:
    return re.compile(default_pattern())


class Regex(SpanTokenizer):
    """Find words with a regular expression; by default, apostrophes belong to words and punctuation marks are words.

    With the default pattern, each character of a writing system without spaces (Chinese, Japanese, Thai, Lao, Khmer,
    Burmese) is a word, together with its combining marks; emoji sequences, flags and keycaps are not split; joiners and
    other invisible characters neither end a word nor are words. If ``lowercase`` is true, the pattern is applied to the
    lower-cased text.

    Options:
        pattern: a regular expression of Python's ``re``; if it has a group, the group is the word; null: the default.
        lowercase: whether to lower-case the words.
        form: Unicode normalisation form of the words, without soft hyphens and marks of direction; null: as written.
    """

    def __init__(self, pattern: str | None = None, lowercase: bool = True, form: Form = "NFC") -> None:
        self.pattern = pattern
        self.lowercase = lowercase
        self.form = form
        self._custom = None if pattern is None else _compile(pattern)

    def _pattern(self, text: str) -> re.Pattern[str]:
        return self._custom or (_ASCII if text.isascii() else _default())

    def find(self, text: str) -> list[Span]:
        pattern = self._pattern(text)
        group = pattern.groups  # 0: the whole match
        matches = pattern.finditer(lower_in_place(text) if self.lowercase else text)
        return [match.span(group) for match in matches if match.end(group) > match.start(group)]

    def split(self, text: str) -> list[str]:
        if not self.fast(text):
            return super().split(text)
        words: list[str] = self._pattern(text).findall(text.lower() if self.lowercase else text)
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
