"""The mistakes of a fold of a cross-validation have their texts, although the fold is no split of the data."""

from __future__ import annotations

from pathlib import Path

import nlpipe
from nlpipe.runs.mistakes import find_mistakes


def test_the_mistakes_of_a_fold_show_their_texts(tmp_path: Path) -> None:
    found = nlpipe.compare(
        {
            "compare": "folds", "data": "sample_reviews", "folds": 2,
            "pipelines": [{"name": "stump", "representation": {"name": "bow", "max_features": 2}, "head": "majority"}],
        },
        out=tmp_path,
    )  # fmt: skip
    for result in found.rows[0].results:
        mistakes = find_mistakes(result.folder)
        assert mistakes.wrong > 0 and mistakes.note == ""
        assert all(mistake.text for mistake in mistakes.worst)
