"""Tables of pieces that are ready: what model2vec writes, whole and broken, and the wheel wordllama."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from nlpipe.classical.piece_tables import PieceTable, WordSplitter, ready_table
from nlpipe.errors import ModelError

PIECES = {"[PAD]": 0, "[UNK]": 1, "good": 2, "film": 3, "##s": 4, "bad": 5}
ROWS = np.arange(18, dtype=np.float32).reshape(6, 3)


def write(folder: Path, pieces: dict[str, int] = PIECES, **arrays: np.ndarray) -> Path:
    """A directory as model2vec writes it."""
    folder.mkdir()
    backend = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.add_special_tokens(["[PAD]", "[UNK]"])
    backend.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec", "normalize": True}))
    save_file(arrays or {"embeddings": ROWS}, folder / "model.safetensors")
    return folder


def read(folder: Path) -> PieceTable:
    table = ready_table(str(folder))
    assert table is not None
    return table


def test_a_model2vec_directory_is_read(tmp_path: Path) -> None:
    table = read(write(tmp_path / "m"))
    np.testing.assert_array_equal(table.vectors, ROWS)
    assert [list(ids) for ids in table.splitter.split(["Films", "good", "unheard", "", "\ud800"])] == [
        [3, 4], [2], [], [], [],
    ]  # fmt: skip


def test_newer_files_have_rows_and_weights_by_piece(tmp_path: Path) -> None:
    mapping, weights = np.array([0, 0, 1, 2, 1, 0]), np.array([1, 1, 0.5, 2, 1, 1])
    table = read(write(tmp_path / "m", embeddings=ROWS[:3].astype(np.float16), mapping=mapping, weights=weights))
    np.testing.assert_array_equal(table.vectors, ROWS[mapping] * weights[:, None])


def test_without_its_config_it_is_known_by_its_table(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    (folder / "config.json").unlink()
    assert read(folder).vectors.shape == (6, 3)


def test_what_is_no_table_is_left_to_others(tmp_path: Path) -> None:
    assert ready_table(str(tmp_path)) is None
    assert ready_table("some/name") is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"embeddings": ROWS[:4]}, "the tokenizer has 6 pieces, but the table has 4 rows"),
        ({"other": ROWS}, "no table 'embeddings'"),
        ({"embeddings": ROWS[:, 0]}, "no table 'embeddings'"),
        ({"embeddings": ROWS, "mapping": np.arange(1, 7)}, "names rows that the table does not have"),
        ({"embeddings": ROWS, "weights": np.ones(3)}, r"'weights' .* has the shape \(3,\)"),
        ({"embeddings": np.where(ROWS == 4, np.nan, ROWS)}, "contains NaN"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ready_table(str(write(tmp_path / "m", **arrays)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.safetensors", b"\xff" * 40, "model.safetensors is damaged"),
        ("model.safetensors", b"", "model.safetensors is damaged"),
        ("tokenizer.json", b"{}", "the tokenizer is damaged"),
        ("tokenizer.json", b"\xff\xfe", "the tokenizer is damaged"),
        ("tokenizer.json", b"[" * 10_000, "the tokenizer is damaged"),
        ("tokenizer.json", None, "tokenizer.json: cannot be read: No such file"),
        ("model.safetensors", None, "model.safetensors: cannot be read: No such file"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    folder = write(tmp_path / "m")
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        ready_table(str(folder))


def test_words_have_the_pieces_that_they_have_within_a_text(tmp_path: Path) -> None:
    """Also where a space before a word is part of its first piece; and again when they are remembered."""
    backend = Tokenizer(models.BPE({"Ġ": 0, "a": 1, "b": 2, "Ġa": 3, "Ġab": 4}, [("Ġ", "a"), ("Ġa", "b")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    splitter = WordSplitter(backend.to_str(), "model")
    expected = backend.encode("b a ab", add_special_tokens=False).ids[1:]
    assert [i for ids in splitter.split(["a", "ab"]) for i in ids] == expected == [3, 4]
    assert splitter.split(["ab", "ab"]) == splitter.split(["ab"]) * 2


@pytest.mark.network
def test_wordllama_is_read_from_its_wheel() -> None:
    table = ready_table("wordllama")
    assert table is not None and table.vectors.shape == (32_000, 256)
    film, movie, tax = (table.vectors[list(ids)].mean(0) for ids in table.splitter.split(["film", "movie", "taxation"]))
    assert film @ movie / np.linalg.norm(movie) > 2 * film @ tax / np.linalg.norm(tax)
