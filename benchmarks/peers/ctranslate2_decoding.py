"""Time CTranslate2 with the same weights in float32; run by the interpreter of its environment.

Arguments: the folder of our pipeline, the exported directory, options as JSON as in `nlpipe_decoding.py`. Its input and
output are tokens, so that it does less work than nlpipe.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

import ctranslate2

from nlpipe.pipeline import Pipeline
from nlpipe.tokenizers.subword import BPE
from nlpipe.wire import Text

SPECIALS = [["<pad>"], ["<s>"]]


class Timed:
    """A CTranslate2 translator and methods that time it."""

    def __init__(self, directory: str, threads: int) -> None:
        self.translator = ctranslate2.Translator(
            directory, device="cpu", compute_type="float32", inter_threads=1, intra_threads=threads
        )

    def translate(self, batch: list[list[str]], beam: int, penalty: float = 1.0) -> list[list[str]]:
        """Translate one batch."""
        results = self.translator.translate_batch(
            batch, beam_size=beam, length_penalty=penalty, max_decoding_length=256, min_decoding_length=0,
            disable_unk=True, suppress_sequences=SPECIALS, max_batch_size=0,
        )  # fmt: skip
        return [answer.hypotheses[0] for answer in results]

    def speed(self, sentences: list[list[str]], beam: int, size: int) -> tuple[float, float]:
        """Sentences per second, and the median of the seconds per batch."""
        batches = [sentences[i : i + size] for i in range(0, len(sentences), size)]
        self.translate(batches[len(batches) // 2], beam)
        seconds = []
        for batch in batches:
            started = time.perf_counter()
            self.translate(batch, beam)
            seconds.append(time.perf_counter() - started)
        return len(sentences) / sum(seconds), median(seconds)

    def token(self, sentence: list[str], length: int) -> float:
        """Seconds per token of greedy search that is forced to generate ``length`` tokens."""
        seconds = []
        for _ in range(max(3, 300 // length)):
            started = time.perf_counter()
            self.translator.translate_batch(
                [sentence], beam_size=1, max_decoding_length=length, min_decoding_length=length
            )
            seconds.append((time.perf_counter() - started) / length)
        return median(seconds)


def main() -> None:
    """Print the same figures as `nlpipe_decoding.py`."""
    options = json.loads(sys.argv[3])
    tokenizer = Pipeline.load(sys.argv[1]).stages[0]
    assert isinstance(tokenizer, BPE)
    texts: list[str] = json.loads(Path(options["sentences"]).read_text(encoding="utf-8"))
    sentences = [list(words) for words in tokenizer.forward(Text(texts)).words]
    timed = Timed(sys.argv[2], options["threads"])
    figures: dict[str, float] = {}
    for beam, size, count in options["ways"]:
        rate, batch = timed.speed(sentences[:: len(texts) // count][:count], beam, size)
        figures[f"rate {beam} {size}"], figures[f"seconds {beam} {size}"] = rate, batch
    for length in options["lengths"]:
        figures[f"token {length}"] = timed.token(sentences[len(texts) // 2], length)
    if options["answers"]:
        answers = {}
        for beam in (1, 5):
            batches = (sentences[i : i + 64] for i in range(0, len(sentences), 64))
            translated = [words for batch in batches for words in timed.translate(batch, beam, 0.0)]
            answers[f"beam {beam}"] = [tokenizer.join(words) for words in translated]
        Path(options["answers"]).write_text(json.dumps(answers), encoding="utf-8")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
