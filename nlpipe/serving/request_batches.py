"""Requests that wait for a model are answered together.

While every worker thread answers a batch, further requests arrive and wait; all of them are the next batch.
So a request that comes alone waits for nobody, and the busier the server, the larger its batches (adaptive batching
without a delay, as in Crankshaw et al. 2017, Clipper, section 4.3).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from nlpipe.pipeline.unsure import marks
from nlpipe.serving.limits import Limits, Refused


@dataclass(frozen=True)
class Answers:
    """The answers to the texts of one request, or of several together.

    Args:
        version: of the model that gave all of them.
        records: for each text what ``nlpipe predict --format jsonl`` adds to it.
        confidence: of each answer, from 0 to 1; None where the model gives none.
    """

    version: str
    records: list[dict[str, Any]]
    confidence: list[float] | None = None

    def marked(self, threshold: float | None) -> list[dict[str, Any]]:
        """The records; with a threshold also their ``confidence``, and whether it is lower: ``unsure``.

        Raises:
            Refused: there is a threshold, and no confidence (422).
        """
        if threshold is None:
            return self.records
        if self.confidence is None:
            raise Refused(422, "threshold: the model gives no probabilities, so that its answers have no confidence")
        pairs = zip(self.records, self.confidence, strict=True)
        return [{**record, **marks(confidence, threshold)} for record, confidence in pairs]


@dataclass(frozen=True)
class Waiting:
    """A request: its texts, and where its answers are put."""

    texts: list[str]
    answers: asyncio.Future[Answers]


class RequestBatches:
    """The queue before one model.

    Args:
        name: of the model, for messages.
        answer: called in worker threads.
        limits: of the queue, the batch and the time.
        report: called with the texts of each batch when it begins.
        workers: how many batches are answered at a time.
    """

    def __init__(
        self,
        name: str,
        answer: Callable[[list[str]], Answers],
        limits: Limits,
        report: Callable[[int], None] = lambda texts: None,
        workers: int = 1,
    ) -> None:
        self.name = name
        self.answer = answer
        self.limits = limits
        self.report = report
        self.workers = workers
        self.waiting_texts = 0
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()

    async def ask(self, texts: list[str]) -> Answers:
        """The answers to ``texts``, all by the same version of the model.

        Raises:
            Refused: the queue is full (503), or it took too long (504).
            Exception: what the model raised for these texts.
        """
        if self.waiting_texts + len(texts) > self.limits.queue:
            message = f"{self.waiting_texts:,} texts wait for '{self.name}' already; ask again in a few seconds"
            raise Refused(503, message)
        waiting = Waiting(texts, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self.waiting_texts += len(texts)
        self._arrived.set()
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await waiting.answers
        except TimeoutError:
            message = f"not answered within {self.limits.seconds:g} s; send fewer or shorter texts, or ask later"
            raise Refused(504, message) from None

    async def run(self) -> None:
        """Answer what arrives, until cancelled."""
        with ThreadPoolExecutor(self.workers, thread_name_prefix=f"{WORKER}-{self.name}") as threads:
            await asyncio.gather(*(self._work(threads) for _ in range(self.workers)))

    async def _work(self, threads: ThreadPoolExecutor) -> None:
        """Answer one batch after another."""
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            batch = self._take()
            if not batch:
                self._arrived.clear()
                continue
            self.report(sum(len(waiting.texts) for waiting in batch))
            outcomes = await loop.run_in_executor(threads, self._outcomes, [waiting.texts for waiting in batch])
            for waiting, outcome in zip(batch, outcomes, strict=True):
                if waiting.answers.done():
                    continue  # it took too long, or nobody waits for it any more
                if isinstance(outcome, Answers):
                    waiting.answers.set_result(outcome)
                else:
                    waiting.answers.set_exception(outcome)

    def _take(self) -> list[Waiting]:
        """The requests that are answered next: as many as fit into a batch, one at least if there is any."""
        batch: list[Waiting] = []
        texts = 0
        while self._waiting and (not batch or texts + len(self._waiting[0].texts) <= self.limits.batch):
            waiting = self._waiting.popleft()
            self.waiting_texts -= len(waiting.texts)
            if not waiting.answers.done():
                batch.append(waiting)
                texts += len(waiting.texts)
        return batch

    def _outcomes(self, requests: Sequence[list[str]]) -> list[Answers | Exception]:
        """For each request its answers, or what was raised. Where a batch fails, each request is tried alone."""
        try:
            every = self.answer([text for texts in requests for text in texts])
        except Exception as error:  # it is raised for the request that it belongs to
            if len(requests) == 1:
                return [error]
            return [outcome for texts in requests for outcome in self._outcomes([texts])]
        outcomes: list[Answers | Exception] = []
        start = 0
        for texts in requests:
            own = slice(start, start + len(texts))
            confidence = None if every.confidence is None else every.confidence[own]
            outcomes.append(Answers(every.version, every.records[own], confidence))
            start += len(texts)
        return outcomes


WORKER = "answering"
"""What the names of the threads that answer begin with."""
