"""The queue before a model: what waits is answered together, each request gets its own, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from nlpipe.serving.limits import Limits, Refused
from nlpipe.serving.request_batches import Answers, RequestBatches


class Model:
    """Answers each text with itself in upper case; waits where ``gate`` is closed; fails at the text "bad"."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()

    def answer(self, texts: list[str]) -> Answers:
        self.batches.append(texts)
        assert self.gate.wait(20)
        if "bad" in texts:
            raise ValueError("a bad text")
        return Answers("1", [{"predicted": text.upper()} for text in texts])


def within(
    model: Model, limits: Limits, use: Callable[[RequestBatches], Coroutine[Any, Any, None]], workers: int = 1
) -> None:
    """Run ``use`` while the queue before ``model`` is being answered."""

    async def main() -> None:
        queue = RequestBatches("m", model.answer, limits, workers=workers)
        task = asyncio.create_task(queue.run())
        try:
            await use(queue)
        finally:
            model.gate.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


async def begun(model: Model, batches: int) -> None:
    while len(model.batches) < batches:
        await asyncio.sleep(0.001)


def words(answers: Answers) -> list[str]:
    return [record["predicted"] for record in answers.records]


def test_what_arrives_while_the_model_is_busy_is_the_next_batch() -> None:
    model = Model()

    async def use(queue: RequestBatches) -> None:
        model.gate.clear()
        first = asyncio.create_task(queue.ask(["a"]))
        await begun(model, 1)
        others = [asyncio.create_task(queue.ask([f"b{i}", f"c{i}"])) for i in range(10)]
        await asyncio.sleep(0.01)
        assert queue.waiting_texts == 20
        model.gate.set()
        assert words(await first) == ["A"]
        assert [words(each) for each in await asyncio.gather(*others)] == [[f"B{i}", f"C{i}"] for i in range(10)]
        assert queue.waiting_texts == 0

    within(model, Limits(batch=8), use)
    assert [len(batch) for batch in model.batches] == [1, 8, 8, 4]


def test_a_request_larger_than_a_batch_is_answered_alone_and_whole() -> None:
    model = Model()

    async def use(queue: RequestBatches) -> None:
        asked = [queue.ask(["a"] * size) for size in (3, 20, 2)]
        assert [len(each.records) for each in await asyncio.gather(*asked)] == [3, 20, 2]

    within(model, Limits(batch=8), use)
    assert [len(batch) for batch in model.batches] == [3, 20, 2]


def test_a_request_that_fails_fails_alone() -> None:
    model = Model()

    async def use(queue: RequestBatches) -> None:
        model.gate.clear()
        first = asyncio.create_task(queue.ask(["a"]))
        await begun(model, 1)
        asked = [asyncio.create_task(queue.ask([text])) for text in ("b", "bad", "c")]
        await asyncio.sleep(0.01)
        model.gate.set()
        outcomes = await asyncio.gather(first, *asked, return_exceptions=True)
        answers = [words(each) if isinstance(each, Answers) else type(each) for each in outcomes]
        assert answers == [["A"], ["B"], ValueError, ["C"]]

    within(model, Limits(), use)


def test_a_full_queue_refuses_and_takes_again_later() -> None:
    model = Model()

    async def use(queue: RequestBatches) -> None:
        model.gate.clear()
        first = asyncio.create_task(queue.ask(["a"]))
        await begun(model, 1)
        second = asyncio.create_task(queue.ask(["b", "c", "d"]))
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="3 texts wait for 'm' already") as refused:
            await queue.ask(["e", "f"])
        assert refused.value.status == 503
        model.gate.set()
        await asyncio.gather(first, second)
        assert words(await queue.ask(["e", "f"])) == ["E", "F"]

    within(model, Limits(texts=4, queue=4), use)


def test_who_waits_too_long_is_told_and_not_answered_later() -> None:
    model = Model()

    async def use(queue: RequestBatches) -> None:
        model.gate.clear()
        outcomes = await asyncio.gather(queue.ask(["a"]), queue.ask(["b"]), return_exceptions=True)
        assert [getattr(each, "status", None) for each in outcomes] == [504, 504]
        third = asyncio.create_task(queue.ask(["c"]))
        await asyncio.sleep(0)
        model.gate.set()
        assert words(await third) == ["C"]

    within(model, Limits(seconds=1.0, batch=1), use)
    assert model.batches == [["a"], ["c"]]  # nobody waited for "b" any more


def test_a_client_that_goes_away_harms_nobody() -> None:
    model = Model()

    async def use(queue: RequestBatches) -> None:
        model.gate.clear()
        asked = [asyncio.create_task(queue.ask([text])) for text in ("a", "b", "c")]
        await begun(model, 1)
        asked[0].cancel()
        asked[1].cancel()
        await asyncio.sleep(0)
        model.gate.set()
        assert words(await asked[2]) == ["C"]

    within(model, Limits(batch=1), use)
    assert model.batches == [["a"], ["c"]]


def test_as_many_batches_are_answered_at_a_time_as_there_are_workers() -> None:
    model = Model()
    model.gate.clear()

    async def use(queue: RequestBatches) -> None:
        asked = [asyncio.create_task(queue.ask(["a"]))]
        await begun(model, 1)
        asked.append(asyncio.create_task(queue.ask(["b"])))
        await begun(model, 2)
        asked += [asyncio.create_task(queue.ask([text])) for text in "cd"]
        while queue.waiting_texts < 2:
            await asyncio.sleep(0.001)
        model.gate.set()
        assert [words(each) for each in await asyncio.gather(*asked)] == [["A"], ["B"], ["C"], ["D"]]
        assert model.batches[:2] == [["a"], ["b"]]
        assert sorted(text for batch in model.batches[2:] for text in batch) == ["c", "d"]

    within(model, Limits(), use, workers=2)
