"""Words are single characters as a reader counts them: for scripts without spaces, and for character models.

A character is a base with its combining marks, a Hangul syllable in parts, a flag, or an emoji sequence: the extended
grapheme clusters of UAX #29 as far as ``unicodedata`` knows them.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence

from nlpipe.tokenizers.surface import Form, _Surface
from nlpipe.wire import Span

_JOINER = "\u200d"


class Characters(_Surface):
    """Each character, with its combining marks, is a word; emoji sequences stay together.

    Options:
        spaces: whether white space counts as characters too; without it ``join`` cannot bring spaces back.
        lowercase: whether characters are lower-cased.
        form: Unicode normalisation form of the characters; null leaves them as they are.
    """

    def __init__(self, spaces: bool = True, lowercase: bool = False, form: Form = "NFC") -> None:
        self.spaces = spaces
        self.lowercase = lowercase
        self.form = form

    def cut(self, text: str) -> list[Span]:
        simple = text.isascii() and "\r\n" not in text
        starts = list(range(len(text))) if simple else _starts(text)
        spans = zip(starts, [*starts[1:], len(text)], strict=True) if starts else ()
        return [(start, end) for start, end in spans if self.spaces or not text[start:end].isspace()]

    def join(self, words: Sequence[str]) -> str:
        return "".join(words)


def _starts(text: str) -> list[int]:
    """Where each cluster of ``text`` begins."""
    starts: list[int] = []
    before, flags = "", 0
    for i, character in enumerate(text):
        kind = _kind(character)
        flags = flags + 1 if kind == "flag" else 0
        joined = before and (
            (kind == "extend" and not before.isspace())
            or (before == _JOINER and kind == "symbol" and len(starts) > 0 and i - starts[-1] > 1)
            or (kind == "flag" and flags % 2 == 0)
            or (character == "\n" and before == "\r")
            or (kind in ("vowel", "trail") and _kind(before) in _HANGUL[kind])
        )
        if not joined:
            starts.append(i)
        before = character
    return starts


_HANGUL = {"vowel": ("lead", "vowel"), "trail": ("vowel", "trail", "syllable")}


@functools.lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    """What a character does to the one before it: extend it, pair with it, or stand alone."""
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
    return "symbol" if unicodedata.category(character) == "So" else "alone"
