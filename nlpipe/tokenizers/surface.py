"""Words that are slices of the text: what ``whitespace``, ``regex``, ``characters`` and ``spacy`` have in common.

The law that makes spans cheap: a word is the normalisation of the characters it covers and of nothing else,
``[normalise(text[start:end]) for start, end in spans] == words``. Lower-casing a whole text at once is faster, and
the same, unless the text holds one of two letters: 'İ' becomes two characters, and 'Σ' becomes 'ς' or 'σ' by what
follows it. Such texts, and texts that are not in the Unicode form asked for, go the slow way: word by word.
"""

from __future__ import annotations

import unicodedata
from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

from nlpipe.stage import Tokenizer
from nlpipe.wire import Span, Text, Tokens

Form = Literal["NFC", "NFKC"] | None
"""A Unicode normalisation form (UAX #15), or none."""

UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Myanmar, Khmer
    r"\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # kana, Han
)
"""The letters of scripts that write no spaces between words, as ranges for a regular expression's ``[...]``."""

_CLOSING = frozenset(".,;:!?%)]}»”’…。，、！？：；）」』】》")
_OPENING = frozenset("([{«“¿¡（「『【《$£€#@")
_BETWEEN = frozenset("-/–")


def normalise_word(word: str, lowercase: bool, form: Form) -> str:
    """``word`` in the Unicode form, then in lower case; spaces that NFKC makes ('¨' is a space and a mark) go."""
    if form is not None and not unicodedata.is_normalized(form, word):
        composed = unicodedata.normalize(form, word)
        word = "".join(composed.split()) or composed
    return word.lower() if lowercase else word


def lower_in_place(text: str) -> str:
    """``text`` in lower case with every character where it was, for patterns to look at."""
    return text.replace("İ", "i").replace("Σ", "σ").lower()


def join_words(words: Sequence[str]) -> str:
    """Words to readable text: no space before closing punctuation, after an opening bracket, around a hyphen, or
    between letters of a script without spaces; a straight quote opens and closes by turns."""
    parts: list[str] = []
    quoted = glued = False
    for word in words:
        closing = word in _CLOSING or word in _BETWEEN or (word == '"' and quoted)
        if parts and not closing and not glued and not (_unspaced(parts[-1][-1:]) and _unspaced(word[:1])):
            parts.append(" ")
        parts.append(word)
        if word == '"':
            quoted = not quoted
        glued = word in _OPENING or word in _BETWEEN or (word == '"' and quoted)
    return "".join(parts)


def _unspaced(letter: str) -> bool:
    return (
        "\u3001" <= letter <= "\u30ff"
        or "\u3400" <= letter <= "\u9fff"
        or "\u0e00" <= letter <= "\u0eff"
        or "\u1000" <= letter <= "\u109f"
        or "\u1780" <= letter <= "\u17ff"
        or "\uf900" <= letter <= "\ufaff"
        or "\uff00" <= letter <= "\uff9f"
        or "\U00020000" <= letter <= "\U0003ffff"
    )


class _Surface(Tokenizer):
    """A tokenizer that only says where to cut."""

    lowercase: bool
    form: Form = None

    @abstractmethod
    def cut(self, text: str) -> list[Span]:
        """Where the words of ``text`` stand: in order, without overlap, none of them empty."""

    def fast(self, text: str) -> bool:
        """Whether ``text`` normalised at once is the same as word by word, each character in its place."""
        return text.isascii() or not (
            (self.lowercase and ("Σ" in text or "İ" in text))
            or (self.form is not None and not unicodedata.is_normalized(self.form, text))
        )

    def split(self, text: str) -> list[str]:
        """The words of one text."""
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
