"""What a server counts, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram of times."""
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Upper bounds of the histogram of batches."""


class Counters:
    """Counters of one server, and the memory and processor time of its process."""

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        ProcessCollector(registry=own)
        self.requests = Counter("nlpipe_requests", "Requests answered.", ["path", "status"], registry=own)
        self.seconds = Histogram(
            "nlpipe_request_seconds", "Time to answer a request.", ["path"], buckets=SECONDS, registry=own
        )
        self.batches = Histogram(
            "nlpipe_batch_texts", "Texts answered together.", ["model"], buckets=TEXTS, registry=own
        )
        self.waiting = Gauge("nlpipe_waiting_texts", "Texts that wait for a model.", ["model"], registry=own)
        self.reloads = Counter("nlpipe_reloads", "Models loaded again.", ["model"], registry=own)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count one request.

        Args:
            path: of the route, not of the request: there are few of them.
        """
        self.requests.labels(path, str(status)).inc()
        self.seconds.labels(path).observe(seconds)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)
