"""Outputs of a frozen BERT on disk: computed once for all heads and seeds, named by all they depend on, bounded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpipe.encoders import LSTM, Max, Mean
from nlpipe.errors import NlpipeError
from nlpipe.heads import Classifier, LogisticRegression
from nlpipe.pipeline import Pipeline, feature_cache
from nlpipe.representations import Bert, Join, Word2Vec
from nlpipe.tokenizers import Regex
from nlpipe.wire import Sequences, Text, Tokens, Vectors
from tests.tiny_models import write_encoder as make

TEXTS = ["good film", "bad film", "a good day", "a bad day here", "so good", "so very bad"] * 2
LABELS = ["pos", "neg"] * 6
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make("bert", tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NLPIPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of texts in each batch that any BERT was given."""
    found: list[int] = []
    forward = Bert.forward

    def counted(self: Bert, source: Tokens) -> Sequences:
        found.append(len(source))
        return forward(self, source)

    monkeypatch.setattr(Bert, "forward", counted)
    return found


def bert(directory: str, head: Any = None, *, encoders: Any = None, seed: int = 1, **options: Any) -> Pipeline:
    stages = [Regex(), Bert(directory, **{"precision": "fp32", **options}), *(encoders or [Mean()])]
    return Pipeline([*stages, head or LogisticRegression()], trainer={"epochs": 2, "batch_size": 4}, seed=seed)


def entries(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()} if cache.exists() else set()


def test_computed_once_for_all_heads_seeds_and_epochs(directory: str, cache: Path, calls: list[int]) -> None:
    dev = (TEXTS[:4], LABELS[:4])
    bert(directory).fit(TEXTS, LABELS, dev)
    assert sum(calls) == len(TEXTS) + 4
    assert len(entries(cache)) == 2
    calls.clear()
    bert(directory, seed=2).fit(TEXTS, LABELS, dev)
    bert(directory, Classifier()).fit(TEXTS, LABELS, dev)
    bert(directory, Classifier(hidden=4), seed=3).fit(TEXTS, LABELS, dev)
    assert calls == []
    assert len(entries(cache)) == 2


def test_another_text_option_stage_or_source_is_another_entry(
    directory: str, cache: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nlpipe.pipeline import fitting

    bert(directory).fit(TEXTS, LABELS)
    for number, change in enumerate(["text", "option", "pooling", "source"], 2):
        calls.clear()
        texts = [*TEXTS[:-1], "another"] if change == "text" else TEXTS
        options = {"pool": "first"} if change == "option" else {}
        if change == "source":
            monkeypatch.setattr(fitting, "source_hash", lambda: "another")
        bert(directory, encoders=[Max()] if change == "pooling" else None, **options).fit(texts, LABELS)
        assert sum(calls) == len(TEXTS), change
        assert len(entries(cache)) == number, change


def test_kept_features_are_those_of_the_stages(directory: str, cache: Path) -> None:
    """Without dropout, as prediction has them: one row a text where pooling follows, else one a word."""
    pipeline = bert(directory, Classifier(), encoders=[LSTM(hidden=4), Mean()], dropout=0.5).fit(TEXTS, LABELS)
    (entry,) = cache.iterdir()
    given = pipeline.stages[1].forward(Regex().forward(Text(TEXTS)))
    lengths = np.load(entry / "lengths.npy")
    rows = np.fromfile(entry / "rows.float16", dtype="<f2").reshape(lengths.sum(), -1)
    assert lengths.tolist() == given.lengths.tolist()
    np.testing.assert_allclose(rows, given.rows.detach().numpy(), atol=2e-3, rtol=2e-3)
    first, second = pipeline.predict(TEXTS).probabilities, pipeline.predict(TEXTS).probabilities
    np.testing.assert_array_equal(first, second)


def test_over_the_budget_it_is_computed_and_nothing_is_left(
    directory: str, cache: Path, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = (TEXTS[:4], LABELS[:4])
    kept = bert(directory, Classifier()).fit(TEXTS, LABELS, dev).predict(TEXTS).probabilities
    monkeypatch.setenv("NLPIPE_CACHE", str(cache.parent.parent / "other"))
    for budget in ("0", str(4 * 16 * 2 / 1e9)):  # nothing fits; the dev split alone does
        monkeypatch.setenv("NLPIPE_FEATURES_GB", budget)
        calls.clear()
        found = bert(directory, Classifier()).fit(TEXTS, LABELS, dev)
        assert sum(calls) > 2 * len(TEXTS)  # in each epoch
        np.testing.assert_allclose(found.predict(TEXTS).probabilities, kept, atol=5e-3)
        left = entries(cache.parent.parent / "other" / "features")
        assert len(left) == (0 if budget == "0" else 1)
    monkeypatch.setenv("NLPIPE_FEATURES_GB", "much")
    with pytest.raises(NlpipeError, match="NLPIPE_FEATURES_GB=much"):
        bert(directory).fit(TEXTS, LABELS)


def rows_of(number: int) -> Iterator[Vectors]:
    yield Vectors(np.full((10, 100), number, dtype=np.float32))


def test_the_entries_used_longest_ago_go_first(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 10 * 100 * 2 + 200  # with what describes it
    monkeypatch.setenv("NLPIPE_FEATURES_GB", str(2 * size / 1e9))

    def keep(text: str, number: int) -> np.ndarray:
        found, _ = feature_cache.cached_outputs([Mean()], Text([text]), lambda: rows_of(number), "source")
        assert isinstance(found, Vectors)
        return np.array(found.rows)

    keep("a", 1)
    keep("b", 2)
    for age, path in enumerate(sorted(cache.iterdir(), key=lambda path: np.fromfile(path / "rows.float16", "<f2")[0])):
        os.utime(path, (1000 + age, 1000 + age))
    busy = cache / f".partial-{os.getppid()}-other"  # of a process that is alive
    busy.mkdir()
    (busy / "rows.float16").write_bytes(b"x" * 5 * size)
    assert keep("a", 9)[0, 0] == 1  # used again, so that b is the oldest
    assert keep("c", 3)[0, 0] == 3
    assert len(entries(cache)) == 3 and busy.exists()
    assert keep("a", 9)[0, 0] == 1
    assert keep("b", 9)[0, 0] == 9  # was evicted


def test_killed_while_writing_leaves_no_entry(cache: Path) -> None:
    program = textwrap.dedent("""
        import os, signal
        import numpy as np
        from nlpipe.pipeline import feature_cache
        from nlpipe.encoders import Mean
        from nlpipe.wire import Text, Vectors
        def compute():
            yield Vectors(np.ones((10, 100), dtype=np.float32))
            os.kill(os.getpid(), signal.SIGKILL)
        feature_cache.cached_outputs([Mean()], Text(["a"]), compute, "source")
    """)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    died = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(entries(cache)) == 1 and all(name.startswith(".partial-") for name in entries(cache))
    found, _ = feature_cache.cached_outputs([Mean()], Text(["a"]), lambda: rows_of(7), "source")
    assert found is not None and np.array(found.rows)[0, 0] == 7
    assert len(entries(cache)) == 1 and not any(name.startswith(".partial-") for name in entries(cache))


@pytest.mark.parametrize("texts", [["", "  "] * 3, []])
def test_texts_without_words_can_be_kept(texts: list[str]) -> None:
    source = Tokens([[] for _ in texts], texts)

    def compute() -> Iterator[Sequences]:
        yield Sequences(np.zeros((0, 5), dtype=np.float32), [0] * len(texts))

    found, _ = feature_cache.cached_outputs([Mean()], source, compute, "source")
    assert isinstance(found, Sequences)
    assert (len(found), found.rows.shape) == (len(texts), (0, 5))


def test_a_nested_stage_is_part_of_the_name() -> None:
    def name(first: int, seed: int) -> str:
        inner = Word2Vec(dim=4, min_count=1)
        inner.seed = seed
        stage = Join([Join([inner])])
        stage.fit([(Tokens.from_words([["a", "b"]] * first), None)])
        return feature_cache.entry_name([stage], Text(["a"]), "source")

    assert name(3, 1) == name(3, 1)
    assert name(3, 1) != name(3, 2)
