"""Training a translator: target tokens per second, beside JoeyNMT 2.3 and a plain `torch.nn.Transformer`.

All train on the first 4,000 pairs of Multi30k with the sizes of `pipelines/translation/transformer.yaml` (4 + 4 layers,
128 features, feed-forward 256, 4 heads, one table), the same token ids and batches of 4,096 tokens with padding; whole
processes alternate. End tokens count; the first epoch (of JoeyNMT: four updates) does not. nlpipe and torch compute in
bf16 if nlpipe's rule says so, with batches of similar length; JoeyNMT computes in float32, its only precision on a CPU,
and does not sort by length. It uses the same torch in an environment of its own. nlpipe and torch train once more in
float32 as on a processor that has AVX2 and no bf16. Target: 5 times JoeyNMT's speed; in float32 with AVX2 twice the
tokens a second of `torch.nn.Transformer`.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nlpipe
from benchmarks.environments import THREADS, translation
from benchmarks.processes import ROOT, middle, multi30k, python, ratio, run
from benchmarks.products import OLDER

FILE = ROOT / "pipelines" / "translation" / "transformer.yaml"
PEERS = ROOT / "benchmarks" / "peers"
PAIRS = 4000
EPOCHS = 3
UPDATES = 20
ROUNDS = 2


def measure() -> dict[str, Any]:
    """Run all alternately, twice."""
    joeynmt = str(translation())
    names = "nlpipe", "torch.nn.Transformer, bf16 autocast", "JoeyNMT 2.3"
    older = "nlpipe, float32 with AVX2", "torch.nn.Transformer, float32 with AVX2"
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in (*names, *older)}
    with tempfile.TemporaryDirectory() as name:
        ids = str(Path(name) / "ids.json")
        for seed in range(1, ROUNDS + 1):
            our_options = {
                "file": str(FILE), "data": multi30k(), "limit": PAIRS, "epochs": EPOCHS, "seed": seed, "ids": ids,
                "threads": THREADS,
            }  # fmt: skip
            shared = {**_shape(), "epochs": EPOCHS, "updates": UPDATES, "seed": seed, "threads": THREADS}
            for precision, flags, (mine, bare) in (("auto", {}, names[:2]), ("fp32", OLDER, older)):
                given = json.dumps({**our_options, "precision": precision})
                options = json.dumps({**shared, "precision": precision})
                with patch.dict(os.environ, flags):
                    rows[mine].append(run(python(str(PEERS / "nlpipe_translation_training.py"), given)))
                    rows[bare].append(run(python(str(PEERS / "torch_transformer.py"), ids, options)))
            command = [joeynmt, "-W", "ignore", str(PEERS / "joeynmt_training.py"), ids, json.dumps(shared)]
            rows["JoeyNMT 2.3"].append(run(command))
    ours = rows["nlpipe"]
    table = [["", "target tokens/s", "nlpipe is faster by", "peak memory, MB"]]
    for system, measured in rows.items():
        beside = rows[older[0]] if system in older else ours
        cells = [f"{middle(measured, 'rate'):,.0f}", f"{ratio(beside, measured, 'rate'):.1f}"]
        table.append([system, *cells, f"{middle(measured, 'peak_mb'):,.0f}"])
        print("  ".join(table[-1]), flush=True)
    notes = f"{THREADS} threads. Vocabulary: {ours[0]['words']:,}. nlpipe computed in {ours[0]['precision']}."
    return {"table": table, "notes": notes, "runs": rows}


def _shape() -> dict[str, Any]:
    """The sizes of the pipeline as options of the other two scripts."""
    pipeline = nlpipe.load(FILE)
    _, embedding, encoder, _ = (stage.options for stage in pipeline.stages)
    names = ("layers", "heads", "feed_forward", "dropout")
    shape = {"dim": embedding["dim"], **{name: encoder[name] for name in names}}
    return {"shape": shape, "tokens": pipeline.trainer["tokens"], "lr": 1e-3}
