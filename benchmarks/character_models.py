"""Language models of characters on Tiny Shakespeare: n-grams, an LSTM, the LSTM with the n-grams, a transformer.

The first 90 % of the characters are train, the next 5 % dev, the last 5 % test; each part is one running text. Dev
decided between the options that were tried; test is scored once. At most 20 minutes of training for each model. The
LSTM is trained once: alone it is the interpolated model with all weight on it, since a network that will be
interpolated is trained as if it were alone.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import nlpipe
from benchmarks.processes import tiny_shakespeare

CHARACTERS = {"name": "characters"}
TRAINER = {"batch_size": 32, "schedule": "cosine", "warmup": 0.05, "minutes": 20}
NGRAM = {"name": "ngram", "order": 7}
SOFTMAX = {"name": "language_model", "context": 64, "tied": False, "dropout": 0.2}
PIPELINES: dict[str, dict[str, Any]] = {
    "7-gram": {"tokenizer": CHARACTERS, "head": NGRAM},
    "lstm + 7-gram": {
        "tokenizer": CHARACTERS, "representation": {"name": "embedding", "dim": 64, "min_count": 1},
        "encoder": {"name": "lstm", "hidden": 512, "dropout": 0.2},
        "head": {"name": "interpolated", "models": [SOFTMAX, NGRAM]},
        "trainer": {**TRAINER, "epochs": 6, "lr": 3e-3},
    },
    "gpt": {
        "tokenizer": CHARACTERS, "representation": {"name": "embedding", "dim": 192, "min_count": 1, "dropout": 0.1},
        "encoder": {
            "name": "transformer", "layers": 4, "heads": 4, "causal": True, "positions": "rotary", "dropout": 0.1,
        },
        "head": {**SOFTMAX, "context": 128, "dropout": 0.1}, "trainer": {**TRAINER, "epochs": 4, "lr": 2e-3},
    },
}  # fmt: skip


def measure() -> dict[str, Any]:
    """Fit each model once."""
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as out:
        data = tiny_shakespeare(Path(out))
        texts = [Path(data[split]).read_text(encoding="utf-8") for split in ("dev", "test")]
        for name, options in PIPELINES.items():
            result = nlpipe.run({"name": name.replace(" ", ""), "data": data, **options}, out=Path(out) / "runs")
            pipeline, seconds = result.pipeline(), result.costs["fit_seconds"]
            if name == "lstm + 7-gram":
                head: Any = pipeline.head
                mixed, head.weights = head.weights, [1.0, 0.0]
                rows.append(row("lstm", pipeline, texts, seconds))
                head.weights = mixed
            rows.append(row(name, pipeline, texts, seconds))
    header = ["model", "dev, nats a character", "test, nats a character", "test, bits a character", "fit s"]
    return {"table": [header, *rows]}


def row(name: str, pipeline: nlpipe.Pipeline, texts: list[str], seconds: float) -> list[str]:
    """One line of the table; the end of a text counts as one more character."""
    dev, test = (float(found.nats.mean()) for found in pipeline.surprisals(texts))
    cells = [name, f"{dev:.3f}", f"{test:.3f}", f"{test / math.log(2):.3f}", f"{seconds:,.0f}"]
    print("  ".join(cells), flush=True)
    return cells
