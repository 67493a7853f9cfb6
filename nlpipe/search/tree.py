"""State and memory as a search sees them: trees of tensors whose first dimension counts the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

Tree = Any
"""A tensor, a tuple of trees, or an object with a method ``take(rows)``; always batch first, so that a search can
reorder the rows."""

Step = Callable[[Tensor, Tree, Tree], tuple[Tensor, Tree]]
"""``step(tokens (N,), state, memory) -> (log_probs (N, V), state)``: read one more token of each of N hypotheses.

``state`` has N rows, changes with every token and is reordered by the search. ``memory`` has B rows, one for each
sentence, shared by N / B adjacent hypotheses; it changes only when finished sentences leave the batch.
"""


def take(tree: Tree, rows: Tensor) -> Tree:
    """The ``rows`` (M,) of every tensor of ``tree``, in that order; a row may be taken several times.

    Raises:
        TypeError: the tree, or a part of it, cannot be indexed by rows.
    """
    if isinstance(tree, tuple):
        return tuple(take(part, rows) for part in tree)
    if isinstance(tree, Tensor):
        return tree.index_select(0, rows)
    if not callable(getattr(tree, "take", None)):
        kind = type(tree).__name__
        raise TypeError(f"a state or memory is a tensor, a tuple of such, or an object with take(rows), not a {kind}")
    return tree.take(rows)
