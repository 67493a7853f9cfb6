"""The result of a search: hypotheses with their scores."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from nlpipe.errors import ModelError


@dataclass(frozen=True)
class SearchResult:
    """The n best hypotheses of B sentences, best first.

    Args:
        tokens: (B, n, T), padded with the token that ends a sentence.
        lengths: (B, n) tokens before the end.
        scores: (B, n) what they were ranked by; -inf where a sentence has no such hypothesis.
        log_probs: (B, n) log-probability in nats, the end included.

    Raises:
        ModelError: a score is not a number, or a sentence has no hypothesis.
    """

    tokens: Tensor
    lengths: Tensor
    scores: Tensor
    log_probs: Tensor

    def __post_init__(self) -> None:
        if len(self.scores):
            check_possible(self.scores[:, 0])

    def lists(self) -> list[list[list[int]]]:
        """The tokens of each hypothesis of each sentence, without padding; at least one hypothesis a sentence."""
        exists = (self.scores > float("-inf")).tolist()
        return [
            [row[:length] for row, length, there in zip(rows, lengths, present, strict=True) if there]
            for rows, lengths, present in zip(self.tokens.tolist(), self.lengths.tolist(), exists, strict=True)
        ]


def check_numbers(best: Tensor) -> None:
    """Raise ModelError where the best score of a sentence, of ``best`` (B,), is not a number."""
    if bool(best.isnan().any()):
        raise ModelError("the model gave log-probabilities that are not numbers (NaN): its training diverged")


def check_possible(best: Tensor) -> None:
    """Raise ModelError where the best score of a sentence, of ``best`` (B,), is not a number, or is -inf."""
    check_numbers(best)
    if bool((best == float("-inf")).any()):
        raise ModelError("the model gave every token the probability 0, so that no sentence can be formed")
