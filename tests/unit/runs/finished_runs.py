"""A small pipeline of each task, and their finished runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import nlpipe
from nlpipe.runs import costs
from nlpipe.runs.result import Result

PIPELINES = {
    "classes": "data: sample_reviews\nrepresentation: tfidf\nhead: logistic_regression\n",
    "entities": "data: sample_entities\ntokenizer: {name: regex, lowercase: false}\n"
    "representation: window\nhead: {name: perceptron, epochs: 2}\n",
    "texts": "data: sample_translation\ntokenizer: regex\nrepresentation: tfidf\nhead: translation_memory\n",
}
USE = {
    "load_seconds": 0.1, "latency_mean_seconds": 0.001, "latency_p50_seconds": 0.001, "latency_p95_seconds": 0.002,
    "texts_per_second": 1000.0, "peak_memory_bytes": 1e8, "cpu_seconds_per_text": 0.001,
}  # fmt: skip


def finished_runs(folder: Path) -> dict[str, Result]:
    """A run of each pipeline below ``folder``, whose costs in use were not measured but are ``USE``."""
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "measure_model", lambda *_: USE)
        for name, content in PIPELINES.items():
            (folder / f"{name}.yaml").write_text(content)
            results[name] = nlpipe.run(folder / f"{name}.yaml", out=folder / "out")
    return results
