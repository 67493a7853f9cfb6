"""Beam search: the K best hypotheses of every sentence, one token further at a time.

Two pools of fixed shape: K hypotheses that run, K that are finished. A step scores every continuation of those that
run and looks at the best 2K: at most K of them end, so that K remain to go on. An end among the best K retires its
hypothesis to the finished pool, where it is ranked by its score:

    score(Y) = log P(Y) / lp(Y) + beta cp(Y)            lp(Y) = ((5 + |Y|) / 6) ** alpha

|Y| counts the end; cp(Y) = sum over the source of log(min(attention received, 1)) is never above 0. Log-probabilities
only fall, so that no running hypothesis can come to score more than log P / lp(longest): where the finished ones are
above that, the search stops with what it would find in the end.

Wu et al. 2016, "Google's Neural Machine Translation System", section 7 (alpha, beta); Huang, Zhao and Ma 2017, "When to
Finish?" (stopping).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nlpipe.search.hypotheses import SearchResult, numbers
from nlpipe.search.rules import NEVER, Lengths, Rules
from nlpipe.search.tree import Step, Tree, take

Coverage = Callable[[Tree, Tree], Tensor]
"""``coverage(state, memory) -> (N,)``: cp of each hypothesis, 0 or below."""

Stopping = Literal["early", "exact"]

LEAVING = 0.1
"""Share of the sentences that must be done before those are taken out of the batch: taking them out costs a copy."""
BLOCK = 64
"""Scores of which the largest is found first, where the best of many are looked for."""


def length_penalty(length: Tensor | float, alpha: float) -> Tensor | float:
    """GNMT length penalty, Wu et al. 2016, eq. 14: ((5 + length) / 6) ** alpha."""
    return ((5.0 + length) / 6.0) ** alpha


def beam_search(
    step: Step,
    tokens: Tensor,
    state: Tree,
    memory: Tree = (),
    *,
    end: int,
    max_length: Lengths,
    beam: int = 5,
    n_best: int = 1,
    length_penalty: float = 1.0,
    coverage_penalty: float = 0.0,
    coverage: Coverage | None = None,
    min_length: Lengths = 0,
    no_repeat_ngram: int = 0,
    prefix: Tensor | None = None,
    banned: Sequence[int] = (),
    stopping: Stopping = "exact",
) -> SearchResult:
    """The best hypotheses of B sentences.

    Args:
        step: reads a token of each hypothesis and gives the log-probabilities of the next.
        tokens: (B,) what each sentence starts with.
        state: B rows, of sentences of which nothing has been read.
        memory: B rows, or none.
        end: the token that ends a sentence.
        max_length: most tokens of a sentence before its end; one number or B.
        beam: K; 1 is greedy search, which stops at its first end.
        n_best: how many hypotheses to give, at most K.
        length_penalty: alpha, 0 or more.
        coverage_penalty: beta, 0 or more.
        coverage: cp of the hypotheses of a state; needed where beta is not 0.
        min_length: fewest tokens of a sentence before its end; one number or B.
        no_repeat_ngram: n, where no n tokens in a row may come twice; 0: they may.
        prefix: (B, P) tokens that a sentence must begin with, -1 where it is free.
        banned: tokens that are never chosen.
        stopping: exact: when no running hypothesis can come among the ``n_best``; early: also when K are finished.

    Raises:
        ValueError: ``n_best`` is above ``beam``, a penalty or a length is negative, a shape does not fit, a token is
            none of those that ``step`` scores.
        TypeError: a part of ``state`` or ``memory`` is nothing that has rows.
        ModelError: a log-probability is not a number.
    """
    if not 1 <= n_best <= beam:
        raise ValueError(f"n_best: {n_best} will not do: from 1 to beam, which is {beam}")
    if length_penalty < 0 or coverage_penalty < 0:
        raise ValueError(f"penalties are 0 or more, not {length_penalty} (length) and {coverage_penalty} (coverage)")
    if coverage_penalty and coverage is None:
        raise ValueError(
            f"coverage_penalty: {coverage_penalty} needs coverage, which says what a state has attended to"
        )
    batch, device = len(tokens), tokens.device
    rules = Rules(batch, device, end, max_length, min_length, no_repeat_ngram, prefix, banned)
    longest = int(rules.longest.max()) if batch else -1
    results: list[tuple[Tensor, _Pool]] = []  # of sentences that left, with their places
    pool = _Pool.empty(tokens, beam)
    places = torch.arange(batch, device=device)  # (B,) of the running sentences among all
    scores = torch.zeros(batch, 1, device=device)  # (B, K), 1 before the first step
    history = tokens.new_zeros(batch, 1, 0)  # (B, K, t)
    done = torch.zeros(batch, dtype=torch.bool, device=device)  # (B,)
    tokens = tokens[:, None]  # (B, K)
    for length in range(longest + 1):
        log_probs, state = step(tokens.flatten(), state, memory)  # (B K, V)
        if not length:
            rules.check(log_probs, batch)
        width, size = tokens.shape[1], log_probs.shape[-1]
        following = scores[:, :, None] + log_probs.view(len(scores), width, size)  # (B, K, V)
        rules.apply(following, scores, history)
        best, index = top(following.flatten(1), 2 * beam)  # (B, 2K)
        numbers(best[:, 0].masked_fill(done, 0.0))  # (B,), where NaN would stand first
        parent, token = index // size, index % size  # (B, 2K)
        ended = token == end  # (B, 2K)
        retired = ended[:, :beam] & (best[:, :beam] > NEVER)  # (B, K): only the top K may retire
        if bool(retired.any()):
            ranked = best[:, :beam] / _penalty(length + 1, length_penalty)  # (B, K)
            if coverage_penalty and coverage is not None:
                covered = coverage(state, memory).view(len(scores), width)  # (B, K)
                ranked = ranked + coverage_penalty * covered.gather(1, parent[:, :beam])
            ranked = ranked.masked_fill(~retired, NEVER)
            pool.add(ranked, best[:, :beam], _follow(history, parent[:, :beam]))
        scores, order = best.masked_fill(ended, NEVER).topk(beam)  # (B, K)
        parent, token = parent.gather(1, order), token.gather(1, order)  # (B, K)
        history = torch.cat([_follow(history, parent), token[..., None]], -1)  # (B, K, t + 1)
        bound = scores[:, 0] / _penalty(rules.longest + 1, length_penalty)  # (B,)
        over = (pool.scores[:, n_best - 1] >= bound) | (rules.longest <= length) | (scores[:, 0] == NEVER)
        if stopping == "early" or beam == 1:
            over |= pool.scores[:, -1] > NEVER
        done |= over
        scores = scores.masked_fill(done[:, None], NEVER)  # what is done changes no more
        leaving = int(done.sum())
        rows = parent + width * torch.arange(len(scores), device=device)[:, None]  # (B, K)
        if leaving == len(done) or leaving >= LEAVING * len(done):
            gone, kept = done.nonzero()[:, 0], (~done).nonzero()[:, 0]
            results.append((places[gone], pool.take(gone)))
            if leaving == len(done):
                break
            pool, places = pool.take(kept), places[kept]
            rows, scores, history, token = rows[kept], scores[kept], history[kept], token[kept]
            done = done[kept]
            memory = take(memory, kept)
            rules.take(kept)
        state = take(state, rows.flatten())
        tokens = token  # (B, K)
    if not batch:
        return pool.found(n_best, end)
    order = torch.cat([gone for gone, _ in results]).argsort()  # (B,)
    return _Pool.join([part for _, part in results]).take(order).found(n_best, end)


def top(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` largest of each row of ``scores`` (B, M), largest first, and where they stand: (B, count) each.

    Rows of fewer are filled with -inf. In long rows the largest of each block is found first: what is among the
    ``count`` largest stands in one of the ``count`` blocks with the largest maxima.
    """
    size = scores.shape[1]
    if size < count:
        scores = F.pad(scores, (0, count - size), value=NEVER)
        values, places = scores.topk(count)
        return values, places.clamp(max=size - 1)
    if size < 4 * BLOCK * count:
        return scores.topk(count)
    blocks = size // BLOCK
    whole = scores[:, : blocks * BLOCK].reshape(-1, blocks, BLOCK)  # (B, M / 64, 64)
    chosen = whole.amax(-1).topk(count).indices  # (B, count)
    few = whole.gather(1, chosen[..., None].expand(-1, -1, BLOCK)).flatten(1)  # (B, 64 count)
    rest = scores[:, blocks * BLOCK :]  # (B, M % 64)
    values, places = torch.cat([few, rest], 1).topk(count)  # (B, count)
    block = chosen.gather(1, (places // BLOCK).clamp(max=count - 1))  # (B, count)
    tail = places - count * BLOCK + blocks * BLOCK
    return values, torch.where(places < count * BLOCK, block * BLOCK + places % BLOCK, tail)


def _penalty(length: Tensor | int, alpha: float) -> Tensor | float:
    return length_penalty(length, alpha)


def _follow(history: Tensor, parent: Tensor) -> Tensor:
    """``history`` (B, K, t) of each ``parent`` (B, M): (B, M, t)."""
    return history.gather(1, parent[..., None].expand(-1, -1, history.shape[-1]))


class _Pool:
    """The K best finished hypotheses of B sentences, best first.

    Args:
        scores: (B, K) what they are ranked by; -inf where there is none.
        log_probs: (B, K), the end included.
        lengths: (B, K) tokens before the end.
        tokens: (B, K, T), anything behind the length.
    """

    def __init__(self, scores: Tensor, log_probs: Tensor, lengths: Tensor, tokens: Tensor) -> None:
        self.scores, self.log_probs, self.lengths, self.tokens = scores, log_probs, lengths, tokens

    @classmethod
    def empty(cls, like: Tensor, beam: int) -> _Pool:
        """Without any, for the sentences of ``like`` (B,)."""
        none = torch.full((len(like), beam), NEVER, device=like.device)  # (B, K)
        zeros = like.new_zeros(len(like), beam)
        return cls(none, none, zeros, zeros[..., None][..., :0])

    def add(self, scores: Tensor, log_probs: Tensor, tokens: Tensor) -> None:
        """Keep the K best of those here and K more; ``tokens`` (B, K, t) are as long as the longest yet."""
        scores, order = torch.cat([self.scores, scores], 1).topk(scores.shape[1])  # (B, K)
        lengths = torch.full_like(self.lengths, tokens.shape[-1])
        self.scores = scores
        self.log_probs = torch.cat([self.log_probs, log_probs], 1).gather(1, order)
        self.lengths = torch.cat([self.lengths, lengths], 1).gather(1, order)
        self.tokens = _follow(torch.cat([_widen(self.tokens, tokens.shape[-1]), tokens], 1), order)

    def take(self, sentences: Tensor) -> _Pool:
        """Those of these sentences."""
        return _Pool(*(part[sentences] for part in (self.scores, self.log_probs, self.lengths, self.tokens)))

    @classmethod
    def join(cls, parts: Sequence[_Pool]) -> _Pool:
        """All sentences of ``parts``."""
        width = max(part.tokens.shape[-1] for part in parts)
        return cls(
            torch.cat([part.scores for part in parts]),
            torch.cat([part.log_probs for part in parts]),
            torch.cat([part.lengths for part in parts]),
            torch.cat([_widen(part.tokens, width) for part in parts]),
        )

    def found(self, n_best: int, end: int) -> SearchResult:
        """The best of each sentence."""
        lengths = self.lengths[:, :n_best]  # (B, n)
        behind = torch.arange(self.tokens.shape[-1], device=lengths.device) >= lengths[..., None]  # (B, n, T)
        tokens = self.tokens[:, :n_best].masked_fill(behind, end)
        return SearchResult(tokens, lengths, self.scores[:, :n_best], self.log_probs[:, :n_best])


def _widen(tokens: Tensor, width: int) -> Tensor:
    """``tokens`` (B, K, t) with zeros behind: (B, K, width)."""
    return F.pad(tokens, (0, width - tokens.shape[-1]))
