"""``items.safetensors``: the sufficient statistics of every metric for each example, so that comparisons never recount.

The statistics (N, S) of a metric are stored under its name; those that are sparse as the three arrays of a CSR matrix
and its shape (``counts_by_class.data``, ``.indices``, ``.indptr``, ``.shape``). Row i belongs to line i of
``predictions.jsonl``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from nlpipe.errors import NlpipeError
from nlpipe.files import whole_file, write_arrays
from nlpipe.metrics.metric import Statistics

PARTS = ("data", "indices", "indptr", "shape")
"""What a CSR matrix is stored as."""


def write_items(path: Path, statistics: Mapping[str, Statistics]) -> None:
    """Store the statistics of each metric, by its name.

    Raises:
        NlpipeError: the disk is full, or the place cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, values in statistics.items():
        if isinstance(values, np.ndarray):
            arrays[name] = values
        else:
            matrix = values.tocsr()
            parts = (matrix.data, matrix.indices, matrix.indptr, np.array(matrix.shape, dtype=np.int64))
            arrays |= {f"{name}.{part}": array for part, array in zip(PARTS, parts, strict=True)}
    with whole_file(path) as partial:
        write_arrays(partial, arrays)


def read_items(path: Path, name: str) -> Statistics | None:
    """The statistics (N, S) of the metric called ``name``; None where the file has none of it.

    Raises:
        NlpipeError: the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            names = set(file.keys())
            if name in names:
                dense: np.ndarray = file.get_tensor(name)
                return dense
            if f"{name}.data" not in names:
                return None
            data, indices, indptr, shape = (file.get_tensor(f"{name}.{part}") for part in PARTS)
    except FileNotFoundError:
        raise NlpipeError(f"{path}: there is no such file; 'nlpipe.runs.score.score(folder)' makes it") from None
    except (SafetensorError, OSError) as error:
        raise NlpipeError(f"{path}: damaged: {error}; score the run again") from None
    return sp.csr_matrix((data, indices, indptr), shape=tuple(shape.tolist()))
