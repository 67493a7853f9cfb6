"""What a masked language model asks of the BERT before it: its pieces, their table, and texts with hidden pieces."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from nlpipe.capabilities import OffersPieces
from nlpipe.errors import ModelError
from nlpipe.nn import masked_model
from nlpipe.nn.pretrained import Splitter
from nlpipe.nn.word_pieces import HiddenPieces

SURROGATES = re.compile("[\ud800-\udfff]")
"""Unpaired surrogates, which cannot be encoded in UTF-8."""


class OfferedPieces(OffersPieces):
    """The answers that hold for any encoder of ``transformers``."""

    model: Any
    """The encoder; None until the stage is built."""

    @property
    @abstractmethod
    def splitter(self) -> Splitter:
        """Text to pieces."""

    @property
    @abstractmethod
    def directory(self) -> Path:
        """Where the pretrained model lies."""

    @property
    def encoder(self) -> Any:
        return self.model

    @property
    def piece_table(self) -> Tensor:
        table: Tensor = self.model.get_input_embeddings().weight
        return table

    @property
    def norm_epsilon(self) -> float:
        return float(getattr(self.model.config, "layer_norm_eps", 1e-12))

    @property
    def mask_piece(self) -> int:
        mask = self.splitter.about["special_tokens"].get("mask_token")
        number = None if mask is None else self.splitter.backend.token_to_id(mask)
        if number is None:
            raise ModelError(f"{self.name}: its tokenizer has no mask, so that no piece can be hidden")
        return int(number)

    @property
    def special_pieces(self) -> int:
        numbers = {self.splitter.backend.token_to_id(each) for each in self.splitter.about["special_tokens"].values()}
        return next(i for i in range(len(numbers) + 1) if i not in numbers)

    @property
    def continues(self) -> np.ndarray:
        continues = np.zeros(len(self.piece_table), dtype=bool)
        continues[[i for piece, i in self.splitter.backend.get_vocab().items() if piece.startswith("##")]] = True
        return continues

    def masked_head(self) -> dict[str, Tensor] | None:
        return masked_model.head_of(self.directory) if self.was_trained else None

    def pieces_of(self, texts: Sequence[str]) -> list[np.ndarray]:
        encoded = self.splitter.backend.encode_batch_fast(encodable(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encoded]

    def hidden(self, ids: Sequence[np.ndarray], targets: Sequence[np.ndarray], texts: Sequence[str]) -> HiddenPieces:
        return HiddenPieces(ids, targets, texts, self.name)


def encodable(texts: Sequence[str]) -> list[str]:
    """``texts`` with the replacement character for unpaired surrogates, so that offsets stay as they are."""
    return [SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text) for text in texts]
