"""A client of ``nlpipe serve`` in a process of its own: at a fixed rate, as fast as possible, or beside wrong ones.

    python serving_client.py PORT TEXTS.json rate 200 20     # requests per second, seconds
    python serving_client.py PORT TEXTS.json closed 16 20    # connections that each ask again at once, seconds
    python serving_client.py PORT TEXTS.json abuse 100 20    # as rate, beside killed clients and malformed bodies

One text a request, connections are kept. The time of a request at a fixed rate begins when it was due, so that a server
which falls behind is not spared. The last line is JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HOST = "127.0.0.1"
ABUSE = 0.05
"""Seconds between two clients that do something wrong."""
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def request(body: bytes, length: int | None = None) -> bytes:
    """A request; ``length`` is what its head claims of the body."""
    size = len(body) if length is None else length
    head = f"POST /predict HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: {size}"
    return f"{head}\r\n\r\n".encode() + body


class Client:
    """Asks texts in turn and keeps the seconds of each answer.

    Args:
        port: of the server.
        texts: asked again from the start when all have been.
    """

    def __init__(self, port: int, texts: list[str]) -> None:
        self.port = port
        self.bodies: Iterator[bytes] = itertools.cycle([json.dumps({"text": text}).encode() for text in texts])
        self.free: list[Connection] = []
        self.seconds: list[float] = []
        self.errors: list[str] = []

    async def ask(self, due: float) -> None:
        """One request, on a connection that is free or on a new one."""
        try:
            while self.free and self.free[-1][0].at_eof():  # the server has closed it
                self.free.pop()[1].close()
            reader, writer = self.free.pop() if self.free else await asyncio.open_connection(HOST, self.port)
            writer.write(request(next(self.bodies)))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            if b" 200 " not in head[:16] or b'"answer"' not in body:
                raise ValueError(head[:16].decode() + body[:200].decode())
            self.free.append((reader, writer))
            self.seconds.append(time.perf_counter() - due)
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    async def at_rate(self, rate: float, seconds: float) -> None:
        """``rate`` requests a second, whether the server keeps up or not."""
        start = time.perf_counter()
        tasks = []
        for number in range(int(rate * seconds)):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(self.ask(due)))
        await asyncio.gather(*tasks)

    async def closed(self, connections: int, seconds: float) -> None:
        """Each of ``connections`` asks again as soon as it is answered."""
        end = time.perf_counter() + seconds

        async def again() -> None:
            while (now := time.perf_counter()) < end and not self.errors:
                await self.ask(now)

        await asyncio.gather(*(again() for _ in range(connections)))

    async def abuse(self, seconds: float) -> int:
        """Clients that go away at any time, and bodies that are none; how many."""
        source = random.Random(1)
        good = request(b'{"text": "a text that nobody waits for"}')
        wrong = [
            request(b"{"), request(b"\xff\xfe"), request(b""), request(b'{"texts": 5}'), request(b"[" * 100_000),
            request(b"x" * 2_000_000), request(b"x", 1_000_000_000), b"nonsense\r\n\r\n",
        ]  # fmt: skip
        end = time.perf_counter() + seconds
        for count in itertools.count():
            if time.perf_counter() >= end:
                return count
            sent = source.choice([good[: source.randrange(len(good))], good, *wrong])
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(HOST, self.port)
                writer.write(sent)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), source.random() * ABUSE)
                writer.transport.abort()
            await asyncio.sleep(ABUSE)
        raise AssertionError


async def run(port: int, texts: list[str], mode: str, amount: float, seconds: float) -> dict[str, float | list[str]]:
    """Seconds of the answers, sorted, and what went wrong."""
    client = Client(port, texts)
    await client.at_rate(20, 1)  # a warm-up
    client.seconds.clear()
    start = time.perf_counter()
    abusers = 0
    if mode == "closed":
        await client.closed(int(amount), seconds)
    elif mode == "abuse":
        _, abusers = await asyncio.gather(client.at_rate(amount, seconds), client.abuse(seconds))
    else:
        await client.at_rate(amount, seconds)
    times = sorted(client.seconds)
    for _, writer in client.free:
        writer.close()
    return {
        "rate": len(times) / (time.perf_counter() - start), "answers": len(times), "abusers": abusers,
        **{f"p{share}": times[min(len(times) - 1, len(times) * share // 100)] for share in (50, 95, 99)},
        "errors": len(client.errors), "first_errors": client.errors[:5],
    }  # fmt: skip


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    print(json.dumps(asyncio.run(run(int(sys.argv[1]), given, sys.argv[3], float(sys.argv[4]), float(sys.argv[5])))))
