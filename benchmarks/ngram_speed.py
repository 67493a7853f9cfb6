"""N-gram models of order 5 of film reviews: the head ngram beside nltk.lm, and the ARPA file that KenLM reads.

Both get the same words; those that occur once in training are unknown. nltk.lm smooths with one discount (Kneser-Ney),
ours with three (modified Kneser-Ney). Whole processes, memory is their peak. Seconds are without the start of Python.
KenLM's package can query but not estimate: it answers from the file that ours wrote, and is compared token by token.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.environments import ngrams
from benchmarks.processes import ROOT, run
from nlpipe.datasets.load import load_dataset
from nlpipe.tokenizers.whitespace import Whitespace
from nlpipe.wire import Text

PEERS = ROOT / "benchmarks" / "peers"
MANY, FEW, SCORED = 1_000_000, 100_000, 1_000
"""Words: of the large job, for ours alone, and those that nltk trains on and scores in minutes."""


def measure() -> dict[str, Any]:
    """The large job for ours, the small one for both, and KenLM on the file of the small one."""
    inputs = load_dataset("imdb_text").train.inputs
    assert isinstance(inputs, Text)
    tokenizer = Whitespace(lowercase=False)
    lines = (words for text in inputs.strings for line in text.splitlines() if (words := tokenizer.split(line)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = {"many": MANY, "other": MANY, "few": FEW, "scored": SCORED}
        files = {key: _write(folder / f"{key}.txt", lines, size) for key, size in sizes.items()}
        arpa, scores = str(folder / "model.arpa"), str(folder / "scores.npy")
        ours = [sys.executable, str(PEERS / "nlpipe_ngram.py")]
        nltk, kenlm = str(ngrams()), str(PEERS / "kenlm_ngram.py")
        large = run([*ours, files["many"], files["other"], "5"])
        small = run([*ours, files["few"], files["scored"], "5"])
        theirs = run([nltk, str(PEERS / "nltk_ngram.py"), files["few"], files["scored"], "5"])
        run([*ours, files["many"], files["other"], "5", arpa, scores])
        read = run([nltk, kenlm, arpa, files["other"], scores])
    job = f"{FEW:,} words, {SCORED:,} scored"
    rows = [
        _row("ngram", f"{MANY:,} words, as many scored", large),
        _row("ngram", job, small),
        _row("nltk.lm KneserNeyInterpolated", job, theirs),
        ["KenLM, from our file", f"{MANY:,} scored", "", f"{read['score']:.2f}", "", f"{read['peak_mb']:.0f}"],
    ]
    for row in rows:
        print("  ".join(row), flush=True)
    ratio = (theirs["train"] + theirs["score"]) / (small["train"] + small["score"])
    training = theirs["train"] / small["train"]
    scoring = (theirs["score"] / theirs["tokens"]) / (large["score"] / large["tokens"])
    notes = (
        f"Beside nltk.lm: {ratio:.0f} times as fast in all, {training:.0f} times in training; for each scored token "
        f"{scoring:,.0f} times (ours of the large job). Largest difference to KenLM in log10 of the probability of a "
        f"token: {read['difference']:.1e} of {read['tokens']:,} tokens."
    )
    print(notes, flush=True)
    return {"table": [["model", "job", "train s", "score s", "nats a token", "memory MB"], *rows], "notes": notes}


def _write(path: Path, lines: Iterator[list[str]], size: int) -> str:
    """A file of the next lines, which have at least ``size`` words together."""
    count, taken = 0, []
    while count < size:
        words = next(lines)
        taken.append(" ".join(words) + "\n")
        count += len(words)
    path.write_text("".join(taken), encoding="utf-8")
    return str(path)


def _row(name: str, job: str, figures: dict[str, Any]) -> list[str]:
    seconds = [f"{figures[key]:.2f}" for key in ("train", "score")]
    return [name, job, *seconds, f"{figures['nats']:.3f}", f"{figures['peak_mb']:.0f}"]
