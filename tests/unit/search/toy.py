"""A toy model whose next word depends on every word before it, and its exhaustive search: the oracle of beam search."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

WORDS = 4
START, END = 0, 1
SOURCE = 3


@dataclass(frozen=True)
class Toy:
    """Random log-probabilities for each of some thousand states; a state is a hash of the history and the sentence."""

    table: Tensor  # (M, V) log-probabilities
    looked: Tensor  # (M, S) attention

    @classmethod
    def make(cls, seed: int, sharpness: float = 1.5, ending: float = 0.0) -> Toy:
        """``ending``: what is added to the score of the end."""
        made = torch.Generator().manual_seed(seed)
        scores = sharpness * torch.randn(4099, WORDS, generator=made)
        scores[:, END] += ending
        table = scores.log_softmax(-1)
        looked = torch.randn(4099, SOURCE, generator=made).softmax(-1)
        return cls(table, looked)

    def start(self, batch: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """State and memory of sentences 0, 1, 2 …; the memory is each sentence's number."""
        return (torch.zeros(batch, dtype=torch.long), torch.zeros(batch, SOURCE)), torch.arange(batch)

    def code(self, code: Tensor, tokens: Tensor, sentence: Tensor) -> Tensor:
        return (code * 31 + tokens * 7 + sentence * 1009 + 1) % len(self.table)

    def step(
        self, tokens: Tensor, state: tuple[Tensor, Tensor], memory: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        sentences = memory.repeat_interleave(len(tokens) // len(memory))
        code = self.code(state[0], tokens, sentences)
        return self.table[code], (code, state[1] + self.looked[code])

    @staticmethod
    def coverage(state: tuple[Tensor, Tensor], memory: Tensor) -> Tensor:
        return state[1].clamp(max=1.0).log().sum(-1)

    def score(self, sentence: int, words: tuple[int, ...]) -> tuple[float, float]:
        """Log-probability of the words and the end, and the coverage, one word at a time."""
        code, total, seen = torch.zeros(1, dtype=torch.long), 0.0, torch.zeros(SOURCE)
        for before, word in zip((START, *words), (*words, END), strict=True):
            code = self.code(code, torch.tensor([before]), torch.tensor([sentence]))
            total += float(self.table[code[0], word])
            seen = seen + self.looked[code[0]]
        return total, float(seen.clamp(max=1.0).log().sum())


def allowed(
    words: tuple[int, ...], shortest: int, ngram: int, prefix: tuple[int, ...], banned: tuple[int, ...]
) -> bool:
    """Whether a sentence keeps the rules."""
    if len(words) < shortest or set(words) & set(banned):
        return False
    if any(want not in (-1, got) for want, got in zip(prefix, (*words, END), strict=False)):
        return False
    grams = [words[i : i + ngram] for i in range(len(words) - ngram + 1)] if ngram else []
    return len(set(grams)) == len(grams)


def exhaustive(
    toy: Toy,
    sentence: int,
    longest: int,
    alpha: float = 1.0,
    beta: float = 0.0,
    shortest: int = 0,
    ngram: int = 0,
    prefix: tuple[int, ...] = (),
    banned: tuple[int, ...] = (),
) -> list[tuple[float, list[int]]]:
    """Every sentence that keeps the rules, best first, with its score."""
    found = []
    others = [word for word in range(WORDS) if word != END]
    for length in range(longest + 1):
        for words in itertools.product(others, repeat=length):
            if allowed(words, shortest, ngram, prefix, banned):
                logged, covered = toy.score(sentence, words)
                penalty = math.pow((5 + length + 1) / 6, alpha)
                found.append((logged / penalty + beta * covered, list(words)))
    return sorted(found, reverse=True)
