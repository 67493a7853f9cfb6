"""Train and time a shipped tagger. Argument: JSON with file, data, seed and repeats.

Prints F1, words per second, and the share of the prediction time that constrained decoding takes.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch

import nlpipe
from nlpipe import tag_decoding
from nlpipe.datasets.load import load_dataset

THREADS = 2


def main() -> None:
    """Train with the options of the file, score the test split, and time its prediction."""
    options = json.loads(sys.argv[1])
    torch.set_num_threads(THREADS)
    data = load_dataset(options["data"])
    pipeline = nlpipe.load(options["file"], options.get("overrides", []))
    pipeline.seed = options["seed"]
    started = time.perf_counter()
    pipeline.fit_split(data.train, data.dev, progress=False)
    fit = time.perf_counter() - started
    predictions = pipeline.predict(data.test.inputs)
    scores = data.task.metrics(data.labels)[0](data.test.targets, predictions)
    words = sum(map(len, data.test.inputs.words))  # type: ignore[attr-defined]
    seconds = sorted(timed(lambda: pipeline.predict(data.test.inputs)) for _ in range(options["repeats"]))
    original = tag_decoding.viterbi
    decoding_seconds = 0.0

    def counted(*arguments: Any) -> Any:
        nonlocal decoding_seconds
        begin = time.perf_counter()
        answer = original(*arguments)
        decoding_seconds += time.perf_counter() - begin
        return answer

    tag_decoding.viterbi = counted
    whole = timed(lambda: pipeline.predict(data.test.inputs))
    middle = seconds[len(seconds) // 2]
    print(
        "\n"
        + json.dumps({"f1": scores["f1"], "rate": words / middle, "fit": fit, "decoding": decoding_seconds / whole})
    )


def timed(work: Any) -> float:
    """The seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
