"""Search the options of a pipeline by their score on dev or in folds: the same seed and number of trials for each."""

from __future__ import annotations

from nlpipe.tuning.search import tune, tuned, tuned_before

__all__ = ["tune", "tuned", "tuned_before"]
