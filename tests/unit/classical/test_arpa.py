"""ARPA files: read again in plain loops, and by KenLM, they give the probabilities of the model."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from nlpipe.classical.arpa import arpa_word, write_arpa
from nlpipe.classical.kneser_ney import KneserNey
from nlpipe.errors import DataError, NlpipeError
from nlpipe.vocabulary import END, START, UNKNOWN, Vocabulary, escaped

from .books import closed_vocabulary

TEXTS = ["the cat sat on the mat", "the dog sat", "a cat saw the dog on the mat", "the the the"] * 2 + ["rare"]


def fitted(vocabulary: Vocabulary, texts: list[list[int]], order: int) -> KneserNey:
    words, lengths = np.array([word for text in texts for word in text]), np.array([len(text) for text in texts])
    return KneserNey.fit(words, lengths, len(vocabulary), order, vocabulary.id(START), vocabulary.id(END))


def small(order: int) -> tuple[Vocabulary, KneserNey]:
    texts = [text.split() for text in TEXTS]
    vocabulary = Vocabulary.count(texts, min_count=2, specials=(START, END))
    return vocabulary, fitted(vocabulary, [vocabulary.ids(text).tolist() for text in texts], order)


def scores(model: KneserNey, vocabulary: Vocabulary, text: list[str]) -> list[float]:
    """Log10 of the probability of each word, and of the end."""
    ids = vocabulary.ids([*text, END])
    return (model.score(ids, np.array([len(ids)])) / math.log(10)).tolist()


def read(path: Path) -> dict[str, tuple[float, float]]:
    """Of each n-gram its log10 p and its backoff weight; the head of the file must count them."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    blocks = content.decode("utf-8").split("\n\n")
    assert blocks[0].startswith("\\data\\\n") and blocks[-1] == "\\end\\\n"
    table: dict[str, tuple[float, float]] = {}
    for n, (head, block) in enumerate(zip(blocks[0].split("\n")[1:], blocks[1:-1], strict=True), 1):
        title, *lines = block.split("\n")
        assert title == f"\\{n}-grams:" and head == f"ngram {n}={len(lines)}"
        for line in lines:
            log, ngram, *backoff = line.split("\t")
            assert ngram.count(" ") == n - 1
            table[ngram] = float(log), float(*backoff or [0.0])
    return table


def looked_up(table: dict[str, tuple[float, float]], history: list[str], word: str) -> float:
    """Log10 p(word | history) as readers of ARPA files compute it."""
    ngram = " ".join([*history, word])
    if ngram in table:
        return table[ngram][0]
    return table.get(" ".join(history), (0.0, 0.0))[1] + looked_up(table, history[1:], word)


@pytest.mark.parametrize("order", [1, 2, 3, 6])
@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
def test_what_is_read_is_what_was_fitted(tmp_path: Path, order: int, name: str) -> None:
    vocabulary, model = small(order)
    write_arpa(model, vocabulary.words(), tmp_path / name)
    table = read(tmp_path / name)
    assert table[START][0] == -99 and UNKNOWN in table and "<pad>" not in table
    assert sum(10**log for ngram, (log, _) in table.items() if " " not in ngram) == pytest.approx(1.0, abs=1e-6)
    for text in (["the", "cat", "sat"], ["the", "dog", "on", "mars", "the", "mat"], [], ["on", "on", "on"]):
        words = [START, *(word if word in vocabulary else UNKNOWN for word in text), END]
        found = [looked_up(table, words[max(0, i - order + 1) : i], words[i]) for i in range(1, len(words))]
        assert found == pytest.approx(scores(model, vocabulary, text), abs=1e-5)


def test_a_word_that_is_spelled_like_a_special_one_has_a_name_of_its_own(tmp_path: Path) -> None:
    texts = [["the", "<unk>", "sat"], ["</s>", "the", "<unk>"]] * 3
    vocabulary = Vocabulary.count([escaped(text) for text in texts], specials=(START, END))
    model = fitted(vocabulary, [vocabulary.ids(escaped(text)).tolist() for text in texts], 3)
    write_arpa(model, vocabulary.words(), tmp_path / "model.arpa")
    table = read(tmp_path / "model.arpa")
    words = [START, *map(arpa_word, texts[1]), END]
    found = [looked_up(table, words[max(0, i - 2) : i], words[i]) for i in range(1, len(words))]
    assert found == pytest.approx(scores(model, vocabulary, escaped(texts[1])), abs=1e-5)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    vocabulary, model = small(3)
    for name in ("a.arpa.gz", "b.arpa.gz"):
        write_arpa(model, vocabulary.words(), tmp_path / name)
    assert (tmp_path / "a.arpa.gz").read_bytes() == (tmp_path / "b.arpa.gz").read_bytes()


def test_words_with_white_space_are_escaped() -> None:
    words = ["<pad>", "<unk>", " ", "\n", "a b", "\u2028", "\0", "\ud800", "<UNK>", "é", "\\", "\u200b"]
    names = [arpa_word(word) for word in words]
    assert names == [
        r"\u003cpad>", r"\u003cunk>", r"\u0020", r"\u000a", r"a\u0020b", r"\u2028", r"\u0000", r"\ud800",
        r"\u003cUNK>", "é", "\\", "\u200b",
    ]  # fmt: skip
    assert [name.split() for name in names] == [[name] for name in names]
    "".join(names).encode("utf-8")


@pytest.mark.parametrize(
    ("word", "message"),
    [(r"\u0020", r"' ' and .* would both be \\u0020 in an ARPA file"), ("", "an empty word has no name")],
)
def test_words_without_a_name_of_their_own_are_refused(tmp_path: Path, word: str, message: str) -> None:
    vocabulary = Vocabulary.count([[" ", word]], specials=(START, END))
    model = fitted(vocabulary, [vocabulary.ids([" ", word]).tolist()], 2)
    with pytest.raises(DataError, match=message):
        write_arpa(model, vocabulary.words(), tmp_path / "model.arpa")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    vocabulary, model = small(2)
    with pytest.raises(NlpipeError, match=r"missing.*; no partial file was left"):
        write_arpa(model, vocabulary.words(), tmp_path / "missing" / "model.arpa")


@pytest.mark.shared_data
def test_kenlm_gives_the_same(shared_data: Path, tmp_path: Path) -> None:
    """Every word of held-out lines of War and Peace, unknown ones included, to 1e-4."""
    kenlm = pytest.importorskip("kenlm")
    vocabulary, train, test = closed_vocabulary(shared_data / "war_and_peace", 4_000, 400)
    model = fitted(vocabulary, train, 5)
    write_arpa(model, vocabulary.words(), tmp_path / "model.arpa")
    queried = kenlm.Model(str(tmp_path / "model.arpa"))
    unknown = 0
    for text in (vocabulary.words(ids) for ids in test):
        raw = ["zzz-unseen" if word == UNKNOWN else word for word in text]
        found = list(queried.full_scores(" ".join(raw)))
        assert [log for log, _, _ in found] == pytest.approx(scores(model, vocabulary, text), abs=1e-4)
        unknown += sum(out for _, _, out in found)
    assert unknown > 50


def test_kenlm_reads_characters(tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm")
    vocabulary = Vocabulary.count(TEXTS, specials=(START, END))
    model = fitted(vocabulary, [vocabulary.ids(list(text)).tolist() for text in TEXTS], 4)
    write_arpa(model, vocabulary.words(), tmp_path / "model.arpa")
    text = list("the cats\nate")
    found = [log for log, _, _ in kenlm.Model(str(tmp_path / "model.arpa")).full_scores(" ".join(map(arpa_word, text)))]
    assert found == pytest.approx(scores(model, vocabulary, text), abs=1e-4)
