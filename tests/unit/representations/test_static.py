"""Pretrained vectors: every format gives the same, nothing is unpickled, and only trained rows change."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import gensim
import numpy as np
import pytest

from nlpipe.errors import DataError, NlpipeWarning
from nlpipe.representations import Static
from nlpipe.stage import State
from nlpipe.wire import Tokens

WORDS = ["the", "cat", "sat", "naïve", "Paris", "🙂", "rare"]
VECTORS = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)


@pytest.fixture
def model() -> gensim.models.KeyedVectors:
    vectors = gensim.models.KeyedVectors(5)
    vectors.add_vectors(WORDS, VECTORS)
    return vectors


def write(model: gensim.models.KeyedVectors, kind: str, folder: Path) -> Path:
    path = folder / f"vectors.{kind}"
    lines = [" ".join([w, *(repr(float(x)) for x in v)]) for w, v in zip(WORDS, VECTORS, strict=True)]
    if kind == "bin":
        model.save_word2vec_format(str(path), binary=True)
    elif kind == "vec":
        model.save_word2vec_format(str(path), binary=False)
    elif kind == "txt":  # GloVe: no header
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif kind == "txt.gz":
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    else:
        np.save(path, VECTORS)
        path.with_suffix(".txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return path


def fit(stage: Static, words: list[list[str]]) -> Static:
    stage.fit([(Tokens.from_words(words), None)])
    return stage


@pytest.mark.parametrize("kind", ["bin", "vec", "txt", "txt.gz", "npy"])
def test_every_format_gives_the_vectors(kind: str, model: gensim.models.KeyedVectors, tmp_path: Path) -> None:
    stage = fit(Static(str(write(model, kind, tmp_path)), unknown="zero"), [["cat", "sat"]])
    assert stage.build(0) == 5
    given = stage.forward(Tokens.from_words([[*WORDS, "nowhere"], []]))
    np.testing.assert_allclose(given.form.rows, [*VECTORS, np.zeros(5)], rtol=1e-5)
    assert given.lengths.tolist() == [8, 0]


def test_words_in_capitals_fall_back_to_lower_case(model: gensim.models.KeyedVectors, tmp_path: Path) -> None:
    path = str(write(model, "bin", tmp_path))
    tokens = Tokens.from_words([["The", "Paris", "paris", "CAT"]])
    fallen = fit(Static(path), [["x"]])
    np.testing.assert_array_equal(fallen.forward(tokens).form.rows[[0, 1, 3]], VECTORS[[0, 4, 1]])
    assert fallen.ledger(tokens)["out_of_vocabulary"] == 1
    assert fit(Static(path, lowercase=False), [["x"]]).ledger(tokens)["out_of_vocabulary"] == 3


def test_the_most_frequent_words_and_the_words_of_the_training_split_are_kept(
    model: gensim.models.KeyedVectors, tmp_path: Path
) -> None:
    stage = fit(Static(str(write(model, "bin", tmp_path)), max_words=2), [["Rare", "sat"]])
    unknown = {w for w in WORDS if stage.ledger(Tokens.from_words([[w]]))["out_of_vocabulary"]}
    assert unknown == {"naïve", "Paris", "🙂"}  # the two commonest and those of the training split stay


def test_saved_and_loaded_without_its_source(model: gensim.models.KeyedVectors, tmp_path: Path) -> None:
    path = write(model, "bin", tmp_path)
    stage = fit(Static(str(path), weights="sif"), [["cat", "cat", "sat"]])
    path.unlink()
    state = stage.state()
    fresh = Static(**stage.options)
    fresh.load_state(State(state.arrays, json.loads(json.dumps(state.data))), 1)
    tokens = Tokens.from_words([[*WORDS, "Cat", "nowhere"]])
    np.testing.assert_array_equal(fresh.forward(tokens).form.rows, stage.forward(tokens).form.rows)


def test_training_changes_seen_words_alone(model: gensim.models.KeyedVectors, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    stage = fit(Static(str(write(model, "bin", tmp_path)), trainable=True), [["cat", "sat", "Paris"]])
    stage.build(0)
    tokens = Tokens.from_words([WORDS])
    optimiser = torch.optim.AdamW(stage.module.parameters(), lr=0.1, weight_decay=0.5)
    stage.forward(tokens).form.rows.square().sum().backward()
    optimiser.step()
    rows = stage.forward(tokens).form.rows.detach().numpy()
    changed = {w for w, new, old in zip(WORDS, rows, VECTORS, strict=True) if not np.array_equal(new, old)}
    assert changed == {"cat", "sat", "Paris"}


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)


def test_pickles_are_refused(model: gensim.models.KeyedVectors, tmp_path: Path) -> None:
    model.save(str(tmp_path / "vectors.kv"))
    with pytest.raises(DataError, match="save_word2vec_format"):
        fit(Static(str(tmp_path / "vectors.kv")), [["x"]])
    (tmp_path / "vectors.npy").write_bytes(pickle.dumps(Harm()))
    (tmp_path / "vectors.txt").write_text("a\n")
    with pytest.raises(DataError, match=r"vectors\.npy"):
        fit(Static(str(tmp_path / "vectors.npy")), [["x"]])


BROKEN = bytearray(gzip.compress(b"".join(b"w%d %d\n" % (i, i) for i in range(5000)), mtime=0))
BROKEN[len(BROKEN) // 2 :] = b"\xff" * (len(BROKEN) - len(BROKEN) // 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "the file contains no vectors"),
        ("a.txt", b"cat 1 2 3\nsat 1 2\n", "word 2"),
        ("a.txt", b"cat 1 2 3\nsat 1 x 2\n", r"a\.txt:2"),
        ("a.bin", b"no header here\n", "binary format"),
        ("a.bin", b"3 2\ncat 12345678", "the file ends after 1 of 3 vectors"),
        ("a.npy", b"", "the words are missing"),
        ("a.txt.gz", b"not gzip", "cannot be read"),
        ("a.txt.gz", BROKEN, "cannot be read: Error -3"),
        ("a.txt", b"cat 1 nan\n", "the vector of 'cat' contains NaN or an infinity"),
        (
            "a.bin",
            b"1 2\ncat " + np.array([1, np.inf], "<f4").tobytes(),
            "the vector of 'cat' contains NaN or an infinity",
        ),
        ("a.bin", b"1 0\ncat ", "vectors have 0 numbers"),
        ("a.txt", b"2 2\ncat 1 2 3\nsat 1 2 3\n", r"a\.txt:2: this line has 3 numbers, but the first line says 2"),
    ],
)
def test_broken_files_are_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        fit(Static(str(tmp_path / name)), [["cat"]])


@pytest.mark.parametrize(
    ("array", "words", "message"),
    [
        (b"", b"cat\n", r"a\.npy: not an array of numbers"),
        (np.array([["x", "y"]]), b"cat\n", "the array contains <U1, not real numbers"),
        (np.array([[1 + 2j]]), b"cat\n", "the array contains complex128, not real numbers"),
        (np.array([[1.0, np.nan]]), b"cat\n", "the vector of 'cat' contains NaN or an infinity"),
        (np.ones((2, 2)), b"cat\nna\xefve\n", r"a\.txt:2: the file is not encoded in UTF-8"),
    ],
)
def test_broken_arrays_are_named(array: Any, words: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(words)
    if isinstance(array, bytes):
        (tmp_path / "a.npy").write_bytes(array)
    else:
        np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=message):
        fit(Static(str(tmp_path / "a.npy")), [["cat"]])


def test_tabs_and_blank_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("cat\t1\t2\n\nnew york\t3\t4\n\n")
    stage = fit(Static(str(tmp_path / "a.txt")), [["cat"]])
    np.testing.assert_array_equal(stage.forward(Tokens.from_words([["cat", "new york"]])).form.rows, [[1, 2], [3, 4]])


def test_a_text_file_that_is_not_complete_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1000 2\ncat 1 2\n")
    with pytest.warns(NlpipeWarning, match="the first line says 1,000 vectors, but there are 1; is the file complete"):
        fit(Static(str(tmp_path / "a.txt")), [["cat"]])


def test_an_unknown_name_is_reported() -> None:
    with pytest.raises(DataError, match="did you mean 'glove_6b_50d'"):
        fit(Static("glove_6b_50"), [["cat"]])


def test_text_vectors_of_words_with_spaces(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("cat 1 2\nat name@domain.com 3 4\n")
    stage = fit(Static(str(tmp_path / "a.txt")), [["cat"]])
    np.testing.assert_array_equal(stage.forward(Tokens.from_words([["at name@domain.com"]])).form.rows, [[3, 4]])


def test_frozen_vectors_need_no_torch(model: gensim.models.KeyedVectors, tmp_path: Path) -> None:
    path = write(model, "vec", tmp_path)
    script = (
        "import sys\nfrom nlpipe.representations import Static\nfrom nlpipe.wire import Tokens\n"
        f"stage = Static({str(path)!r})\nstage.fit([(Tokens.from_words([['cat']]), None)])\nstage.build(0)\n"
        "stage.forward(Tokens.from_words([['cat']]))\nassert not {'torch', 'gensim'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.network
def test_the_glove_wheel() -> None:
    stage = fit(Static(unknown="zero"), [["movie"]])
    assert stage.build(0) == 50
    near, far = (stage.forward(Tokens.from_words([["king", other]])).form.rows for other in ("queen", "carburetor"))
    assert np.corrcoef(near)[0, 1] > np.corrcoef(far)[0, 1] + 0.3
