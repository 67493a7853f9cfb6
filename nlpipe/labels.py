"""Labels as they are compared: one spelling for those that look the same."""

from __future__ import annotations

import functools
import re
import unicodedata

_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
"""The soft hyphen, the zero-width space, the word joiner and the byte order mark."""
_LETTER = "[\u0300-\u1fff\u2070-\U0010ffff]"
_LONE_JOINER = re.compile(f"(?<!{_LETTER})[\u200c\u200d]|[\u200c\u200d](?!{_LETTER})")
"""A zero-width joiner or non-joiner that does not stand between two characters of scripts that use it."""


@functools.lru_cache(maxsize=4096)
def clean_label(written: str) -> str:
    """``written`` in NFC, without zero-width characters and white space at its ends, and each run of white space,
    line feeds and tabs included, as one space; '' where nothing is left.

    A joiner inside a Persian or Indic word or an emoji belongs to its spelling and is kept.
    """
    label = written
    if not label.isascii():
        label = _LONE_JOINER.sub("", _INVISIBLE.sub("", unicodedata.normalize("NFC", label)))
    return " ".join(label.split())
