"""Modified Kneser-Ney smoothing as Chen and Goodman 1998 write it, section 3: dictionaries and plain loops.

It shares no code with ``nlpipe.classical``. Their formula leaves three cases open. N-grams that begin with the start of
a text, before which nothing stands, keep their counts; single words back off to the uniform distribution; and where a
count of counts is zero, or gives a discount out of bounds, the discount is from 0.1 to the count less 0.1.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict

Ngram = tuple[int, ...]


class Oracle:
    """The model of order n.

    Args:
        texts: as ids of words.
        order: n.
        size: number of words that may be predicted.
        start: stands before each text and is never predicted.
        end: stands behind each text.
    """

    def __init__(self, texts: list[list[int]], order: int, size: int, start: int, end: int) -> None:
        self.order, self.size, self.start = order, size, start
        bordered = [(start, *text, end) for text in texts]
        counts = [
            Counter(text[i : i + n] for text in bordered for i in range(len(text) - n + 1)) for n in range(1, order + 2)
        ]
        self.counts: list[dict[Ngram, int]] = []  # of each length: c(h w), or N1+(. h w) of the shorter ones
        for n in range(1, order + 1):
            preceding: dict[Ngram, int] = Counter(longer[1:] for longer in counts[n])
            level = {g: c if n == order or g[0] == start else preceding[g] for g, c in counts[n - 1].items()}
            level.pop((start,), None)
            self.counts.append(level)
        self.discounts = [self._discounts(level) for level in self.counts]
        self.totals: dict[Ngram, int] = defaultdict(int)  # of each history
        self.kinds: dict[Ngram, Counter[int]] = defaultdict(Counter)  # N1(h .), N2(h .) and N3+(h .)
        for level in self.counts:
            for ngram, count in level.items():
                self.totals[ngram[:-1]] += count
                self.kinds[ngram[:-1]][min(count, 3)] += 1

    @staticmethod
    def _discounts(level: dict[Ngram, int]) -> dict[int, float]:
        """D1, D2 and D3+, equation 26; 0 for a count of 0."""
        having = Counter(level.values())
        y = having[1] / (having[1] + 2 * having[2]) if having[1] else 0.5
        discounts = {0: 0.0}
        for n in (1, 2, 3):
            estimate = n - (n + 1) * y * having[n + 1] / having[n] if having[n] else y
            discounts[n] = min(max(estimate, 0.1), n - 0.1)
        return discounts

    def probability(self, history: Ngram, word: int) -> float:
        """p(word | history), equations 24 to 27; the history has less than n words."""
        shorter = self.probability(history[1:], word) if history else 1 / self.size
        total = self.totals.get(history, 0)
        if not total:
            return shorter
        discounts = self.discounts[len(history)]
        gamma = sum(discounts[kind] * number for kind, number in self.kinds[history].items()) / total
        count = self.counts[len(history)].get((*history, word), 0)
        return (count - discounts[min(count, 3)]) / total + gamma * shorter

    def score(self, texts: list[list[int]]) -> list[float]:
        """Log p of each word of ``texts``, after the start and the words before it."""
        logs = []
        for text in texts:
            read = (self.start, *text)
            for i, word in enumerate(text, 1):
                logs.append(math.log(self.probability(read[max(0, i - self.order + 1) : i], word)))
        return logs
