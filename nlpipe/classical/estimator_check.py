"""Checks of a fitted scikit-learn model that was read from a file, before its compiled code follows the indices in it.

scikit-learn's trees, nearest-neighbour indices and support vector machines trust their arrays: an index out of range in
a file reads other memory, or ends the process.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

import numpy as np

from nlpipe.errors import ModelError

MAX_UNPACKED = 2**33
"""Maximum bytes of a saved model after decompression."""


def check_archive(content: bytes) -> None:
    """Check the size of what skops will unpack.

    Raises:
        ModelError: ``content`` is not an archive, or larger than ``MAX_UNPACKED``.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        # of an unknown compression or version, zipfile raises NotImplementedError; of a damaged directory, ValueError
        raise ModelError(f"the saved estimator is damaged: {error}") from None
    if size > MAX_UNPACKED:
        raise ModelError(f"the saved estimator has {size / 2**30:,.0f} GiB when unpacked; at most 8 are read")


def check_indices(model: Any) -> None:
    """Check every tree, nearest-neighbour index and support vector machine in ``model``.

    Raises:
        ModelError: an index points outside of the arrays, or arrays do not fit together.
    """
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.neighbors import BallTree, KDTree
    from sklearn.svm._base import BaseLibSVM
    from sklearn.tree._tree import Tree

    for part in _parts(model, set()):
        if isinstance(part, Tree):
            _check_children(part.children_left, part.children_right, part.children_left != -1)
            _check_range("feature", part.feature[part.children_left != -1], 0, part.n_features)
        elif isinstance(part, TreePredictor):
            inner = part.nodes["is_leaf"] == 0
            _check_children(part.nodes["left"].astype(np.int64), part.nodes["right"].astype(np.int64), inner)
            _check_range(
                "bin", part.nodes["bitset_idx"][part.nodes["is_categorical"] == 1], 0, len(part.raw_left_cat_bitsets)
            )
            _check_range("feature", part.nodes["feature_idx"][inner], 0, int(getattr(model, "n_features_in_", 0)))
        elif isinstance(part, KDTree | BallTree):
            data, indices, nodes, _ = part.get_arrays()
            _check_range("example", np.asarray(indices), 0, len(data))
            _check_range("first example", nodes["idx_start"], 0, len(data) + 1)
            _check_range("last example", nodes["idx_end"], 0, len(data) + 1)
        elif isinstance(part, BaseLibSVM) and hasattr(part, "support_vectors_"):
            vectors, classes = part.support_vectors_.shape[0], len(part._n_support)
            if part._n_support.sum() != vectors or part._dual_coef_.shape != (max(1, classes - 1), vectors):
                raise ModelError("the saved estimator is damaged: its support vectors and their counts differ")


def _check_children(left: np.ndarray, right: np.ndarray, inner: np.ndarray) -> None:
    """Children come after their parent, so that every path ends: ``inner`` (N,) marks the nodes that have some."""
    numbers = np.flatnonzero(inner)
    for children in (left[inner], right[inner]):
        if (children <= numbers).any() or (children >= len(left)).any():
            raise ModelError("the saved estimator is damaged: a node of a tree has a child that does not exist")


def _check_range(name: str, values: np.ndarray, low: int, high: int) -> None:
    if len(values) and (values.min() < low or values.max() >= high):
        raise ModelError(
            f"the saved estimator is damaged: it has the {name} {values.max()}; expected {low} to {high - 1}"
        )


def _parts(thing: Any, seen: set[int]) -> Iterator[Any]:
    """``thing`` and all objects in it, at any depth."""
    if id(thing) in seen or isinstance(thing, str | bytes | int | float | type(None)):
        return
    seen.add(id(thing))
    yield thing
    if isinstance(thing, np.ndarray):
        inside = thing.ravel().tolist() if thing.dtype == object else []
    elif isinstance(thing, Mapping):
        inside = list(thing.values())
    elif isinstance(thing, list | tuple):
        inside = list(thing)
    else:
        inside = list(getattr(thing, "__dict__", {}).values())
    for item in inside:
        yield from _parts(item, seen)
