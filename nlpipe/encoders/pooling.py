"""Pooling without parameters: the vectors of a text's tokens to one vector; a text without tokens gives zeros.

Nothing here imports torch: Word2Vec, ``mean`` and a linear head run without it. Padded tensors are pooled by their
own methods, with gradients; ragged rows, numpy or CSR, stay what they are. Where the result is a weighted sum, it is
one product with a sparse matrix (B, sum of T_b), which leaves empty texts at zero by itself.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from nlpipe.stage import Encoder
from nlpipe.wire import Sequences, Vectors, is_sparse

if TYPE_CHECKING:
    from torch import Tensor


class Pooling(Encoder[Sequences, Vectors]):
    """What the poolings share: tensors one way, numpy and CSR rows another."""

    def forward(self, source: Sequences) -> Vectors:
        rows = source.form.rows
        if is_sparse(rows) or isinstance(rows, np.ndarray):
            return Vectors(self._pool_ragged(rows, source.lengths))
        if len(source) == 1 and source.mask is None and len(rows):
            return Vectors(self._pool_padded(rows[None], None))
        padded, mask = source.padded()  # (B, T, D), (B, T)
        if padded.shape[1] == 0:
            return Vectors(padded.sum(1))  # (B, D), zeros
        shorter = bool((source.lengths < padded.shape[1]).any())
        return Vectors(self._pool_padded(padded, mask if shorter else None))

    @abstractmethod
    def _pool_padded(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T, D) with T at least 1, and mask (B, T), None where no text is shorter, to (B, D)."""

    @abstractmethod
    def _pool_ragged(self, rows: Any, lengths: np.ndarray) -> Any:
        """(sum of T_b, D), numpy or CSR, with lengths (B,), to (B, D) of the same form."""


def _starts(lengths: np.ndarray) -> np.ndarray:
    """Where each text's rows start: (B,)."""
    return np.asarray(np.cumsum(lengths) - lengths)


def _choose(rows: Any, chosen: np.ndarray, lengths: np.ndarray) -> Any:
    """Row ``chosen[b]`` for each text b that has tokens, (B, D)."""
    present = np.flatnonzero(lengths)
    ones = np.ones(len(present), dtype=rows.dtype)
    return sp.csr_matrix((ones, (present, chosen[present])), shape=(len(lengths), rows.shape[0])) @ rows


class Mean(Pooling):
    """Mean of the token vectors."""

    def _pool_padded(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return rows.sum(1) / rows.new_full((len(rows), 1), rows.shape[1])  # (B, D)
        total = rows.masked_fill(~mask[..., None], 0.0).sum(1)  # (B, D)
        return total / mask.sum(1, keepdim=True).clamp(min=1).to(rows.dtype)

    def _pool_ragged(self, rows: Any, lengths: np.ndarray) -> Any:
        shares = np.repeat(1.0 / np.maximum(lengths, 1), lengths).astype(rows.dtype)
        edges = np.concatenate([[0], np.cumsum(lengths)])
        return sp.csr_matrix((shares, np.arange(rows.shape[0]), edges), shape=(len(lengths), rows.shape[0])) @ rows


class Max(Pooling):
    """Maximum of each feature over the tokens."""

    def _pool_padded(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return rows.amax(1)  # (B, D)
        highest = rows.masked_fill(~mask[..., None], float("-inf")).amax(1)  # (B, D)
        return highest.masked_fill(~mask.any(1, keepdim=True), 0.0)

    def _pool_ragged(self, rows: Any, lengths: np.ndarray) -> Any:
        if sp.issparse(rows):
            return _sparse_max(rows, lengths)
        present = np.flatnonzero(lengths)
        highest = np.zeros((len(lengths), rows.shape[1]), dtype=rows.dtype)
        if len(present):
            highest[present] = np.maximum.reduceat(rows, _starts(lengths)[present], axis=0)
        return highest


def _sparse_max(rows: sp.csr_matrix, lengths: np.ndarray) -> sp.csr_matrix:
    """Maximum over each text's CSR rows, where what is not stored is 0: (B, D)."""
    kept = rows.tocsr(copy=True)
    kept.sum_duplicates()
    entries = kept.tocoo()
    texts = np.repeat(np.arange(len(lengths)), lengths)[entries.row]
    cells = texts * rows.shape[1] + entries.col  # a text's feature as one number
    order = np.argsort(cells, kind="stable")
    found, first, stored = np.unique(cells[order], return_index=True, return_counts=True)
    highest = np.maximum.reduceat(entries.data[order], first) if len(found) else entries.data
    text, feature = np.divmod(found, rows.shape[1])
    highest = np.where(stored < lengths[text], np.maximum(highest, 0), highest)
    return sp.csr_matrix((highest, (text, feature)), shape=(len(lengths), rows.shape[1]))


class First(Pooling):
    """Vector of the first token."""

    def _pool_padded(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        return rows[:, 0] if mask is None else rows[:, 0].masked_fill(~mask[:, :1], 0.0)  # (B, D)

    def _pool_ragged(self, rows: Any, lengths: np.ndarray) -> Any:
        return _choose(rows, _starts(lengths), lengths)


class Last(Pooling):
    """Vector of the last token; after a bidirectional encoder it knows the whole text only in its forward half."""

    def _pool_padded(self, rows: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return rows[:, -1]  # (B, D)
        where = (mask.sum(1) - 1).clamp(min=0)  # (B,)
        chosen = rows.gather(1, where[:, None, None].expand(-1, 1, rows.shape[2]))[:, 0]  # (B, D)
        return chosen.masked_fill(~mask[:, :1], 0.0)

    def _pool_ragged(self, rows: Any, lengths: np.ndarray) -> Any:
        return _choose(rows, _starts(lengths) + lengths - 1, lengths)
