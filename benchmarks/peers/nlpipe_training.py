"""Train a pipeline file under the same conditions as the other scripts. Argument: options as JSON.

Options: file, overrides, seed, epochs, data (of `nlpipe.datasets`), limit (training examples; null for all), save (a
folder for the fitted pipeline, or null).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

import nlpipe
from benchmarks.processes import ROOT
from nlpipe.datasets.load import load_dataset

THREADS = 2


def main() -> None:
    """Train; print accuracy on dev and examples per second of all epochs but the first (of the only one, if one)."""
    options = json.loads(sys.argv[1])
    torch.set_num_threads(THREADS)
    data = load_dataset(options["data"], ROOT)
    train = data.train.take(range(options["limit"] or len(data.train)))
    overrides = [*options["overrides"], f"trainer.epochs={options['epochs']}", "trainer.patience=null"]
    pipeline = nlpipe.load(options["file"], overrides)
    pipeline.seed = options["seed"]
    started = time.perf_counter()
    pipeline.fit_split(train, data.dev, progress=False)
    fitted = time.perf_counter() - started
    epochs = pipeline.history.epochs
    timed = epochs[1:] or epochs
    predicted = pipeline.predict(data.dev.inputs).values.values
    if options["save"]:
        pipeline.save(Path(options["save"]))
    print(
        json.dumps(
            {
                "rate": sum(e.units for e in timed) / sum(e.seconds for e in timed),
                "accuracy": float(np.mean(np.array(predicted) == np.array(data.dev.targets.values))),
                "fit": fitted,
                "precision": pipeline.history.precision,
            }
        )
    )


if __name__ == "__main__":
    main()
