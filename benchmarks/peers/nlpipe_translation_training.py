"""Train a translation pipeline and write its token ids for the other scripts. Argument: options as JSON.

Options: threads, file, data (of `nlpipe.datasets`), limit (training pairs), epochs, seed, precision, ids (a file for
the pairs as token ids, or null).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

import nlpipe
from benchmarks.processes import ROOT
from nlpipe.datasets.load import load_dataset
from nlpipe.heads.seq2seq import Seq2Seq


def main() -> None:
    """Train; print target tokens per second, end tokens included, of all epochs but the first."""
    options = json.loads(sys.argv[1])
    torch.set_num_threads(options["threads"])
    data = load_dataset(options["data"], ROOT)
    train = data.train.take(range(options["limit"]))
    changes = [f"trainer.{name}={options[name]}" for name in ("epochs", "precision")]
    pipeline = nlpipe.load(options["file"], [*changes, "trainer.average=1"])
    pipeline.seed = options["seed"]
    pipeline.fit_split(train, None, progress=False)
    epochs = pipeline.history.epochs[1:]
    head = pipeline.head
    assert isinstance(head, Seq2Seq)
    if options["ids"]:
        sides = [head.prepare_target(texts).ids for texts in (train.inputs, train.targets)]  # type: ignore[attr-defined]
        pairs_of_ids = {"words": len(head.vocabulary), "pairs": [[row.tolist() for row in rows] for rows in sides]}
        Path(options["ids"]).write_text(json.dumps(pairs_of_ids), encoding="utf-8")
    rate = sum(e.units for e in epochs) / sum(e.seconds for e in epochs)
    print(json.dumps({"rate": rate, "words": len(head.vocabulary), "precision": pipeline.history.precision}))


if __name__ == "__main__":
    main()
