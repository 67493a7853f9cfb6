"""What is refused of a pretrained model's directory: code, pickled weights, paths that leave it, absurd sizes."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from nlpipe.errors import ModelError

LIMITS = {
    "vocab_size": 10_000_000, "hidden_size": 65_536, "d_model": 65_536, "intermediate_size": 1_000_000,
    "d_ff": 1_000_000, "encoder_ffn_dim": 1_000_000, "decoder_ffn_dim": 1_000_000, "num_hidden_layers": 1_000,
    "num_layers": 1_000, "encoder_layers": 1_000, "decoder_layers": 1_000, "num_attention_heads": 4_096,
    "max_position_embeddings": 10_000_000, "type_vocab_size": 10_000, "embedding_size": 65_536,
}  # fmt: skip
"""Sizes that no model exceeds: a damaged file that does is refused before memory is asked for."""


def check_directory(directory: Path) -> None:
    """Refuse a directory whose loading could run code, leave it, or fill the memory.

    Raises:
        ModelError: it has no weights, or pickled ones only; a file of it names code of its own, or has sizes beyond
            those of any model.
    """
    check_tokenizer(directory)
    for name in ("config.json", "generation_config.json"):
        if (directory / name).exists():
            check_config(_json(directory / name), str(directory / name))
    _check_index(directory)
    _need_safetensors(directory)


def check_tokenizer(directory: Path) -> None:
    """Refuse a tokenizer that names code of its own, or whose ids are far beyond the number of its pieces.

    Raises:
        ModelError: it does.
    """
    settings, pieces = directory / "tokenizer_config.json", directory / "tokenizer.json"
    if settings.exists():
        check_config(_json(settings), str(settings))
    if pieces.exists():
        check_pieces(_json(pieces), str(pieces))


def check_config(config: Any, name: str) -> None:
    """Refuse a configuration that names code of its own or has sizes beyond those of any model.

    Raises:
        ModelError: it does; ``name`` is its name in the message.
    """
    if not isinstance(config, dict):
        raise ModelError(f"{name}: damaged: expected an object of settings")
    for key, value in config.items():
        if key in ("auto_map", "custom_pipelines"):
            raise ModelError(
                f"{name}: '{key}' names code that the model brings; nlpipe runs no code of a model. Use a model of an "
                "architecture that transformers has"
            )
        if isinstance(value, dict):
            check_config(value, name)
        elif isinstance(value, int) and key in LIMITS and not 0 <= value <= LIMITS[key]:
            raise ModelError(f"{name}: {key}: invalid value {value:,}: expected at most {LIMITS[key]:,}")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: damaged: {error}") from None


def check_pieces(content: Any, name: str) -> None:
    """Refuse the content of a tokenizer.json whose ids are far beyond the number of its pieces, as tables are as long.

    Raises:
        ModelError: one is; ``name`` is the file's name in the message.
    """
    model = content.get("model") if isinstance(content, dict) else None
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    added = content.get("added_tokens") if isinstance(content, dict) else None
    ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else []
    ids += [token.get("id") for token in added if isinstance(token, dict)] if isinstance(added, list) else []
    wrong = next((i for i in ids if not isinstance(i, int) or not 0 <= i <= LIMITS["vocab_size"]), None)
    if wrong is not None:
        raise ModelError(f"{name}: damaged: a piece has the id {wrong!r}; expected 0 to {LIMITS['vocab_size']:,}")


def _check_index(directory: Path) -> None:
    """Refuse an index of weights that names another kind of file than safetensors, or one outside of the directory."""
    for index in directory.glob("*.index.json"):
        content = _json(index)
        names = content.get("weight_map") if isinstance(content, dict) else None
        if not isinstance(names, dict):
            raise ModelError(f"{index}: damaged: it has no weight_map")
        for name in set(map(str, names.values())):
            if PurePosixPath(name).name != name or not name.endswith(".safetensors"):
                raise ModelError(f"{index}: '{name}' is not a safetensors file of this directory; it is not read")


def _need_safetensors(directory: Path) -> None:
    if not list(directory.glob("*.safetensors")):
        pickled = next((p.name for kind in ("*.bin", "*.pt", "*.ckpt", "*.h5") for p in directory.glob(kind)), None)
        if pickled:
            raise ModelError(
                f"{directory}: has its weights only as {pickled}, and opening a pickled file can run any code; convert "
                "it where you trust it: AutoModel.from_pretrained(directory).save_pretrained(directory)"
            )
        raise ModelError(f"{directory}: has no weights (model.safetensors)")
