"""Search over one step function; knows nothing of models."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nlpipe.search.beam import beam_search, length_penalty
    from nlpipe.search.hypotheses import SearchResult
    from nlpipe.search.sampling import greedy, sample
    from nlpipe.search.tree import Step, Tree, take

__all__ = ["SearchResult", "Step", "Tree", "beam_search", "greedy", "length_penalty", "sample", "take"]

_PLACES = {
    "SearchResult": "hypotheses",
    "beam_search": "beam",
    "length_penalty": "beam",
    "greedy": "sampling",
    "sample": "sampling",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES.get(name, 'tree')}"), name)
