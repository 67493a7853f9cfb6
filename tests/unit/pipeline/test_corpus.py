"""Windows of a corpus: every token is predicted once, and states are carried from batch to batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nlpipe
from nlpipe.capabilities import Corrupts, Trained, able
from nlpipe.errors import NlpipeError
from nlpipe.pipeline.corpus import Corpus, CorpusWindows
from nlpipe.pipeline.objective import CarriedObjective
from nlpipe.pipeline.reading import windows
from nlpipe.vocabulary import END, START, TokenIds, Vocabulary
from nlpipe.wire import Tokens

TEXTS = [["a", "b", "c", "d", "e"], ["f"], [], ["g", "h", "i", "j", "k", "l", "m"]]
VOCABULARY = Vocabulary.count([*TEXTS, ["b"]], specials=(START, END))


class Shift(Corrupts):
    """What a causal head does to a window."""

    reads_ahead = 1

    def __init__(self, context: int) -> None:
        self.context = context

    def learn(self, *given: object) -> None: ...

    def corrupt(self, ids, random):  # type: ignore[no-untyped-def]
        start, end = VOCABULARY.id(START), VOCABULARY.id(END)
        return [row[:-1] for row in ids], [np.where(row[1:] == start, end, row[1:]) for row in ids]


def windows_of(continuous: bool, columns: int, context: int = 3) -> tuple[Corpus, CorpusWindows]:
    corpus = Corpus.of_words([(Tokens.from_words(TEXTS), None)], VOCABULARY)

    def wrap(inputs, targets, begins):  # type: ignore[no-untyped-def]
        return TokenIds(inputs, VOCABULARY, begins), TokenIds(targets, VOCABULARY)

    return corpus, CorpusWindows(corpus, Shift(context), wrap, continuous, columns)


def test_a_corpus_has_the_start_before_each_text() -> None:
    corpus, _ = windows_of(False, 0)
    assert VOCABULARY.words(corpus.ids) == [
        START, "a", "b", "c", "d", "e", START, "f", START, START, "g", "h", "i", "j", "k", "l", "m", START,
    ]  # fmt: skip
    assert corpus.sizes.tolist() == [6, 2, 1, 8] and VOCABULARY.words(corpus.words()) == [w for t in TEXTS for w in t]
    assert corpus.counts["a"] == 1 and START not in corpus.counts


@pytest.mark.parametrize(("continuous", "columns"), [(False, 0), (True, 2), (True, 3)])
def test_every_token_and_every_end_is_predicted_once(continuous: bool, columns: int) -> None:
    _, examples = windows_of(continuous, columns)
    pairs = []
    for i in range(len(examples.starts)):
        inputs, targets = examples.batch([i], np.random.default_rng(0))
        pairs += list(zip(VOCABULARY.words(inputs.ids[0]), VOCABULARY.words(targets.ids[0]), strict=True))
    expected = [pair for text in TEXTS for pair in zip([START, *text], [*text, END], strict=True)]
    assert sorted(pairs) == sorted(expected)
    if columns:
        planned = np.concatenate(examples.plan())
        assert sorted(planned.tolist()) == list(range(len(examples.starts)))


def test_windows_that_begin_anywhere_stay_within_the_corpus() -> None:
    corpus, examples = windows_of(True, 0)
    found = set()
    for seed in range(50):
        for i in range(len(examples.starts)):
            inputs, _ = examples.batch([i], np.random.default_rng(seed))
            found.add(tuple(inputs.ids[0].tolist()))
    whole = corpus.ids.tolist()
    assert len(found) > len(examples.starts)
    assert all(any(tuple(whole[s : s + len(w)]) == w for s in range(len(whole))) for w in found)


def test_windows_of_a_long_text_keep_half_a_context_before_each_token() -> None:
    assert windows(5, 8) == [(0, 5, 0)]
    assert windows(12, 4) == [(0, 4, 0), (2, 6, 4), (4, 8, 6), (6, 10, 8), (8, 12, 10)]


@pytest.mark.parametrize("encoder", ["rnn", "lstm", "gru"])
def test_states_are_carried_on(encoder: str) -> None:
    """Two batches of a stretch have the loss of the stretch read at once."""
    torch.manual_seed(0)
    pipeline = nlpipe.load(
        {
            "data": {"task": "language_modelling", "train": "unused.txt"},
            "tokenizer": {"name": "whitespace", "lowercase": False},
            "representation": {"name": "embedding", "dim": 6, "min_count": 1},
            "encoder": {"name": encoder, "hidden": 6, "layers": 2},
            "head": {"name": "language_model", "context": 3, "dropout": 0.0},
            "trainer": {"epochs": 1, "precision": "fp32"},
        }
    ).fit(["a b c d e f g h", "a c e g"])  # fmt: skip
    head = able(pipeline.head, Trained)
    assert head is not None
    stages, ids = pipeline.body[1:], pipeline.head.vocabulary.ids([START, *"abcdefgh"])

    def batch(start: int, end: int, begins: bool) -> tuple[TokenIds, TokenIds]:
        row, after = [ids[start:end]], [ids[start + 1 : end + 1]]
        return TokenIds(row, pipeline.head.vocabulary, begins), TokenIds(after, pipeline.head.vocabulary)

    objective = CarriedObjective(stages, head, 1).eval()
    with torch.no_grad():
        whole = objective(batch(0, 8, True))[0]
        parts = [objective(batch(0, 3, True))[0], objective(batch(3, 6, False))[0], objective(batch(6, 8, False))[0]]
        again = objective(batch(0, 8, True))[0]
        forgetful = objective(batch(0, 3, True))[0] + objective(batch(3, 8, True))[0]
    torch.testing.assert_close(sum(parts), whole)
    torch.testing.assert_close(again, whole)
    assert abs(float(forgetful - whole)) > 1e-3


def test_a_training_that_was_interrupted_ends_as_one_that_was_not(tmp_path: Path) -> None:
    text = " ".join(np.random.default_rng(1).choice(list("abcdefgh"), 900))
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.txt").write_text(text)
    spec = {
        "data": {"task": "language_modelling", **{n: str(tmp_path / f"{n}.txt") for n in ("train", "dev", "test")}},
        "tokenizer": {"name": "whitespace", "lowercase": False},
        "representation": {"name": "embedding", "dim": 6, "min_count": 1, "dropout": 0.2},
        "encoder": {"name": "lstm", "hidden": 6}, "head": {"name": "language_model", "context": 20},
        "trainer": {"epochs": 3, "batch_size": 4, "precision": "fp32"},
    }  # fmt: skip
    train, dev = nlpipe.load_dataset(spec["data"]).train, nlpipe.load_dataset(spec["data"]).dev
    whole = nlpipe.load(spec).fit_split(train, dev)

    class Killed(Exception):
        """Stands for the end of the process."""

    def after_epoch(epoch: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        nlpipe.load(spec).fit_split(train, dev, tmp_path / "checkpoint", after_epoch=after_epoch)
    resumed = nlpipe.load(spec).fit_split(train, dev, tmp_path / "checkpoint")
    for one, other in zip(whole.stages, resumed.stages, strict=True):
        for name, array in one.state().arrays.items():
            np.testing.assert_array_equal(array, other.state().arrays[name])


def test_several_processes_carry_no_states_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a b c d e f g h")
    spec: dict[str, Any] = {
        "data": {"task": "language_modelling", **{name: str(text) for name in ("train", "dev", "test")}},
        "tokenizer": {"name": "whitespace", "lowercase": False}, "representation": {"name": "embedding", "dim": 6},
        "encoder": {"name": "lstm", "hidden": 6}, "head": "language_model", "trainer": {"epochs": 1},
    }  # fmt: skip
    monkeypatch.setattr("nlpipe.pipeline.language_training.is_distributed", lambda: True)
    with pytest.raises(NlpipeError, match="only one process can do: start one, or keep texts apart"):
        nlpipe.load(spec).fit_split(nlpipe.load_dataset(spec["data"]).train)
    apart = {**spec, "data": {**spec["data"], "documents": "line"}}
    assert nlpipe.load(apart).fit_split(nlpipe.load_dataset(apart["data"]).train) is not None
