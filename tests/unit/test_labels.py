"""Labels that look the same are one label."""

from __future__ import annotations

import pytest

from nlpipe.labels import clean_label


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("positive", "positive"),
        ("  positive \t", "positive"),
        ("very\ngood\tindeed", "very good indeed"),
        ("cafe\u0301", "caf\u00e9"),
        ("\ufeffpositive\u200b", "positive"),
        ("posi\u00adtive\u200d", "positive"),
        ("\u200dgood", "good"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        ("\u00a0\u3000", ""),
        ("\u200b", ""),
    ],
)
def test_a_label_has_one_spelling(written: str, label: str) -> None:
    assert clean_label(written) == label
    assert clean_label(clean_label(written)) == label
