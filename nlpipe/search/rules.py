"""What a hypothesis may go on with: lengths, repetitions, a forced beginning, words never wanted.

Every rule is applied to all hypotheses at once. A rule that would leave a hypothesis nothing to go on with gives way,
so that every sentence ends. A forced beginning is stronger than all others but the longest length.
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
        max_length: most tokens of a sentence, its end not counted; then it must end.
        min_length: fewest tokens before the end.
        no_repeat_ngram: n, where no n tokens in a row may come twice; 0: they may.
        prefix: (B, P) tokens that a sentence must begin with, -1 where it is free.
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
        self.longest = _spread(max_length, batch, device, "max_length")  # (B,)
        self.shortest = _spread(min_length, batch, device, "min_length")  # (B,)
        if bool((self.shortest > self.longest).any()):
            raise ValueError(f"min_length: {min_length} is above max_length: {max_length}")
        if no_repeat_ngram < 0:
            raise ValueError(f"no_repeat_ngram: {no_repeat_ngram} will not do: 0 or more")
        self.no_repeat_ngram = no_repeat_ngram
        if prefix is not None and (prefix.dim() != 2 or len(prefix) != batch):
            raise ValueError(f"prefix has the shape {tuple(prefix.shape)}: {batch} sentences need ({batch}, P)")
        self.prefix = prefix.to(device) if prefix is not None and prefix.shape[1] else None  # (B, P)
        if end in banned:
            raise ValueError(f"banned: {end} is the token that ends a sentence")
        self.banned = torch.tensor(list(banned), dtype=torch.long, device=device)
        self.quiet_from = int(self.shortest.max()) if batch else 0  # no sentence is too short any more
        self.quiet_until = int(self.longest.min()) if batch else 0  # nor yet too long

    def take(self, sentences: Tensor) -> None:
        """Go on with these sentences alone."""
        self.longest, self.shortest = self.longest[sentences], self.shortest[sentences]
        self.prefix = self.prefix[sentences] if self.prefix is not None else None
        if len(sentences):
            self.quiet_from, self.quiet_until = int(self.shortest.max()), int(self.longest.min())

    def check(self, log_probs: Tensor, hypotheses: int) -> None:
        """Raise ValueError where a step's ``log_probs`` are not (N, V), or a token of these rules is not one of V."""
        if log_probs.dim() != 2 or len(log_probs) != hypotheses:
            shape = tuple(log_probs.shape)
            raise ValueError(f"step gave log-probabilities of the shape {shape}: {hypotheses} need ({hypotheses}, V)")
        named = {"end": [self.end], "banned": self.banned.tolist()}
        if self.prefix is not None:
            named["prefix"] = [int(self.prefix.max())]
        for name, tokens in named.items():
            if max(tokens, default=0) >= log_probs.shape[1]:
                raise ValueError(f"{name}: {max(tokens)} is none of the {log_probs.shape[1]} tokens that step scores")

    def apply(self, scores: Tensor, running: Tensor, history: Tensor) -> None:
        """Set to -inf, in place, what may not come next.

        A sentence that must end is cut where the model never ends it: it ends at no cost.

        Args:
            scores: (B, K, V) of every hypothesis with each token behind it.
            running: (B, K) of the hypotheses themselves.
            history: (B, K, t) tokens so far.
        """
        length = history.shape[-1]
        wanted = None
        if self.prefix is not None and length < self.prefix.shape[1]:
            wanted = torch.where(length < self.longest, self.prefix[:, length], -1)  # (B,)
            place = wanted.clamp(min=0)[:, None, None].expand(-1, scores.shape[1], -1)  # (B, K, 1)
            begun = scores.gather(2, place)  # (B, K, 1), which no other rule forbids
        if len(self.banned):
            scores.index_fill_(2, self.banned, NEVER)
        early, late = length < self.quiet_from, length >= self.quiet_until
        if not (self.no_repeat_ngram or early or late or wanted is not None):
            return
        ends = scores[..., self.end].clone()  # (B, K)
        forced = torch.where(ends == NEVER, running, ends)  # (B, K)
        if self.no_repeat_ngram:
            self._ban_repeated(scores, history)
        if early:
            free = (length >= self.shortest)[:, None]  # (B, 1)
            scores[..., self.end] = torch.where(free, ends, NEVER)
        if early or self.no_repeat_ngram:
            stuck = scores.amax(-1) == NEVER  # (B, K)
            scores[..., self.end] = torch.where(stuck, forced, scores[..., self.end])
        if wanted is not None:
            held = (wanted >= 0)[:, None, None]  # (B, 1, 1)
            scores.masked_fill_(held, NEVER)
            scores.scatter_(2, place, torch.where(held, begun, scores.gather(2, place)))
        if late:
            over = length >= self.longest  # (B,)
            scores.masked_fill_(over[:, None, None], NEVER)
            scores[..., self.end] = torch.where(over[:, None], forced, scores[..., self.end])

    def _ban_repeated(self, scores: Tensor, history: Tensor) -> None:
        n, length = self.no_repeat_ngram, history.shape[-1]
        if length < n:
            return
        said = history.unfold(-1, n, 1)  # (B, K, t - n + 1, n)
        last = history[..., None, length - n + 1 :]  # (B, K, 1, n - 1)
        again = (said[..., :-1] == last).all(-1)  # (B, K, t - n + 1)
        b, k, i = again.nonzero(as_tuple=True)
        scores[b, k, said[b, k, i, -1]] = NEVER


def _spread(lengths: Lengths, batch: int, device: torch.device, name: str) -> Tensor:
    """(B,) of one number or of B."""
    found = torch.as_tensor(lengths, dtype=torch.long, device=device)
    if found.dim() > 1 or (found.dim() == 1 and len(found) != batch):
        raise ValueError(f"{name} has the shape {tuple(found.shape)}: {batch} sentences need one number, or {batch}")
    if bool((found < 0).any()):
        raise ValueError(f"{name}: {int(found.min())} will not do: 0 or more")
    return found.expand(batch)
