"""Classes of characters, made from ``unicodedata`` when they are first needed: marks, joiners and what shows nothing.

Each is the inside of a character class ``[...]`` of a regular expression. All marks and format characters of Unicode
lie in the planes 0, 1 and 14, which are read in a few milliseconds; a test holds the classes equal to all of Unicode.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

_PLANES = (*range(0x20000), *range(0xE0000, 0xE1000))
FILLERS = "\u115f\u1160\u3164\uffa0"
"""Letters without a glyph, for parts that a Hangul syllable lacks."""
_EMPTY_MARK = re.compile("VARIATION SELECTOR|GRAPHEME JOINER|VOWEL INHERENT")
"""Names of the marks that show nothing by themselves."""
_UNSEEN = frozenset(["BN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "ON"])
"""Classes of direction of the format characters that show nothing; Arabic signs around numbers have another."""
_DIRECTION = "\u061c\u200e\u200f"
"""Invisible marks of direction, which have the class of the letters whose direction they give."""
ZERO_WIDTH_SPACE = "\u200b"
JOINERS = "\u200c\u200d"
"""The zero-width non-joiner and joiner, which belong to the spelling of Persian, of Indic scripts and of emoji."""
TAGS = r"\U000e0020-\U000e007f"
"""Tag characters: they spell the region of a flag after the sign of the flag."""
SKIN_TONES = r"\U0001f3fb-\U0001f3ff"


@functools.cache
def _by_category() -> dict[str, list[int]]:
    """The code points of the categories of marks, controls and format characters."""
    points: dict[str, list[int]] = {name: [] for name in ("Mn", "Mc", "Me", "Cc", "Cf")}
    category = unicodedata.category
    for point in _PLANES:
        name = category(chr(point))
        if name in points:
            points[name].append(point)
    return points


@functools.cache
def marks(start: int = 0, end: int = 0x110000) -> str:
    """Combining marks: vowel signs, accents, enclosing signs and variation selectors; from ``start`` up to ``end``."""
    by_category = _by_category()
    points = by_category["Mn"] + by_category["Mc"] + by_category["Me"]
    return _ranges(point for point in points if start <= point < end)


@functools.cache
def formats() -> str:
    """Format characters, which do not end a word: joiners, soft hyphens, marks of direction; no zero-width space."""
    return _ranges(point for point in _by_category()["Cf"] if chr(point) != ZERO_WIDTH_SPACE) + FILLERS


@functools.cache
def invisible() -> str:
    """What shows nothing by itself and so is no word: format and control characters, fillers, variation selectors."""
    by_category = _by_category()
    unseen = [point for point in by_category["Cf"] if _shows_nothing(chr(point))]
    empty = [point for point in by_category["Mn"] if _EMPTY_MARK.search(unicodedata.name(chr(point)))]
    return _ranges(unseen + empty + by_category["Cc"]) + FILLERS


@functools.cache
def _ignored() -> re.Pattern[str]:
    points = (point for point in _by_category()["Cf"] if _shows_nothing(chr(point)) and chr(point) not in JOINERS)
    return re.compile(f"(?![{TAGS}])[{_ranges(points)}]")


def has_ignored(text: str) -> bool:
    """Whether ``without_ignored`` changes ``text``."""
    return not (text.isascii() or text.isprintable()) and _ignored().search(text) is not None


def without_ignored(word: str) -> str:
    """``word`` without the format characters that do not belong to its spelling: soft hyphens, marks of direction."""
    return _ignored().sub("", word) if has_ignored(word) else word


def _shows_nothing(sign: str) -> bool:
    return sign in _DIRECTION or unicodedata.bidirectional(sign) in _UNSEEN


def _ranges(points: Iterable[int]) -> str:
    """Code points as ranges for a character class."""
    spans: list[list[int]] = []
    for point in sorted(points):
        if spans and spans[-1][1] == point - 1:
            spans[-1][1] = point
        else:
            spans.append([point, point])
    return "".join(f"\\U{first:08x}" + (f"-\\U{last:08x}" if last > first else "") for first, last in spans)


@functools.cache
def _hidden() -> re.Pattern[str]:
    return re.compile(rf"(?!\s)[{invisible()}]")


def has_invisible(text: str) -> bool:
    """Whether ``text`` has characters other than white space that show nothing."""
    return not (text.isascii() and text.isprintable()) and _hidden().search(text) is not None


@functools.cache
def _shown() -> re.Pattern[str]:
    return re.compile(rf"[^\s{invisible()}]")


def is_visible(word: str) -> bool:
    """Whether anything of ``word`` can be seen."""
    return _shown().search(word) is not None
