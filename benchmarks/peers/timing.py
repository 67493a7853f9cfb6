"""One text at a time: what the scripts of single texts share."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from statistics import median, quantiles

WARM_UP = 30


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
