"""Search the options of a pipeline on the dev split: the same seed and the same number of trials for everyone."""

from __future__ import annotations

from nlpipe.tuning.search import tune, tuned

__all__ = ["tune", "tuned"]
