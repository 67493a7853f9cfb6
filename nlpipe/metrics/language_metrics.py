"""Scores of language models, as sums over documents: log-perplexity per word, and bits per character and per byte.

What the log-probability is divided by is part of a score's name. It is counted in the text itself, not in a model's
tokens, so that models with different tokenizers can be compared; the end of a document, which a model predicts too,
counts as one more word, character or byte.

Jelinek et al. 1977 (perplexity); Brown et al. 1992, "An Estimate of an Upper Bound for the Entropy of English" (bits
per character, and the probability of words outside the vocabulary).
"""

from __future__ import annotations

import math

import numpy as np

from nlpipe.metrics.metric import Definition, Metric
from nlpipe.predictions import Predictions
from nlpipe.wire import Text

UNKNOWN_WORDS = "words outside the vocabulary are spelled out"


def text_metrics() -> list[Metric]:
    """The scores of models that give the probability of whole texts."""

    def statistics(gold: Text, predictions: Predictions[Text]) -> np.ndarray:
        assert predictions.scores is not None
        counts = [
            (len(text.split()) + 1, len(text) + 1, len(text.encode("utf-8", "surrogatepass")) + 1)
            for text in gold.strings
        ]
        return np.column_stack([-np.asarray(predictions.scores, np.float64), np.array(counts, np.float64)])  # (N, 4)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        nats, words, characters, octets = np.moveaxis(sums, -1, 0)
        per_word = nats / np.maximum(words, 1)
        return {
            "log_perplexity_per_word": per_word,
            "perplexity_per_word": np.exp(np.minimum(per_word, 700.0)),
            "bits_per_character": nats / np.maximum(characters, 1) / math.log(2),
            "bits_per_byte": nats / np.maximum(octets, 1) / math.log(2),
        }

    def full(name: str, what: str) -> Definition:
        unit = "nats" if name.startswith("log") else "value"
        return Definition(f"{name}: {what}, the end of a document counted as one; {UNKNOWN_WORDS}", unit, False)  # type: ignore[arg-type]

    definitions = {
        "log_perplexity_per_word": full("log_perplexity_per_word", "nats per word between white space"),
        "perplexity_per_word": full("perplexity_per_word", "exp of the nats per word between white space"),
        "bits_per_character": full("bits_per_character", "bits per Unicode character, white space included"),
        "bits_per_byte": full("bits_per_byte", "bits per byte of the text in UTF-8"),
    }
    return [Metric("log_probability", statistics, scores, definitions)]


def masked_metrics() -> list[Metric]:
    """The scores of models that give the probability of hidden tokens."""

    def statistics(gold: Text, predictions: Predictions[Text]) -> np.ndarray:
        assert predictions.scores is not None and predictions.units is not None
        return np.column_stack([-np.asarray(predictions.scores, np.float64), predictions.units])  # (N, 2)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        nats, units = np.moveaxis(sums, -1, 0)
        mean = nats / np.maximum(units, 1)
        return {"masked_log_perplexity": mean, "masked_perplexity": np.exp(np.minimum(mean, 700.0))}

    what = "per hidden token of the model's own vocabulary: not comparable between tokenizers"
    definitions = {
        "masked_log_perplexity": Definition(f"masked_log_perplexity: nats {what}", "nats", False),
        "masked_perplexity": Definition(f"masked_perplexity: exp of the nats {what}", "value", False),
    }
    return [Metric("masked_log_probability", statistics, scores, definitions)]
