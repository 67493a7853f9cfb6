"""Word2Vec: it learns, it repeats itself in any process, it counts what it does not know, and it needs no torch."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from nlpipe.representations import Word2Vec
from nlpipe.stage import State
from nlpipe.wire import Labels, Sequences, Tokens

FRUIT, TOOLS = ["apple", "pear", "plum", "cherry"], ["hammer", "saw", "drill", "wrench"]


def sentences(count: int = 300) -> list[list[str]]:
    """Each speaks of one topic alone, so that words of a topic share their neighbours."""
    source = random.Random(3)
    return [[source.choice(source_words) for _ in range(8)] for source_words in [FRUIT, TOOLS] * (count // 2)]


def data(words: list[list[str]]) -> list[tuple[Tokens, Labels]]:
    tokens = Tokens.from_words(words)
    half = len(words) // 2
    return [
        (tokens.take(range(half)), Labels([""] * half)),
        (tokens.take(range(half, len(words))), Labels([""] * (len(words) - half))),
    ]


def row(stage: Word2Vec, word: str) -> np.ndarray:
    return np.asarray(stage.forward(Tokens.from_words([[word]])).form.rows[0])


def round_trip(stage: Word2Vec) -> Word2Vec:
    state = stage.state()
    fresh = Word2Vec(**stage.options)
    fresh.load_state(State(state.arrays, json.loads(json.dumps(state.data))), stage.version)
    return fresh


@pytest.mark.parametrize("algorithm", ["skip_gram", "cbow"])
def test_words_of_a_topic_come_together(algorithm: str) -> None:
    stage = Word2Vec(dim=12, epochs=20, algorithm=algorithm, subsample=0, lr=0.05)
    stage.fit(data(sentences()))
    rows = {w: row(stage, w) / np.linalg.norm(row(stage, w)) for w in FRUIT + TOOLS}
    within = np.mean([rows[a] @ rows[b] for a in FRUIT for b in FRUIT if a != b])
    across = np.mean([rows[a] @ rows[b] for a in FRUIT for b in TOOLS])
    assert within > across + 0.3


SCRIPT = """
import random, sys
import numpy as np
from nlpipe.representations import Word2Vec
from nlpipe.wire import Tokens
words = [[f"w{random.Random(i * 31 + j).randrange(40)}" for j in range(9)] for i in range(200)]
stage = Word2Vec(dim=16, epochs=3)
stage.fit([(Tokens.from_words(words), None)])
assert stage.build(0) == 16 and not stage.trainable and stage.module is None
rows = stage.forward(Tokens.from_words([["w1", "w2", "never"]])).form.rows
assert "torch" not in sys.modules, "word2vec imported torch"
import hashlib
print(hashlib.sha256(rows.tobytes()).hexdigest())
"""


def test_every_process_learns_the_same_and_without_torch() -> None:
    found = set()
    for hash_seed in ("0", "1234"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout.strip())
    assert len(found) == 1


def test_seeds_matter() -> None:
    rows = []
    for seed in (1, 2):
        stage = Word2Vec(dim=8, epochs=1)
        stage.seed = seed
        stage.fit(data(sentences(40)))
        rows.append(row(stage, "apple"))
    assert not np.allclose(rows[0], rows[1])


def test_one_vector_a_word_and_the_unknown_counted() -> None:
    stage = Word2Vec(dim=8, epochs=1)
    stage.fit(data(sentences(40)))
    tokens = Tokens.from_words([["apple", "nowhere", "saw"], [], ["nothing"]])
    for source in (tokens, stage.prepare(tokens)):
        given = stage.forward(source)
        assert given.form.rows.shape == (4, 8) and given.lengths.tolist() == [3, 0, 1] and given.tokens is source
        assert stage.ledger(source) == {"tokens": 4, "out_of_vocabulary": 2, "truncated_tokens": 0}
    known = np.mean([row(stage, w) for w in FRUIT + TOOLS], axis=0)
    np.testing.assert_allclose(given.form.rows[1], known, rtol=1e-5)  # the mean of all words
    zero = Word2Vec(dim=8, epochs=1, unknown="zero")
    zero.fit(data(sentences(40)))
    assert not row(zero, "nowhere").any() and row(zero, "apple").any()


def test_take_and_concat_of_prepared_tokens() -> None:
    stage = Word2Vec(dim=8, epochs=1)
    stage.fit(data(sentences(40)))
    tokens = Tokens.from_words([["apple", "saw"], [], ["pear", "what"]])
    prepared = stage.prepare(tokens)
    again = type(prepared).concat([prepared.take([2]), prepared.take([0, 1])])
    expected = stage.forward(Tokens.from_words([["pear", "what"], ["apple", "saw"], []]))
    np.testing.assert_array_equal(stage.forward(again).form.rows, expected.form.rows)
    other = Word2Vec(dim=8, epochs=1)
    other.fit(data([["saw", "what"] * 4] * 4))
    np.testing.assert_array_equal(
        other.forward(prepared).form.rows, other.forward(tokens).form.rows
    )  # its own ids, not ours


@pytest.mark.parametrize("words", [[[], []], [["once"], ["never", "again"]]])
def test_nothing_to_learn_from(words: list[list[str]]) -> None:
    stage = Word2Vec(dim=8)
    stage.fit([(Tokens.from_words(words), None)])
    assert stage.build(0) == 8
    assert not stage.forward(Tokens.from_words([["once", "more"]])).form.rows.any()
    assert round_trip(stage).forward(Tokens.from_words([["x"]])).form.rows.shape == (1, 8)


@pytest.mark.parametrize(("most", "kept"), [(1, "a"), (2, "ab"), (3, "abc"), (9, "abcd")])
def test_the_commonest_words_and_ties_by_the_alphabet(most: int, kept: str) -> None:
    stage = Word2Vec(dim=4, epochs=1, min_count=1, max_words=most)
    stage.fit([(Tokens.from_words([["d", "b", "a"], ["c", "a"]]), None)])
    stage.build(0)
    assert stage.ledger(Tokens.from_words([["a", "b", "c", "d"]]))["out_of_vocabulary"] == 4 - len(kept)
    assert stage.ledger(Tokens.from_words([list(kept)]))["out_of_vocabulary"] == 0


def test_words_beyond_the_ten_thousandth_are_read() -> None:
    stage = Word2Vec(dim=4, epochs=1, subsample=0)
    initial = Word2Vec(dim=4, epochs=1, subsample=0)
    text = ["a", "b"] * 5000
    stage.fit([(Tokens.from_words([text + ["late", "later"] * 50]), None)])
    initial.fit([(Tokens.from_words([text, *[["late"]] * 50, *[["later"]] * 50]), None)])  # alone: nothing to learn
    assert not np.allclose(row(stage, "late"), row(initial, "late"))


def test_averages_weighted_by_idf_are_those_of_scikit_learn() -> None:
    words = [*sentences(20), ["apple", "saw", "rare", "rare"]]
    plain, weighted = (Word2Vec(dim=6, epochs=1, min_count=1, weights=w) for w in (None, "idf"))
    for stage in (plain, weighted):
        stage.fit(data(words))
    model = TfidfVectorizer(analyzer=lambda text: text.split(), norm=None).fit([" ".join(s) for s in words])
    idf = dict(zip(model.get_feature_names_out(), model.idf_, strict=True))
    mean = np.mean([idf[w] for s in words for w in s])
    for word in ("apple", "rare"):
        np.testing.assert_allclose(row(weighted, word), row(plain, word) * idf[word] / mean, rtol=1e-4)


def test_sif_weights_are_those_of_the_paper() -> None:
    words = [*sentences(20), ["apple", "saw", "rare", "rare"]]
    plain, weighted = (Word2Vec(dim=6, epochs=1, min_count=1, weights=w) for w in (None, "sif"))
    for stage in (plain, weighted):
        stage.fit(data(words))
    counts = Counter(w for s in words for w in s)
    sif = {w: 1e-3 / (1e-3 + n / counts.total()) for w, n in counts.items()}
    ratio = [np.linalg.norm(row(weighted, w)) / np.linalg.norm(row(plain, w)) / sif[w] for w in sif]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)  # one factor for all words
    mean = sum(counts[w] * sif[w] for w in sif) / counts.total()
    assert ratio[0] == pytest.approx(1 / mean, rel=1e-4)


def test_saved_and_loaded_frozen() -> None:
    stage = Word2Vec(dim=8, epochs=1)
    stage.fit(data(sentences(40)))
    tokens = Tokens.from_words([["apple", "nowhere", "saw"], []])
    np.testing.assert_array_equal(round_trip(stage).forward(tokens).form.rows, stage.forward(tokens).form.rows)


def test_trainable_learns_and_is_saved_as_learned() -> None:
    torch = pytest.importorskip("torch")
    stage = Word2Vec(dim=8, epochs=1, trainable=True)
    stage.fit(data(sentences(40)))
    tokens = Tokens.from_words([["apple", "nowhere"]])
    before = stage.forward(tokens).form.rows
    assert stage.build(0) == 8 and stage.trainable
    after = stage.forward(tokens)
    np.testing.assert_array_equal(after.form.rows.detach().numpy(), before)
    optimiser = torch.optim.SGD(stage.module.parameters(), lr=0.1)
    after.form.rows.sum().backward()
    optimiser.step()
    learned = stage.forward(tokens).form.rows.detach().numpy()
    np.testing.assert_allclose(learned, before - 0.1, rtol=1e-4, atol=1e-6)
    again = round_trip(stage).forward(tokens)
    assert isinstance(again, Sequences) and again.form.rows.requires_grad
    np.testing.assert_array_equal(again.form.rows.detach().numpy(), learned)
