"""How many sentences a second a saved translator translates; arguments: its folder, options as JSON.

Options: runtime (nlpipe or ctranslate2), threads, sentences (a JSON file of texts, short to long), ways (lists of beam,
batch size, how many sentences), answers (a file for translations to compare, or null), lengths (tokens that greedy
search is made to go on for; of nlpipe's own network only).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from nlpipe.heads.seq2seq import Seq2Seq
from nlpipe.pipeline import Pipeline
from nlpipe.search import greedy
from nlpipe.vocabulary import END
from nlpipe.wire import Text


class Timed:
    """A translator and the ways to time it."""

    def __init__(self, folder: str, runtime: str) -> None:
        self.pipeline = Pipeline.load(folder, runtime)
        head = self.pipeline.head
        assert isinstance(head, Seq2Seq)
        self.head = head

    def encode(self, texts: list[str]) -> Any:
        """What the head is given."""
        wire: Any = Text(texts)
        for stage in self.pipeline.body:
            wire = stage.forward(wire)
        return wire

    def translate(self, texts: list[str], beam: int) -> list[str]:
        """One batch; beam 1 is greedy search."""
        self.head.change(beam=beam)
        return self.pipeline.predict(texts, batch_size=len(texts)).texts

    def speed(self, texts: list[str], beam: int, size: int) -> tuple[float, float]:
        """Sentences a second, and the median seconds of a batch."""
        batches = [texts[i : i + size] for i in range(0, len(texts), size)]
        self.translate(batches[len(batches) // 2], beam)
        seconds = []
        for batch in batches:
            started = time.perf_counter()
            self.translate(batch, beam)
            seconds.append(time.perf_counter() - started)
        return len(texts) / sum(seconds), median(seconds)

    def token(self, text: str, length: int) -> float:
        """Seconds a token of greedy search that goes on for ``length`` tokens; of several times the median."""
        source = self.encode([text])
        seconds = []
        for _ in range(max(3, 300 // length)):
            model, first, state, memory = self.head.start(source)
            started = time.perf_counter()
            greedy(
                model.step, first, state, memory, end=self.head.vocabulary.id(END), max_length=length, min_length=length
            )
            seconds.append((time.perf_counter() - started) / length)
        return median(seconds)

    def answers(self, texts: list[str], size: int) -> dict[str, list[str]]:
        """Translations to compare with CTranslate2's; without a length penalty."""
        found = {}
        self.head.change(length_penalty=0.0)
        for beam in (1, 5):
            batches = (texts[i : i + size] for i in range(0, len(texts), size))
            found[f"beam {beam}"] = [text for batch in batches for text in self.translate(batch, beam)]
        return found


@torch.inference_mode()
def main() -> None:
    """Print sentences a second of each way, seconds of its median batch, and seconds a token."""
    options = json.loads(sys.argv[2])
    torch.set_num_threads(options["threads"])
    timed = Timed(sys.argv[1], options["runtime"])
    texts: list[str] = json.loads(Path(options["sentences"]).read_text(encoding="utf-8"))
    found: dict[str, float] = {}
    for beam, size, count in options["ways"]:
        rate, batch = timed.speed(texts[:: len(texts) // count][:count], beam, size)
        found[f"rate {beam} {size}"], found[f"seconds {beam} {size}"] = rate, batch
    for length in options["lengths"]:
        found[f"token {length}"] = timed.token(texts[len(texts) // 2], length)
    if options["answers"]:
        Path(options["answers"]).write_text(json.dumps(timed.answers(texts, 64)), encoding="utf-8")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
