"""Letters of writing systems that put no spaces between words: tokenizers and word features treat them one by one."""

from __future__ import annotations

UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Myanmar, Khmer
    r"\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # kana, Han
)
"""The letters, as ranges for a character class ``[...]`` of a regular expression."""
