"""What a comparison will take, before it is run: each pipeline is fitted on two small samples in a fresh process.

    python -m nlpipe.compare.sample_fits < order.json

fits the order's pipeline on two small samples of its training split, for one epoch where gradients train it, and prints
one line of JSON. The time and the memory of the whole split are a straight line through the two.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, TypedDict

from nlpipe.compare.plan import Order
from nlpipe.datasets.load import load_dataset
from nlpipe.errors import NlpipeError
from nlpipe.pipeline import Pipeline
from nlpipe.runs.costs import own_output, peak_memory, process_environment
from nlpipe.runs.fit import import_ahead, sample
from nlpipe.spec import read_pipeline
from nlpipe.threads import thread_count
from nlpipe.user_code import UserCode, check_known

SIZES = (300, 600)
"""Training examples of the two samples."""
DEV = 100
"""Dev examples that are used."""
MOST_SECONDS = 300


class Probe(TypedDict):
    """What fitting once on the whole training split may take."""

    seconds: float
    memory_bytes: float


def probe(order: Order) -> Probe | str:
    """The estimate for an order, or why there is none."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "nlpipe.compare.sample_fits"], input=json.dumps(order), text=True,
            errors="replace", env=process_environment(thread_count()), capture_output=True, check=False,
            timeout=MOST_SECONDS,
        )  # fmt: skip
        found: Probe = json.loads(done.stdout.strip().rpartition("\n")[2])
        return found
    except subprocess.TimeoutExpired:
        return f"a sample of {SIZES[1]} examples took more than {MOST_SECONDS} s"
    except (json.JSONDecodeError, IndexError):
        return done.stderr.strip().rpartition("\n")[2][:200] or "the probe failed"


def estimate(order: Order) -> Probe:
    """Fit the two samples in this process, and draw the line."""
    spec = read_pipeline(order["pipeline"])
    assert spec.data is not None
    dataset = load_dataset(spec.data)
    whole = order["train_size"] or len(dataset.train)
    dev = dataset.dev.take(range(min(DEV, len(dataset.dev))))
    trainer: Mapping[str, Any] = {**spec.trainer, "epochs": 1} if "epochs" in spec.trainer else spec.trainer
    points = []
    for size in SIZES:
        size = min(size, len(dataset.train))
        pipeline = Pipeline(  # of a cascade the last member, which takes longest
            [stage.make() for stage in spec.stages], dataset.task.name, trainer, order["seed"], spec.name
        )
        import_ahead(pipeline)
        started = time.perf_counter()
        pipeline.fit_split(sample(dataset.train, size, order["seed"]), dev, progress=False)
        points.append((size, time.perf_counter() - started, float(peak_memory())))
    epochs = float(spec.trainer.get("epochs", 1)) if isinstance(spec.trainer.get("epochs"), int) else 1.0
    (small, first, low), (large, second, high) = points
    step = max(1, large - small)
    per_example, growth = max(0.0, (second - first) / step), max(0.0, (high - low) / step)
    return {
        "seconds": second + per_example * (whole * epochs - large),
        "memory_bytes": high + growth * (whole - large),
    }


def main() -> None:
    """Carry out the order on standard input."""
    channel = own_output()
    order: Order = json.load(sys.stdin)
    UserCode.from_plain(order["user_code"]).install()
    check_known([(kind, name) for kind, name in order["needed"]])
    found = estimate(order)
    with os.fdopen(channel, "w", encoding="utf-8") as output:
        output.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    try:
        main()
    except NlpipeError as error:
        sys.exit(str(error))
