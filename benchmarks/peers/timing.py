"""What the scripts that time texts share."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from statistics import median, quantiles

WARM_UP, ALONE, ROUNDS = 30, 200, 3


def print_latency(answer: Callable[[str], object], texts: list[str]) -> None:
    """Print the median and the 95th percentile of the milliseconds that ``answer`` takes for one text."""
    for text in texts[:WARM_UP]:
        answer(text)
    milliseconds = []
    for text in texts:
        started = time.perf_counter()
        answer(text)
        milliseconds.append(1000 * (time.perf_counter() - started))
    print("\n" + json.dumps({"median": median(milliseconds), "p95": quantiles(milliseconds, n=20)[-1]}))


def print_processor_times(answer: Callable[[list[str]], object], texts: list[str], sizes: Sequence[int]) -> None:
    """Print processor milliseconds of single texts (median, 95th percentile) and texts per processor second in batches.

    Least of ``ROUNDS`` rounds for each text or batch. Seconds of the processor hardly depend on what else runs.

    Args:
        answer: takes a batch.
        texts: all are answered in batches of similar length, the first ``ALONE`` one at a time.
        sizes: of batches; the best counts.
    """

    def least(batches: list[list[str]]) -> list[float]:
        rounds: list[list[float]] = []
        for _ in range(ROUNDS):
            rounds.append([])
            for batch in batches:
                started = time.process_time()
                answer(batch)
                rounds[-1].append(time.process_time() - started)
        return [min(seconds) for seconds in zip(*rounds, strict=True)]

    for text in texts[:WARM_UP]:
        answer([text])
    alone = [1000 * seconds for seconds in least([[text] for text in texts[:ALONE]])]
    ordered = sorted(texts, key=len)
    rates = {
        size: len(texts) / sum(least([ordered[i : i + size] for i in range(0, len(texts), size)])) for size in sizes
    }
    best = max(rates, key=lambda size: rates[size])
    figures = {"median": median(alone), "p95": quantiles(alone, n=20)[-1], "rate": rates[best], "batch_size": best}
    print("\n" + json.dumps(figures))
