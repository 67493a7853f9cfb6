"""State and memory as a search sees them: trees of tensors of which it knows the rows alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

Tree = Any
"""A tensor, a tuple of trees, or an object with ``take(rows)``; batch first, always, so that it can be reordered."""

Step = Callable[[Tensor, Tree, Tree], tuple[Tensor, Tree]]
"""``step(tokens (N,), state, memory) -> (log_probs (N, V), state)``: read one more token of each of N hypotheses.

``state`` has N rows, changes with every token and is reordered by the search. ``memory`` has one row a sentence: where
it has B, each is shared by N / B adjacent hypotheses; it changes only when finished sentences leave.
"""


def take(tree: Tree, rows: Tensor) -> Tree:
    """The ``rows`` (M,) of every tensor, in that order; a row may come several times.

    Raises:
        TypeError: the tree, or a part of it, is nothing that has rows.
    """
    if isinstance(tree, tuple):
        return tuple(take(part, rows) for part in tree)
    if isinstance(tree, Tensor):
        return tree.index_select(0, rows)
    if not callable(getattr(tree, "take", None)):
        kind = type(tree).__name__
        raise TypeError(f"a state or memory is a tensor, a tuple of such, or an object with take(rows); not a {kind}")
    return tree.take(rows)
