"""Pretrained encoder-decoders of ``transformers`` (Marian, T5, BART …), as they are, by ``generate``."""

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
from nlpipe.nn.pretrained import config_of, find_model, need_safetensors, quiet
from nlpipe.options import FileName, NonNegativeFloat, Positive
from nlpipe.registry import missing_extra
from nlpipe.stage import Data, Head, Predictions, State
from nlpipe.wire import Text

BOUNDLESS = 10**9
"""What tokenizers give where they know of no longest text is above this."""


class PretrainedSeq2Seq(Head[Text, Text]):
    """A pretrained translator, summariser or other model from text to text; nothing is trained.

    An empty text has an empty answer. Texts longer than the model's positions are cut, with a warning that counts
    them. The score is the log-probability of the answer's pieces, in nats.

    Options:
        model: a directory that ``transformers`` wrote, or a name on the hub; weights must be safetensors
        revision: branch, tag or commit on the hub
        prefix: put before every text, as T5 wants it, 'translate English to German: '
        source_language: how the model's tokenizer calls the language of the texts, where it knows several
        target_language: how it calls the language of the answers
        beam: hypotheses kept for each text; 1 is greedy
        length_penalty: exponent of the length that scores are divided by; null leaves it to the model
        max_length: most pieces of an answer; never more than the decoder has positions for
        batch: texts that are answered together
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
        """Load the model; the data are not looked at.

        Raises:
            ModelError: there is none, or it cannot be read, or is no encoder with a decoder.
        """
        directory = find_model(self.model, self.revision)
        need_safetensors(directory)
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            with quiet():
                config = transformers.AutoConfig.from_pretrained(str(directory), **options)
                if not config.is_encoder_decoder:
                    raise ModelError(f"{directory}: {config.model_type} has no encoder and decoder; see 'bert' for it")
                self.network, report = transformers.AutoModelForSeq2SeqLM.from_pretrained(
                    str(directory), config=config, dtype=torch.float32, use_safetensors=True,
                    ignore_mismatched_sizes=True, output_loading_info=True, **options,
                )  # fmt: skip
        except ModelError:
            raise
        except Exception as error:  # whatever a broken file makes the library raise
            reason = str(error).partition("\n")[0]
            raise ModelError(f"{directory}: the model cannot be read: {reason}") from None
        wrong = [*sorted(report["missing_keys"]), *sorted(name for name, *_ in report["mismatched_keys"])]
        if wrong:
            few = ", ".join(wrong[:3])
            raise ModelError(f"{directory}: its weights do not fit its config.json ({len(wrong)} differ: {few} …)")
        self.network.eval()
        self.tokenizer = _tokenizer(directory)
        rows, pieces = self.network.get_input_embeddings().weight.shape[0], len(self.tokenizer)
        if pieces > rows:
            raise ModelError(f"{directory}: the tokenizer has {pieces} pieces, the model {rows} vectors for them")
        if self.source_language is not None:
            _language(self.tokenizer, "source_language", self.source_language)
            if not hasattr(self.tokenizer, "src_lang"):
                raise ModelError(f"{directory}: its tokenizer takes no source_language; leave it out")
        if self.target_language is not None:
            _language(self.tokenizer, "target_language", self.target_language)

    def build(self, width: int) -> int:
        return 0

    @torch.inference_mode()
    def predict(self, source: Text) -> Predictions[Text]:
        texts, scores = [""] * len(source), np.zeros(len(source))
        filled = [i for i, text in enumerate(source.strings) if text.strip()]
        cut = 0
        for start in range(0, len(filled), self.batch):
            chosen = filled[start : start + self.batch]
            pieces, long = self._pieces([self.prefix + source.strings[i] for i in chosen])
            cut += long
            answers, found = self._answer(pieces)
            for i, answer, score in zip(chosen, answers, found, strict=True):
                texts[i], scores[i] = answer, score
        if cut:
            message = f"{cut} of {len(source)} texts are longer than the {self._longest()} pieces that the model reads"
            warnings.warn(f"{message}; they were cut", NlpipeWarning, stacklevel=2)
        return Predictions(Text(texts), scores)

    def _longest(self) -> int | None:
        """Pieces that the model reads at most; None where nothing bounds them."""
        config = self.network.config
        known = [getattr(config, name, None) for name in ("max_position_embeddings", "n_positions")]
        bound = int(min([self.tokenizer.model_max_length, *(n for n in known if n)]))
        return bound if bound < BOUNDLESS else None

    def _pieces(self, texts: list[str]) -> tuple[dict[str, Tensor], int]:
        """Ids and mask, (B, S), and how many of the texts had to be cut."""
        if self.source_language is not None:
            self.tokenizer.src_lang = self.source_language
        longest = self._longest()
        lengths = [len(ids) for ids in self.tokenizer(texts, verbose=False)["input_ids"]]
        cut = {} if longest is None else {"truncation": True, "max_length": longest}
        found = self.tokenizer(texts, **cut, padding=True, return_tensors="pt")
        kept = {name: found[name].to(self.network.device) for name in ("input_ids", "attention_mask")}
        return kept, sum(longest is not None and length > longest for length in lengths)

    def _answer(self, pieces: dict[str, Tensor]) -> tuple[list[str], list[float]]:
        positions = getattr(self.network.config, "max_position_embeddings", None) or self.max_length
        longest = min(self.max_length, positions)
        options: dict[str, Any] = {"num_beams": self.beam, "do_sample": False, "max_new_tokens": longest}
        if self.length_penalty is not None:
            options["length_penalty"] = self.length_penalty
        if self.target_language is not None:
            options["forced_bos_token_id"] = _language(self.tokenizer, "target_language", self.target_language)
        with quiet():
            given = self.network.generate(**pieces, **options)  # (B, T + 1), beginning with the decoder's start
        before, after = given[:, :-1], given[:, 1:]
        logits = self.network(**pieces, decoder_input_ids=before).logits.float()  # (B, T, V)
        logs = logits.log_softmax(-1).gather(-1, after.unsqueeze(-1)).squeeze(-1)  # (B, T)
        ends = (after == self.tokenizer.eos_token_id).cumsum(1)
        part = (ends == 0) | ((ends == 1) & (after == self.tokenizer.eos_token_id))  # up to the first end, included
        return self.tokenizer.batch_decode(given, skip_special_tokens=True), (logs * part).sum(1).tolist()

    # -- on disk: weights, configuration and the tokenizer's files, so that the saved model needs nothing else -------

    def state(self) -> State:
        tensors: dict[str, Tensor] = self.network.state_dict()
        first: dict[int, str] = {}
        tied = {name: kept for name, t in tensors.items() if (kept := first.setdefault(t.data_ptr(), name)) != name}
        arrays = {name: t.cpu().numpy() for name, t in tensors.items() if name not in tied}
        with tempfile.TemporaryDirectory() as folder, quiet():
            self.tokenizer.save_pretrained(folder)
            for path in sorted(Path(folder).iterdir()):
                arrays[f"tokenizer:{path.name}"] = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        generation = json.loads(self.network.generation_config.to_json_string())
        return State(arrays, {"config": config_of(self.network), "generation": generation, "tied": tied})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        with quiet():
            config = transformers.AutoConfig.for_model(**state.data["config"])
            self.network = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
            self.network.generation_config = transformers.GenerationConfig.from_dict(state.data["generation"])
        tensors, files = {}, {}
        for name, array in state.arrays.items():
            kind, colon, file = name.partition(":")
            if kind == "tokenizer" and colon:
                files[file] = array.tobytes()
            else:
                tensors[name] = torch.from_numpy(np.array(array))
        self.network.load_state_dict({**tensors, **{name: tensors[kept] for name, kept in state.data["tied"].items()}})
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                (Path(folder) / Path(file).name).write_bytes(content)
            self.tokenizer = _tokenizer(Path(folder))


def _language(tokenizer: Any, option: str, name: str) -> int:
    """The piece that stands for a language in a tokenizer that knows several.

    Raises:
        ModelError: it does not know this one.
    """
    pieces = getattr(tokenizer, "lang_code_to_token", {})  # M2M100: "de" is "__de__"
    added = tokenizer.get_added_vocab()
    found = added.get(pieces.get(name, name), getattr(tokenizer, "lang_code_to_id", {}).get(name))
    if found is not None:
        return int(found)
    plain = {str(piece) for piece in tokenizer.special_tokens_map.values() if isinstance(piece, str)}
    known = sorted(pieces) or sorted(set(added) - plain)
    way = suggest(name, known)
    if not way.startswith("; did"):
        more = " …" if len(known) > 8 else ""
        way = f"; it knows {', '.join(known[:8])}{more}" if known else "; it knows none, leave the option out"
    raise ModelError(f"pretrained_seq2seq: {option}: the model's tokenizer knows no language '{name}'{way}")


def _tokenizer(directory: Path) -> Any:
    """The tokenizer of a model's directory.

    Raises:
        ModelError: there is none, or it cannot be read.
        MissingExtra: it is one of SentencePiece, which is not installed.
    """
    try:
        with quiet(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            return transformers.AutoTokenizer.from_pretrained(
                str(directory), local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # whatever a broken file makes the library raise
        pieces = [*directory.glob("*.spm"), *directory.glob("*.model")]
        if pieces and importlib.util.find_spec("sentencepiece") is None:
            lost = ModuleNotFoundError(name="sentencepiece")
            raise missing_extra(f"the tokenizer of '{directory}'", lost) from error
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{directory}: its tokenizer cannot be read: {reason}") from None
