"""Words are single characters: for writing systems without spaces, and for character-level models.

A character is an extended grapheme cluster (Unicode Standard Annex #29), as far as ``unicodedata`` provides the
properties: a base with its combining marks, a Hangul syllable written in parts, a flag or an emoji sequence.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence

from nlpipe.tokenizers.span_tokenizer import Form, SpanTokenizer
from nlpipe.wire import Span

_JOINER = "\u200d"
"""Zero width joiner, which connects the parts of an emoji sequence."""


class Characters(SpanTokenizer):
    """Each character, with its combining marks, is a word; emoji sequences are not split.

    Options:
        spaces: whether white space is kept as words; if not, ``join`` cannot restore the spaces.
        lowercase: whether to lower-case the characters.
        form: Unicode normalisation form of the characters; null: no normalisation.
    """

    def __init__(self, spaces: bool = True, lowercase: bool = False, form: Form = "NFC") -> None:
        self.spaces = spaces
        self.lowercase = lowercase
        self.form = form

    def find(self, text: str) -> list[Span]:
        simple = text.isascii() and "\r\n" not in text
        starts = list(range(len(text))) if simple else _cluster_starts(text)
        spans = zip(starts, [*starts[1:], len(text)], strict=True) if starts else ()
        return [(start, end) for start, end in spans if self.spaces or not text[start:end].isspace()]

    def join(self, words: Sequence[str]) -> str:
        return "".join(words)


def _cluster_starts(text: str) -> list[int]:
    """Return the index at which each grapheme cluster of ``text`` starts."""
    starts: list[int] = []
    before, flags = "", 0
    for i, character in enumerate(text):
        kind = _kind(character)
        flags = flags + 1 if kind == "flag" else 0
        continues = before and (  # whether the character continues the cluster of the one before it
            (kind == "extend" and not before.isspace())
            or (before == _JOINER and kind == "symbol" and len(starts) > 0 and i - starts[-1] > 1)
            or (kind == "flag" and flags % 2 == 0)
            or (character == "\n" and before == "\r")
            or (kind in ("vowel", "trail") and _kind(before) in _HANGUL[kind])
        )
        if not continues:
            starts.append(i)
        before = character
    return starts


_HANGUL = {"vowel": ("lead", "vowel"), "trail": ("vowel", "trail", "syllable")}
"""Kind of a Hangul letter to the kinds that it can follow within a syllable."""


@functools.lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    """Return the kind of a character, which decides whether it continues the cluster before it."""
    if character == _JOINER or "\U0001f3fb" <= character <= "\U0001f3ff" or character == "\u200c":
        return "extend"
    if unicodedata.category(character) in ("Mn", "Me", "Mc") or "\U000e0020" <= character <= "\U000e007f":
        return "extend"
    if "\U0001f1e6" <= character <= "\U0001f1ff":
        return "flag"
    if "\u1100" <= character <= "\u115f":
        return "lead"
    if "\u1160" <= character <= "\u11a7":
        return "vowel"
    if "\u11a8" <= character <= "\u11ff":
        return "trail"
    if "\uac00" <= character <= "\ud7a3":
        return "syllable"
    return "symbol" if unicodedata.category(character).startswith("S") else "alone"  # with arrows, which are Sm
