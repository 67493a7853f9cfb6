"""Labelled texts and two pipelines, of which one sees three words alone, so that their answers differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GOOD, BAD = ("good", "fine", "warm", "great"), ("dull", "poor", "cold", "weak")
PIPELINES = [
    {"name": "bayes", "representation": "bow", "head": "naive_bayes"},
    {"name": "stump", "representation": {"name": "tfidf", "max_features": 3}, "head": "logistic_regression"},
]


def labelled_texts(root: Path, start: str, test: int, labels: tuple[str, str] = ("a", "b")) -> dict[str, Any]:
    """Files in ``root`` and the data that they are.

    Args:
        start: of each text.
        test: texts of each label in the test split.
        labels: of good and of bad texts.
    """
    data: dict[str, Any] = {"task": "classification"}
    for name, count in (("train", 30), ("dev", 10), ("test", test)):
        rows = [
            {"text": f"{start} {name} {i} {words[i % 4]} {other[i % 3]}", "label": label}
            for i in range(count) for words, other, label in ((GOOD, BAD, labels[0]), (BAD, GOOD, labels[1]))
        ]  # fmt: skip
        path = root / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        data[name] = str(path)
    return data
