"""Scores of texts against reference texts, as sums over examples: BLEU, chrF and exact match, in [0, 100].

The statistics are counted here, not by sacreBLEU: its counts of single sentences are private, a base install has no
sacreBLEU, and sums over (R, S) give a thousand resamples in one call. Tests hold every score equal to sacreBLEU 2.

References: Papineni et al. 2002 (BLEU); Chen and Cherry 2014, method 3 (smoothing); Post 2018 (signatures); Popović
2015 and 2016 (chrF2); the tokenizer is that of NIST's mteval-v13a.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from nlpipe.metrics.metric import Definition, Metric
from nlpipe.predictions import Predictions
from nlpipe.wire import Text

WORDS = 4
"""Longest n-gram of words in BLEU."""
CHARACTERS = 6
"""Longest n-gram of characters in chrF."""
BETA = 2
"""In chrF recall counts this many times as much as precision."""


def translation_metrics() -> list[Metric]:
    """All metrics of texts, BLEU first."""
    return [bleu(), bleu(lowercase=True), chrf(), exact_match()]


def bleu(lowercase: bool = False) -> Metric:
    """Corpus BLEU with 13a tokens and one reference: ``bleu`` (cased), or ``bleu_lowercase``."""
    name = "bleu_lowercase" if lowercase else "bleu"

    def words(text: str) -> list[str]:
        return words_13a(text.lower() if lowercase else text)

    def statistics(gold: Text, predictions: Predictions[Text]) -> np.ndarray:
        counts = np.zeros(
            (len(gold), 2 + 2 * WORDS)
        )  # lengths predicted and gold, matches by n, n-grams predicted by n
        for row, gold_text, predicted_text in zip(counts, gold.strings, predictions.values.strings, strict=True):
            reference, hypothesis = words(gold_text), words(predicted_text)
            row[:2] = len(hypothesis), len(reference)
            for n in range(1, WORDS + 1):
                row[1 + n] = _matches(_ngrams(hypothesis, n), _ngrams(reference, n))
                row[1 + WORDS + n] = max(0, len(hypothesis) - n + 1)
        return counts

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        predicted, gold = sums[..., 0], sums[..., 1]
        matches, total = sums[..., 2 : 2 + WORDS], sums[..., 2 + WORDS :]  # (..., 4)
        halvings = np.cumsum(matches == 0, axis=-1)  # the k-th n without a match counts as 2 ** -k matches
        counted = np.where(matches == 0, 0.5**halvings, matches)
        logs = np.log(counted / np.maximum(total, 1)).mean(axis=-1)
        brevity = np.minimum(0.0, 1.0 - gold / np.maximum(predicted, 1))
        defined = (total > 0).all(axis=-1) & (matches > 0).any(axis=-1)
        return {name: np.where(defined, 100.0 * np.exp(brevity + logs), 0.0)}

    case = "lc" if lowercase else "mixed"
    full_name = f"{name}: nrefs:1|case:{case}|eff:no|tok:13a|smooth:exp, BLEU in [0, 100], equal to sacreBLEU 2"
    return Metric(name, statistics, scores, {name: Definition(full_name, "points")})


def chrf() -> Metric:
    """chrF2: F-score of n-grams of characters, precision and recall averaged over n = 1 to 6, spaces left out."""

    def statistics(gold: Text, predictions: Predictions[Text]) -> np.ndarray:
        counts = np.zeros((len(gold), CHARACTERS, 3))  # n-grams predicted, gold, and in both
        for rows, gold_text, predicted_text in zip(counts, gold.strings, predictions.values.strings, strict=True):
            reference, hypothesis = "".join(gold_text.split()), "".join(predicted_text.split())
            for n, row in enumerate(rows, 1):
                gold_count, predicted_count = max(0, len(reference) - n + 1), max(0, len(hypothesis) - n + 1)
                matches = _matches(_characters(hypothesis, n), _characters(reference, n))
                row[:] = (
                    predicted_count if gold_count else 0,
                    gold_count,
                    matches,
                )  # none where gold has none
        return counts.reshape(len(gold), 3 * CHARACTERS)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        predicted, gold, matches = np.moveaxis(sums.reshape(*sums.shape[:-1], CHARACTERS, 3), -1, 0)  # each (..., 6)
        counts = (predicted > 0) & (gold > 0)
        orders = np.maximum(counts.sum(-1), 1)
        precision = (np.where(counts, matches, 0) / np.maximum(predicted, 1)).sum(-1) / orders
        recall = (np.where(counts, matches, 0) / np.maximum(gold, 1)).sum(-1) / orders
        denominator = BETA**2 * precision + recall
        return {"chrf": 100.0 * (1 + BETA**2) * precision * recall / np.where(denominator > 0, denominator, 1.0)}

    full_name = f"chrf: nrefs:1|case:mixed|eff:yes|nc:{CHARACTERS}|nw:0|space:no, chrF2 in [0, 100]"
    return Metric("chrf", statistics, scores, {"chrf": Definition(f"{full_name}, equal to sacreBLEU 2", "points")})


def exact_match() -> Metric:
    """The share of texts that equal the reference, apart from white space at both ends."""

    def statistics(gold: Text, predictions: Predictions[Text]) -> np.ndarray:
        pairs = zip(gold.strings, predictions.values.strings, strict=True)
        same = np.array(
            [gold_text.strip() == predicted_text.strip() for gold_text, predicted_text in pairs], dtype=np.float64
        )
        return np.stack([same, np.ones_like(same)], axis=1)  # (N, 2)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {"exact_match": 100.0 * sums[..., 0] / np.maximum(sums[..., 1], 1)}

    full_name = "exact_match: texts equal to the reference, case and spaces within included, in percent"
    return Metric("exact_match", statistics, scores, {"exact_match": Definition(full_name, "points")})


_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_ALONE = "".join(sorted({*string.punctuation} - {*"',-."}))
# each rule sees what the one before it left; a character that one match took is not looked at by the next match
_RULES = (
    (re.compile(f"([{re.escape(_ALONE)}])"), r" \1 "),  # these stand alone wherever they are
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),  # a stop or comma, unless a digit is before it
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),  # or behind it
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),  # a hyphen behind a digit
)


def words_13a(text: str) -> list[str]:
    """The words of mteval-v13a."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for written, meant in _ENTITIES if "&" in text else ():
        text = text.replace(written, meant)
    text = f" {text} "
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.split()


def _ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[i:] for i in range(n)), strict=False))


def _characters(text: str, n: int) -> Counter[str]:
    return Counter(text[i : i + n] for i in range(len(text) - n + 1))


def _matches(hypothesis: Counter[Any], reference: Counter[Any]) -> int:
    """How many n-grams both have, each at most as often as either."""
    return sum(min(count, reference[ngram]) for ngram, count in hypothesis.items() if ngram in reference)
