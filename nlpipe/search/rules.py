"""Rules of a search: which tokens may follow a hypothesis (lengths, repeated n-grams, a prefix, banned tokens).

Every rule is applied to all hypotheses at once. A rule that would leave a hypothesis without any continuation is not
applied to it, so that every sentence ends. A prefix takes precedence over all other rules but the maximum length.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Lengths = int | Sequence[int] | Tensor
"""One number for all sentences, or (B,) numbers."""

NEVER = float("-inf")


class Rules:
    """The rules of one search over B sentences.

    Args:
        batch: B.
        device: where scores are.
        end: the token that ends a sentence.
        max_length: most tokens of a sentence, without its end token; then it must end.
        min_length: fewest tokens before the end token.
        no_repeat_ngram: n, if no n-gram of tokens may occur twice in a sentence; 0: no such rule.
        prefix: (B, P) tokens that a sentence must begin with, -1 where any token is allowed.
        banned: tokens that are never chosen.

    Raises:
        ValueError: a length is negative, a minimum above its maximum, or a shape is not (B,) or (B, P).
    """

    def __init__(
        self,
        batch: int,
        device: torch.device,
        end: int,
        max_length: Lengths,
        min_length: Lengths = 0,
        no_repeat_ngram: int = 0,
        prefix: Tensor | None = None,
        banned: Sequence[int] = (),
    ) -> None:
        self.end = end
        self.longest = _for_each(max_length, batch, device, "max_length")  # (B,)
        self.shortest = _for_each(min_length, batch, device, "min_length")  # (B,)
        if bool((self.shortest > self.longest).any()):
            raise ValueError(f"min_length: {min_length} is above max_length: {max_length}")
        if no_repeat_ngram < 0:
            raise ValueError(f"no_repeat_ngram: invalid value {no_repeat_ngram}: expected 0 or more")
        self.no_repeat_ngram = no_repeat_ngram
        if prefix is not None and (prefix.dim() != 2 or len(prefix) != batch):
            raise ValueError(
                f"prefix: invalid shape {tuple(prefix.shape)}: expected ({batch}, P) for {batch} sentences"
            )
        self.prefix = prefix.to(device) if prefix is not None and prefix.shape[1] else None  # (B, P)
        if end in banned:
            raise ValueError(f"banned: {end} is the token that ends a sentence")
        self.banned = torch.tensor(list(banned), dtype=torch.long, device=device)
        self.all_long_enough = int(self.shortest.max()) if batch else 0  # from here on the minimum is no rule
        self.all_may_continue = int(self.longest.min()) if batch else 0  # and before here the maximum

    def take(self, sentences: Tensor) -> None:
        """Keep the rules of these sentences only."""
        self.longest, self.shortest = self.longest[sentences], self.shortest[sentences]
        self.prefix = self.prefix[sentences] if self.prefix is not None else None
        if len(sentences):
            self.all_long_enough, self.all_may_continue = int(self.shortest.max()), int(self.longest.min())

    def check(self, log_probs: Tensor, hypotheses: int) -> None:
        """Raise ValueError where a step's ``log_probs`` are not (N, V), or a token of these rules is not one of V."""
        if log_probs.dim() != 2 or len(log_probs) != hypotheses:
            shape = tuple(log_probs.shape)
            raise ValueError(f"step gave log-probabilities of the shape {shape}: expected ({hypotheses}, V)")
        named = {"end": [self.end], "banned": self.banned.tolist()}
        if self.prefix is not None:
            named["prefix"] = [int(self.prefix.max())]
        for name, tokens in named.items():
            if max(tokens, default=0) >= log_probs.shape[1]:
                raise ValueError(f"{name}: invalid token {max(tokens)}: step scores {log_probs.shape[1]} tokens")

    def apply(self, scores: Tensor, running: Tensor, history: Tensor) -> None:
        """Set the scores of tokens that may not follow to -inf, in place.

        A sentence that must end although the model gives its end the probability 0 ends at no cost.

        Args:
            scores: (B, K, V) of each hypothesis continued by each token.
            running: (B, K) of the hypotheses themselves.
            history: (B, K, t) tokens so far.
        """
        length = history.shape[-1]
        required = None
        if self.prefix is not None and length < self.prefix.shape[1]:
            required = torch.where(length < self.longest, self.prefix[:, length], -1)  # (B,)
            place = required.clamp(min=0)[:, None, None].expand(-1, scores.shape[1], -1)  # (B, K, 1)
            required_scores = scores.gather(2, place)  # (B, K, 1), before any other rule
        if len(self.banned):
            scores.index_fill_(2, self.banned, NEVER)
        early, late = length < self.all_long_enough, length >= self.all_may_continue
        if not (self.no_repeat_ngram or early or late or required is not None):
            return
        ends = scores[..., self.end].clone()  # (B, K)
        forced = torch.where(ends == NEVER, running, ends)  # (B, K)
        if self.no_repeat_ngram:
            self._ban_repeated(scores, history)
        if early:
            may_end = (length >= self.shortest)[:, None]  # (B, 1)
            scores[..., self.end] = torch.where(may_end, ends, NEVER)
        if early or self.no_repeat_ngram:
            stuck = scores.amax(-1) == NEVER  # (B, K)
            scores[..., self.end] = torch.where(stuck, forced, scores[..., self.end])
        if required is not None:
            bound = (required >= 0)[:, None, None]  # (B, 1, 1)
            scores.masked_fill_(bound, NEVER)
            scores.scatter_(2, place, torch.where(bound, required_scores, scores.gather(2, place)))
        if late:
            over = length >= self.longest  # (B,)
            scores.masked_fill_(over[:, None, None], NEVER)
            scores[..., self.end] = torch.where(over[:, None], forced, scores[..., self.end])

    def _ban_repeated(self, scores: Tensor, history: Tensor) -> None:
        n, length = self.no_repeat_ngram, history.shape[-1]
        if length < n:
            return
        ngrams = history.unfold(-1, n, 1)  # (B, K, t - n + 1, n)
        last = history[..., None, length - n + 1 :]  # (B, K, 1, n - 1)
        repeats = (ngrams[..., :-1] == last).all(-1)  # (B, K, t - n + 1)
        b, k, i = repeats.nonzero(as_tuple=True)
        scores[b, k, ngrams[b, k, i, -1]] = NEVER


def _for_each(lengths: Lengths, batch: int, device: torch.device, name: str) -> Tensor:
    """One number, or B numbers, as (B,)."""
    tensor = torch.as_tensor(lengths, dtype=torch.long, device=device)
    if tensor.dim() > 1 or (tensor.dim() == 1 and len(tensor) != batch):
        raise ValueError(f"{name}: invalid shape {tuple(tensor.shape)}: expected one number or {batch} numbers")
    if bool((tensor < 0).any()):
        raise ValueError(f"{name}: invalid value {int(tensor.min())}: expected 0 or more")
    return tensor.expand(batch)
