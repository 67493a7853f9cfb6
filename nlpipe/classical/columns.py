"""The columns of a sparse input that occur in training: a head fits and saves weights for these alone.

Hashed features have a million columns of which a small data set fills a few thousand. A column that no training example
has teaches a linear model nothing: its weight is 0 under every penalty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Columns:
    """A choice of the columns of matrices (B, D).

    Args:
        kept: (D',) the indices of the columns chosen, in ascending order; None if all are.
    """

    kept: np.ndarray | None = None

    def of(self, matrix: Any) -> Any:
        """``matrix`` (B, D) with the chosen columns alone, (B, D')."""
        if self.kept is None:
            return matrix
        rows = sp.csr_matrix(matrix)
        indices = np.minimum(np.searchsorted(self.kept, rows.indices), len(self.kept) - 1)
        known = self.kept[indices] == rows.indices  # (nnz,)
        ends = np.concatenate([[0], np.cumsum(known)])[rows.indptr]  # (B + 1,)
        return sp.csr_matrix((rows.data[known], indices[known], ends), shape=(rows.shape[0], len(self.kept)))

    def arrays(self) -> dict[str, np.ndarray]:
        """What a head saves with its state; ``saved_columns`` takes it back."""
        return {} if self.kept is None else {"columns": self.kept}


def occurring(matrix: Any) -> Columns:
    """The columns of ``matrix`` (N, D) that have a value; all if it is dense, or more than half or none have one."""
    if not sp.issparse(matrix):
        return Columns()
    kept = np.unique(sp.csr_matrix(matrix).indices).astype(np.int64)
    return Columns(kept) if 0 < 2 * len(kept) <= matrix.shape[1] else Columns()


def saved_columns(arrays: dict[str, np.ndarray]) -> Columns:
    """The columns of a saved head, from the arrays of its state."""
    return Columns(arrays.get("columns"))
