"""Language models on War and Peace: n-grams, an LSTM, a transformer, and the LSTM interpolated with the n-grams.

Lines are documents, words are what stands between white space, and words that occur once are unknown. Options were
chosen on valid, which also stops the training; test is scored once. At most 18 minutes of training for each model.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.processes import war_and_peace

WORDS = {"name": "whitespace", "lowercase": False}
TRAINER = {"epochs": 15, "tokens": 1536, "schedule": "cosine", "warmup": 0.05, "patience": 2, "minutes": 18}
NGRAM = {"name": "ngram", "order": 5, "min_count": 2}
SOFTMAX = {"name": "language_model", "dropout": 0.4, "context": 64}
LSTM: dict[str, Any] = {
    "tokenizer": WORDS,
    "representation": {"name": "embedding", "dim": 200, "min_count": 2, "dropout": 0.4},
    "encoder": {"name": "lstm", "hidden": 400, "dropout": 0.4}, "head": SOFTMAX, "trainer": {**TRAINER, "lr": 2e-3},
}  # fmt: skip
PIPELINES: dict[str, dict[str, Any]] = {
    "5-gram": {"tokenizer": WORDS, "head": NGRAM},
    "lstm": LSTM,
    "gpt": {
        "tokenizer": WORDS,
        "representation": {"name": "embedding", "dim": 192, "min_count": 2, "dropout": 0.3},
        "encoder": {
            "name": "transformer", "layers": 3, "heads": 4, "causal": True, "positions": "rotary", "dropout": 0.3,
        },
        "head": {**SOFTMAX, "dropout": 0.3}, "trainer": {**TRAINER, "lr": 1e-3},
    },
    "lstm + 5-gram": {**LSTM, "head": {"name": "interpolated", "models": [SOFTMAX, {"name": "ngram", "order": 5}]}},
}  # fmt: skip


def measure() -> dict[str, Any]:
    """Fit each model once."""
    rows, data = [], war_and_peace()
    with tempfile.TemporaryDirectory() as out:
        for name, pipeline in PIPELINES.items():
            result = nlpipe.run({"name": name.replace(" ", ""), "data": data, **pipeline}, out=Path(out))
            dev, scores = result.metrics["dev"]["log_perplexity_per_word"], result.scores
            seconds = f"{result.costs['fit_seconds']:,.0f}"
            nats, perplexity = f"{scores['log_perplexity_per_word']:.3f}", f"{scores['perplexity_per_word']:.1f}"
            rows.append([name, f"{dev:.3f}", nats, perplexity, f"{scores['bits_per_character']:.3f}", seconds])
            print("  ".join(rows[-1]), flush=True)
    header = ["model", "dev, nats a word", "test, nats a word", "test perplexity", "bits a character", "fit s"]
    return {"table": [header, *rows]}
