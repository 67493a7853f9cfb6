"""Pretrained encoder-decoder models of ``transformers`` (Marian, T5, BART …), used without training."""

from __future__ import annotations

import importlib.util
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import transformers
from torch import Tensor

from nlpipe.errors import ModelError, NlpipeWarning, suggest
from nlpipe.nn.model_directory import check_directory, check_tokenizer
from nlpipe.nn.pretrained import config_of, find_model, make_model, quiet
from nlpipe.options import FileName, NonNegativeFloat, Positive
from nlpipe.predictions import Predictions
from nlpipe.registry import missing_extra
from nlpipe.stage import Data, Head, State
from nlpipe.wire import Text

UNLIMITED = 10**9
"""Tokenizers without a maximum length report a ``model_max_length`` above this."""


class PretrainedSeq2Seq(Head[Text, Text]):
    """A pretrained translator, summariser or other model from text to text; it is not trained further.

    The answer to an empty text is empty. Texts longer than the model's maximum length are truncated, with a warning
    that counts them. The score is the log-probability of the answer's word pieces, in nats.

    Options:
        model: a directory that ``transformers`` wrote, or a name on the hub; weights must be safetensors
        revision: branch, tag or commit on the hub
        prefix: text put before every input, for T5 for example 'translate English to German: '
        source_language: language code of the inputs, as the model's tokenizer names it, if it has several
        target_language: language code of the answers, as the model's tokenizer names it
        beam: number of hypotheses kept in beam search; 1 is greedy search
        length_penalty: exponent of the length by which scores are divided; null for the model's own setting
        max_length: maximum number of word pieces of an answer; the decoder's maximum, if that is smaller
        batch: number of texts that are answered together
    """

    answering: ClassVar[tuple[str, ...]] = ("prefix", "beam", "length_penalty", "max_length", "batch")

    def __init__(
        self,
        model: FileName,
        revision: str | None = None,
        prefix: str = "",
        source_language: str | None = None,
        target_language: str | None = None,
        beam: Positive = 4,
        length_penalty: NonNegativeFloat | None = None,
        max_length: Positive = 256,
        batch: Positive = 16,
    ) -> None:
        self.model = model
        self.revision = revision
        self.prefix = prefix
        self.source_language = source_language
        self.target_language = target_language
        self.beam = beam
        self.length_penalty = length_penalty
        self.max_length = max_length
        self.batch = batch
        self.network: Any = None
        self.tokenizer: Any = None

    @property
    def module(self) -> Any:
        return self.network

    def fit(self, data: Data[Text]) -> None:
        """Load the model; ``data`` is not used.

        Raises:
            ModelError: the model does not exist, cannot be read, or is not an encoder-decoder model; or its tokenizer
                does not know a language.
            MissingExtra: its tokenizer needs the package SentencePiece, which is not installed.
        """
        directory = find_model(self.model, self.revision)
        check_directory(directory)
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            with quiet():
                config = transformers.AutoConfig.from_pretrained(str(directory), **options)
                if not config.is_encoder_decoder:
                    raise ModelError(
                        f"{directory}: {config.model_type} is not an encoder-decoder model; for encoders use the "
                        "representation 'bert'"
                    )
                self.network, report = transformers.AutoModelForSeq2SeqLM.from_pretrained(
                    str(directory), config=config, dtype=torch.float32, use_safetensors=True,
                    ignore_mismatched_sizes=True, output_loading_info=True, **options,
                )  # fmt: skip
        except ModelError:
            raise
        except Exception as error:  # a damaged file can make the library raise anything
            reason = str(error).partition("\n")[0]
            raise ModelError(f"{directory}: cannot read the model: {reason}") from None
        wrong = [*sorted(report["missing_keys"]), *sorted(name for name, *_ in report["mismatched_keys"])]
        if wrong:
            listed = ", ".join(wrong[:3])
            raise ModelError(
                f"{directory}: the weights do not match config.json: {len(wrong)} are missing or of another shape "
                f"({listed}{' …' if len(wrong) > 3 else ''})"
            )
        self.network.eval()
        self.tokenizer = _tokenizer(directory)
        rows, pieces = self.network.get_input_embeddings().weight.shape[0], len(self.tokenizer)
        if pieces > rows:
            raise ModelError(
                f"{directory}: the tokenizer has {pieces} word pieces, but the model has only {rows} vectors"
            )
        if self.source_language is not None:
            _language(self.tokenizer, "source_language", self.source_language)
            if not hasattr(self.tokenizer, "src_lang"):
                raise ModelError(f"{directory}: the tokenizer has no source_language; leave the option out")
        if self.target_language is not None:
            _language(self.tokenizer, "target_language", self.target_language)

    def build(self, width: int) -> int:
        return 0

    @torch.inference_mode()
    def predict(self, source: Text) -> Predictions[Text]:
        texts, scores = [""] * len(source), np.zeros(len(source))
        filled = [i for i, text in enumerate(source.strings) if text.strip()]
        cut = np.zeros(len(source), dtype=bool)
        truncated = 0
        for start in range(0, len(filled), self.batch):
            indices = filled[start : start + self.batch]
            pieces, too_long = self._tokenize([self.prefix + source.strings[i] for i in indices])
            truncated += too_long
            answers, log_probabilities, unended = self._answer(pieces)
            for i, answer in zip(indices, answers, strict=True):
                texts[i] = answer
            scores[indices], cut[indices] = log_probabilities, unended
        if truncated:
            warnings.warn(
                f"{truncated} of {len(source)} texts are longer than the {self._max_pieces()} word pieces that the "
                "model can read; they were truncated",
                NlpipeWarning,
                stacklevel=2,
            )
        return Predictions(Text(texts), scores, cut=cut)

    def length_limit(self) -> str:
        return f"raise max_length ({self._max_answer():,} word pieces)"

    def _max_answer(self) -> int:
        """Maximum number of word pieces of an answer."""
        positions = getattr(self.network.config, "max_position_embeddings", None) or self.max_length
        return int(min(self.max_length, positions))

    def _max_pieces(self) -> int | None:
        """Maximum number of word pieces that the model can read; None if there is no limit."""
        config = self.network.config
        limits = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
        limit = int(min([self.tokenizer.model_max_length, *(n for n in limits if n)]))
        return limit if limit < UNLIMITED else None

    def _tokenize(self, texts: list[str]) -> tuple[dict[str, Tensor], int]:
        """Ids and attention mask of the word pieces, each (B, S), and the number of texts that were truncated."""
        if self.source_language is not None:
            self.tokenizer.src_lang = self.source_language
        limit = self._max_pieces()
        lengths = [len(ids) for ids in self.tokenizer(texts, verbose=False)["input_ids"]]
        truncation = {} if limit is None else {"truncation": True, "max_length": limit}
        encoded = self.tokenizer(texts, **truncation, padding=True, return_tensors="pt")
        pieces = {name: encoded[name].to(self.network.device) for name in ("input_ids", "attention_mask")}
        return pieces, sum(limit is not None and length > limit for length in lengths)

    def _answer(self, pieces: dict[str, Tensor]) -> tuple[list[str], list[float], list[bool]]:
        """The answers to B texts, their log-probabilities in nats, and whether they have no end."""
        options: dict[str, Any] = {"num_beams": self.beam, "do_sample": False, "max_new_tokens": self._max_answer()}
        if self.length_penalty is not None:
            options["length_penalty"] = self.length_penalty
        if self.target_language is not None:
            options["forced_bos_token_id"] = _language(self.tokenizer, "target_language", self.target_language)
        with quiet():
            generated = self.network.generate(**pieces, **options)  # (B, T + 1), with the start token
        inputs, outputs = generated[:, :-1], generated[:, 1:]  # (B, T)
        logits = self.network(**pieces, decoder_input_ids=inputs).logits.float()  # (B, T, V)
        log_probs = logits.log_softmax(-1).gather(-1, outputs.unsqueeze(-1)).squeeze(-1)  # (B, T)
        is_end = outputs == self.tokenizer.eos_token_id
        ends = is_end.cumsum(1)
        counts = (ends == 0) | ((ends == 1) & is_end)  # up to the first end token, included
        texts = self.tokenizer.batch_decode(generated, skip_special_tokens=True)
        return texts, (log_probs * counts).sum(1).tolist(), (~is_end.any(1)).tolist()

    # -- saving and loading: weights, configuration and the tokenizer's files, so that nothing else is needed

    def state(self) -> State:
        tensors: dict[str, Tensor] = self.network.state_dict()
        owners: dict[int, str] = {}  # name of the first tensor at each address
        tied = {name: owner for name, t in tensors.items() if (owner := owners.setdefault(t.data_ptr(), name)) != name}
        arrays = {name: t.cpu().numpy() for name, t in tensors.items() if name not in tied}
        with tempfile.TemporaryDirectory() as folder, quiet():
            self.tokenizer.save_pretrained(folder)
            for path in sorted(Path(folder).iterdir()):
                arrays[f"tokenizer:{path.name}"] = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        generation = json.loads(self.network.generation_config.to_json_string())
        return State(arrays, {"config": config_of(self.network), "generation": generation, "tied": tied})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self.network = make_model(transformers.AutoModelForSeq2SeqLM, state.data["config"]).eval()
        with quiet():
            self.network.generation_config = transformers.GenerationConfig.from_dict(state.data["generation"])
        tensors, files = {}, {}
        for name, array in state.arrays.items():
            kind, colon, file = name.partition(":")
            if kind == "tokenizer" and colon:
                files[file] = array.tobytes()
            else:
                tensors[name] = torch.from_numpy(np.array(array))
        tied = {name: tensors[owner] for name, owner in state.data["tied"].items()}
        self.network.load_state_dict({**tensors, **tied})
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                (Path(folder) / Path(file).name).write_bytes(content)
            self.tokenizer = _tokenizer(Path(folder))


def _language(tokenizer: Any, option: str, name: str) -> int:
    """The id of the word piece that stands for the language ``name`` in a multilingual tokenizer.

    Raises:
        ModelError: the tokenizer does not know the language.
    """
    pieces = getattr(tokenizer, "lang_code_to_token", {})  # M2M100: "de" is "__de__"
    added = tokenizer.get_added_vocab()
    piece_id = added.get(pieces.get(name, name), getattr(tokenizer, "lang_code_to_id", {}).get(name))
    if piece_id is not None:
        return int(piece_id)
    special = {str(piece) for piece in tokenizer.special_tokens_map.values() if isinstance(piece, str)}
    languages = sorted(pieces) or sorted(set(added) - special)
    hint = suggest(name, languages)
    if not hint.startswith("; did"):
        more = " …" if len(languages) > 8 else ""
        hint = f"; it knows {', '.join(languages[:8])}{more}" if languages else "; it knows none, leave the option out"
    raise ModelError(f"pretrained_seq2seq: {option}: the model's tokenizer knows no language '{name}'{hint}")


def _tokenizer(directory: Path) -> Any:
    """The tokenizer in a model's directory.

    Raises:
        ModelError: there is none, or it cannot be read.
        MissingExtra: it needs the package SentencePiece, which is not installed.
    """
    check_tokenizer(directory)
    try:
        with quiet(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            return transformers.AutoTokenizer.from_pretrained(
                str(directory), local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # a damaged file can make the library raise anything
        pieces = [*directory.glob("*.spm"), *directory.glob("*.model")]
        if pieces and importlib.util.find_spec("sentencepiece") is None:
            missing = ModuleNotFoundError(name="sentencepiece")
            raise missing_extra(f"the tokenizer of '{directory}'", missing) from error
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{directory}: cannot read the tokenizer: {reason}") from None
