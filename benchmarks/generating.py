"""Text generation by a transformer of four layers: with the cache of keys and values, and reading all again each time.

256 tokens behind the start, greedily, untrained (the time does not depend on the weights), one thread. The tokens must
be the same.
"""

from __future__ import annotations

import time
from typing import Any

import torch

import nlpipe
from nlpipe.capabilities import Generates, able
from nlpipe.pipeline.reading import Reader
from nlpipe.vocabulary import START
from nlpipe.wire import Tokens

TOKENS = 256
SPEC: dict[str, Any] = {
    "data": {"task": "language_modelling", "train": "unused.txt"},
    "tokenizer": {"name": "whitespace", "lowercase": False},
    "representation": {"name": "embedding", "dim": 256, "min_count": 1},
    "encoder": {"name": "transformer", "layers": 4, "heads": 4, "causal": True, "positions": "rotary"},
    "head": {"name": "language_model", "context": 512},
    "trainer": {"epochs": 1, "lr": 1e-6, "precision": "fp32"},
}


def measure() -> dict[str, Any]:
    """Seconds of both ways, three rounds each in turn; the least counts."""
    torch.set_num_threads(1)
    pipeline = nlpipe.load(SPEC).fit([" ".join(f"w{i % 2000}" for i in range(j, j + 40)) for j in range(0, 4000, 40)])
    head = able(pipeline.head, Generates)
    assert head is not None
    reader, vocabulary = Reader(pipeline.body, pipeline.head), head.vocabulary
    banned = [vocabulary.id(word) for word in ("<pad>", "<unk>", START, "</s>")]

    def cached() -> list[int]:
        model = head.next_tokens()
        state, token, found = model.start(1), vocabulary.id(START), list[int]()
        for _ in range(TOKENS):
            logs, state = model.step(torch.tensor([token]), state)
            logs[0, banned] = -torch.inf
            token = int(logs[0].argmax())
            found.append(token)
        return found

    def again() -> list[int]:
        found: list[int] = []
        table = pipeline.body[1].table.weight
        for _ in range(TOKENS):
            words = [START, *vocabulary.words(found)]
            rows, _ = reader.read_tokens(Tokens([words], [""])).ragged()
            logs = rows[-1] @ table.T
            logs[banned] = -torch.inf
            found.append(int(logs.argmax()))
        return found

    seconds: dict[str, list[float]] = {"cached": [], "again": []}
    answers = {}
    with torch.inference_mode():
        for _ in range(3):
            for name, way in (("cached", cached), ("again", again)):
                started = time.perf_counter()
                answers[name] = way()
                seconds[name].append(time.perf_counter() - started)
    least = {name: min(values) for name, values in seconds.items()}
    ratio = least["again"] / least["cached"]
    equal = "equal" if answers["cached"] == answers["again"] else "DIFFERENT"
    rows = [
        ["all read again for each token", f"{least['again']:.2f}", ""],
        [
            "with the cache",
            f"{least['cached']:.2f}",
            f"{ratio:.1f} × as fast, tokens {equal}",
        ],
    ]
    for row in rows:
        print("  ".join(row), flush=True)
    return {"table": [[f"{TOKENS} tokens", "seconds", "beside"], *rows], "notes": ""}
