"""Programs and modules that register parts of their own, as a user would write them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from nlpipe.runs.costs import process_environment
from tests.commands import nlpipe

STAGES = '''
import numpy as np
import nlpipe
from nlpipe.stage import Representation
from nlpipe.wire import Tokens, Vectors


@nlpipe.register.representation("lengths")
class Lengths(Representation[Tokens, Vectors]):
    """Number of words and of letters."""

    def __init__(self, power: float = 1.0) -> None:
        self.power = power

    def build(self, width: int) -> int:
        return 2

    def forward(self, source: Tokens) -> Vectors:
        return Vectors(np.array([[len(words), len(letters(words))] for words in source.words]) ** self.power)


def letters(words):  # below the class that calls it
    return "".join(words)
'''

PARTS = '''
from collections.abc import Iterator, Sequence

import numpy as np
import nlpipe
from nlpipe.datasets.readers.lines import Layout, Origin, read_lines
from nlpipe.predictions import Predictions
from nlpipe.tasks.classification import Classification
from nlpipe.tasks.task import Row
from nlpipe.wire import Labels


@nlpipe.register.reader("marked", suffixes=[".marked"])
def read_marked(origins: Sequence[Origin], layout: Layout) -> Iterator[Row]:
    """Lines of ``label: text``."""
    for origin in origins:
        for number, line in enumerate(read_lines(origin, layout.encoding), 1):
            label, _, text = line.rstrip("\\n").partition(": ")
            fields = {"label": label, "text": text}
            yield Row({role: fields[str(column)] for role, column in layout.columns.items()}, origin.name, number)


@nlpipe.register.task("mood")
class Mood(Classification):
    """Classification under a name of its own."""

    name = "mood"


@nlpipe.register.metric("short_labels", task="classification", unit="share")
def short_labels(gold: Labels, predictions: Predictions[Labels]) -> np.ndarray:
    """short_labels: share of predicted labels of at most 3 letters"""
    return np.array([len(label) <= 3 for label in predictions.values.values])


@nlpipe.register.metric("letters_ratio", task="mood", score=lambda sums: sums[..., 0] / np.maximum(sums[..., 1], 1))
def letters_ratio(gold: Labels, predictions: Predictions[Labels]) -> np.ndarray:
    """letters_ratio: letters predicted for each letter of gold"""
    return np.array([[len(a), len(b)] for a, b in zip(predictions.values.values, gold.values, strict=True)])
'''

PIPELINE = "data: sample_reviews\nrepresentation: lengths\nhead: logistic_regression\n"


def python(
    *words: object, cwd: Path, stdin: str = "", check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``python WORDS`` in ``cwd`` with this nlpipe; ``-m nlpipe`` without starting Python anew."""
    if words[:2] == ("-m", "nlpipe") and not environment:
        command = nlpipe(*words[2:], stdin=stdin, cwd=cwd)
        done = subprocess.CompletedProcess(words, command.returncode, command.stdout.decode(), command.stderr.decode())
    else:
        done = subprocess.run(
            [sys.executable, *map(str, words)], input=stdin, capture_output=True, text=True, cwd=cwd, check=False,
            env={**process_environment(1), **environment},
        )  # fmt: skip
    assert not check or done.returncode == 0, done.stderr
    return done
