"""Trained pieces: what they keep of the text, and that training gives the same each time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from tokenizers import Tokenizer as Pieces

from nlpipe.errors import DataError, ModelError, NlpipeError
from nlpipe.stage import State
from nlpipe.tokenizers import BPE, Unigram, WordPiece
from nlpipe.wire import Text

CORPUS = [f"{a} {b} {c}." for a in ("the", "a", "low") for b in ("lower", "newest", "film") for c in ("is", "was")]
KINDS: list[Any] = [BPE, WordPiece, Unigram, lambda size: BPE(size, byte_level=True)]
NAMES = ["bpe", "wordpiece", "unigram", "byte-level bpe"]


def fitted(tokenizer: Any, texts: list[str] = CORPUS) -> Any:
    tokenizer.fit([(Text(texts), None)])
    return tokenizer


def pieces(tokenizer: Any, text: str) -> list[tuple[str, str]]:
    """Each piece with the characters it stands for."""
    tokens = tokenizer.forward(Text([text]))
    return [(w, text[s:e]) for w, (s, e) in zip(tokens.words[0], tokens.spans(0), strict=True)]


def test_the_first_merge_is_the_most_frequent_pair() -> None:
    """Sennrich et al.'s toy corpus: low 5, lower 2, newest 6, widest 3; es, est, then lo, low or ne ..."""
    corpus = ["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3
    letters = len(set("".join(corpus)) | {"▁"}) + 1  # and [UNK]
    merges = json.loads(fitted(BPE(letters + 2), corpus).pieces.to_str())["model"]["merges"]
    assert merges[:2] == [["e", "s"], ["es", "t"]]


@pytest.mark.parametrize(("kind", "mark"), list(zip(KINDS, ["▁", "", "▁", "Ġ"], strict=True)), ids=NAMES)
@pytest.mark.parametrize("size", [30, 400])
def test_marks_stay_in_words_and_out_of_spans(kind: Any, mark: str, size: int) -> None:
    tokenizer = fitted(kind(size))
    for text in ("the film.", "  the  newest film.", "x film"):
        found = pieces(tokenizer, text)
        for piece, covered in found:
            assert covered == piece.removeprefix("##").lstrip(mark) or piece == "[UNK]"
        assert "".join(covered for _, covered in found) == "".join(text.split())
        assert sum(piece.startswith(mark) for piece, _ in found) >= len(text.split()) - (mark == "")


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_join_brings_the_text_back(kind: Any) -> None:
    tokenizer = fitted(kind(300))
    for text in [*CORPUS, "lowest film was new."]:
        assert tokenizer.join(tokenizer.forward(Text([text])).words[0]) == text


def test_unknown_characters_have_their_span() -> None:
    assert ("[UNK]", "ß") in pieces(fitted(BPE(300)), "the ß film")
    assert ("[UNK]", "fiß") in pieces(fitted(WordPiece(300)), "the fiß film")
    assert fitted(BPE(300, byte_level=True)).join(["Ġ", "ÃŁ"]) == "ß"


def test_a_special_name_in_a_text_is_text() -> None:
    for kind in KINDS[:3]:
        tokenizer = fitted(kind(100), [*CORPUS, "[UNK] UNK [ ]"])
        again = kind(100)
        again.load_state(tokenizer.state(), 1)
        for made in (tokenizer, again):
            assert "".join(covered for _, covered in pieces(made, "[UNK]")) == "[UNK]"
            assert len(pieces(made, "[UNK]")) >= 3  # brackets stand apart


def test_bytes_of_one_character_share_it_without_overlap() -> None:
    tokenizer = fitted(BPE(260, byte_level=True))
    found = pieces(tokenizer, "a 你b")
    assert "".join(covered for _, covered in found) == "a你b"
    assert len(found) > 4
    assert tokenizer.join([word for word, _ in found]) == "a 你b"


def test_scripts_without_spaces_are_cut_and_joined() -> None:
    texts = ["我喜欢这部电影。", "我喜欢电影。", "这部电影很好。", "これは映画です。", "ภาพยนตร์ดีมาก"] * 3
    for kind in KINDS:
        tokenizer = fitted(kind(30), texts)
        for text in texts[:5]:
            words = tokenizer.forward(Text([text])).words[0]
            assert len(words) > 1
            assert tokenizer.join(words) == text


def test_a_long_run_of_letters_is_not_unknown_to_wordpiece() -> None:
    words = fitted(WordPiece(100)).forward(Text(["film" * 5000])).words[0]
    assert "[UNK]" not in words


def test_case_and_form() -> None:
    made = fitted(BPE(300, lowercase=True), [*CORPUS, "naïve"])
    assert pieces(made, "THE FILM") == [("▁the", "THE"), ("▁film", "FILM")]
    assert [w for w, _ in pieces(made, "nai\u0308ve")] == [w for w, _ in pieces(made, "naïve")]
    assert made.normalise("FILM") == "film"


def digests() -> list[str]:
    """Hashes of what three trainers learn in a fresh process."""
    code = (
        "import hashlib, json\n"
        "from nlpipe.tokenizers import BPE, Unigram, WordPiece\n"
        "from nlpipe.wire import Text\n"
        f"texts = {[' '.join(CORPUS[i::3]) + f' number {i * 7919 % 1000}' for i in range(40)]!r}\n"
        "for kind in (BPE, WordPiece, Unigram):\n"
        "    made = kind(120)\n"
        "    made.fit([(Text(texts), None)])\n"
        "    print(hashlib.sha256(json.dumps(made.state().data).encode()).hexdigest())\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_training_in_another_process_gives_the_same_pieces() -> None:
    first = digests()
    assert len(set(first)) == 3
    assert [digests() for _ in range(3)] == [first] * 3


def test_what_it_learned_is_plain_json() -> None:
    state = fitted(Unigram(60)).state()
    assert not state.arrays
    restored = Pieces.from_str(json.dumps(state.data["pieces"]))
    assert restored.encode("the film").tokens == fitted(Unigram(60)).forward(Text(["the film"])).words[0]


def test_before_training_and_without_text() -> None:
    for kind in KINDS:
        with pytest.raises(NlpipeError, match="call fit first"):
            kind(100).forward(Text(["a"]))
        with pytest.raises(DataError, match="the training split has no text"):
            fitted(kind(100), ["", "  "])
    with pytest.raises(ModelError, match="cannot be read"):
        BPE().load_state(State(data={"pieces": {"model": 1}}), 1)
    with pytest.raises(ValueError, match="vocabulary_size: invalid value 0: expected a positive integer"):
        BPE(0)
