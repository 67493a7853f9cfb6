"""The shared base of the tokenizers whose words are slices of the text: whitespace, regex, characters and spacy.

A word depends only on the characters that its span covers:
``[normalise(text[start:end]) for start, end in spans] == words``.

Where words have a Unicode form, a text is cut as its composed form (NFC) would be, so that a decomposed text has the
same words; the spans are those of the text as it is given.

It is faster to lower-case a whole text at once, and the result is the same unless the text contains one of two
letters: 'İ' becomes two characters, and 'Σ' becomes 'ς' or 'σ', depending on the next letter. Texts with these
letters, and texts that are not in the required Unicode form, are normalised word by word.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal

from nlpipe.stage import Tokenizer
from nlpipe.unicode_classes import has_ignored, marks, without_ignored
from nlpipe.wire import Span, Text, Tokens
from nlpipe.writing_systems import UNSPACED

Form = Literal["NFC", "NFKC"] | None
"""A Unicode normalisation form (Unicode Standard Annex #15), or none."""

_CLOSING = frozenset(".,;:!?%)]}»”’…。，、！？：；）」』】》")
_OPENING = frozenset("([{«“¿¡（「『【《$£€#@")
_BETWEEN = frozenset("-/–")
_UNSPACED = re.compile(rf"[{UNSPACED}\u3001-\u303f\u4dc0-\u4dff\uff00-\uff9f]")  # with East Asian punctuation


def normalise_word(word: str, lowercase: bool, form: Form) -> str:
    """Return ``word`` in the Unicode form, without invisible characters that do not belong to its spelling, then in
    lower case.

    Spaces that NFKC creates are removed: it decomposes '¨' into a space and a combining mark.
    """
    if form is not None:
        word = without_ignored(word) or word
        if not unicodedata.is_normalized(form, word):
            composed = unicodedata.normalize(form, word)
            word = "".join(composed.split()) or composed
    return word.lower() if lowercase else word


def lower_in_place(text: str) -> str:
    """Return ``text`` in lower case, with every character at the same index, so that spans stay valid."""
    return text.replace("İ", "i").replace("Σ", "σ").lower()


def join_words(words: Sequence[str]) -> str:
    """Join words to readable text.

    There is no space before closing punctuation, after an opening bracket, around a hyphen, or between letters of a
    writing system without spaces. Straight quotes are taken as opening and closing in turn.
    """
    parts: list[str] = []
    quoted = attached = False
    for word in words:
        closing = word in _CLOSING or word in _BETWEEN or (word == '"' and quoted)
        unspaced = parts and _UNSPACED.match(parts[-1][-1:]) and _UNSPACED.match(word)
        if parts and not closing and not attached and not unspaced:
            parts.append(" ")
        parts.append(word)
        if word == '"':
            quoted = not quoted
        attached = word in _OPENING or word in _BETWEEN or (word == '"' and quoted)
    return "".join(parts)


@functools.cache
def _piece() -> re.Pattern[str]:
    """One character and what may compose with it: marks, vowels and final consonants of Hangul."""
    return re.compile(rf"(?s:.)[{marks()}\u1161-\u11ff]*")


def _in_original(text: str, find: Callable[[str], list[Span]]) -> list[Span]:
    """Return the spans in ``text`` of what ``find`` finds in its composed form.

    The text is composed piece by piece. A piece begins at a character that composes with none before it; a word that
    begins or ends within a piece whose length has changed has the whole piece.
    """
    composed: list[str] = []
    starts: list[int] = []  # of the piece of each composed character, in ``text``
    ends: list[int] = []
    for match in _piece().finditer(text):
        piece = unicodedata.normalize("NFC", match.group())
        first, last = match.span()
        composed.append(piece)
        if len(piece) == last - first:
            starts += range(first, last)
            ends += range(first + 1, last + 1)
        else:
            starts += [first] * len(piece)
            ends += [last] * len(piece)
    spans: list[Span] = []
    reached = 0
    for start, end in find("".join(composed)):
        first, reached = max(starts[start], reached), max(ends[end - 1], reached)
        if first < reached:
            spans.append((first, reached))
    return spans


class SpanTokenizer(Tokenizer):
    """A tokenizer whose words are slices of the text; a subclass implements ``find``."""

    lowercase: bool
    form: Form = None

    @abstractmethod
    def find(self, text: str) -> list[Span]:
        """Return the spans of the words of ``text``, in order; none overlap and none are empty."""

    def cut(self, text: str) -> list[Span]:
        """Return the spans in ``text`` of the words that its composed form has, in order."""
        if self.form is None or unicodedata.is_normalized("NFC", text):
            return self.find(text)
        return _in_original(text, self.find)

    def fast(self, text: str) -> bool:
        """Whether normalising the whole ``text`` at once gives the same as word by word, with the same indices."""
        return text.isascii() or not (
            (self.lowercase and ("Σ" in text or "İ" in text))
            or (self.form is not None and (has_ignored(text) or not unicodedata.is_normalized(self.form, text)))
        )

    def split(self, text: str) -> list[str]:
        """Return the words of one text."""
        return [self.normalise(text[start:end]) for start, end in self.cut(text)]

    def normalise(self, word: str) -> str:
        return normalise_word(word, self.lowercase, self.form)

    def forward(self, source: Text) -> Tokens:
        split = self.split
        return Tokens([split(text) for text in source.strings], source.strings, self.spans)

    def spans(self, text: str, words: list[str]) -> list[Span]:
        return self.cut(text)

    def join(self, words: Sequence[str]) -> str:
        return join_words(words)
