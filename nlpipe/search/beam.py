"""Beam search: the K best hypotheses of every sentence, extended by one token at a time.

There are two pools of fixed shape: K running hypotheses and K finished ones. A step scores all continuations of the
running hypotheses and takes the best 2K; each hypothesis has one end token, so at least K of them do not end. An end
token among the best K moves its hypothesis to the finished pool, where it is ranked by its score:

    score(Y) = log P(Y) / lp(Y) + beta cp(Y)            lp(Y) = ((5 + |Y|) / 6) ** alpha

|Y| includes the end token; cp(Y) = sum over the source of log(min(attention received, 1)) is never above 0.
Log-probabilities only decrease, so no running hypothesis can reach a score above log P / lp(longest): as soon as the
finished hypotheses are above that bound, the search stops, with the result that it would have in the end.

Wu et al. 2016, "Google's Neural Machine Translation System", section 7 (alpha, beta); Huang, Zhao and Ma 2017, "When to
Finish?" (stopping).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nlpipe.search.hypotheses import SearchResult, check_numbers
from nlpipe.search.rules import NEVER, Lengths, Rules
from nlpipe.search.tree import Step, Tree, take

Coverage = Callable[[Tree, Tree], Tensor]
"""``coverage(state, memory) -> (N,)``: cp of each hypothesis, 0 or below."""

Stopping = Literal["early", "exact"]

LEAVING = 0.1
"""Share of the sentences that must be finished before they are removed from the batch: removing them costs a copy."""
BLOCK = 64
"""Number of scores in a block of ``top``."""


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
        step: reads one token of each hypothesis and gives the log-probabilities of the next one.
        tokens: (B,) the start token of each sentence.
        state: the state before the start token, B rows.
        memory: B rows, or none.
        end: the token that ends a sentence.
        max_length: most tokens of a sentence before its end token; one number or B.
        beam: K; 1 is greedy search, which stops at its first end token.
        n_best: number of hypotheses to return, at most K.
        length_penalty: alpha, 0 or more.
        coverage_penalty: beta, 0 or more.
        coverage: cp of the hypotheses of a state; required where beta is not 0.
        min_length: fewest tokens of a sentence before its end token; one number or B.
        no_repeat_ngram: n, if no n-gram of tokens may occur twice in a sentence; 0: no such rule.
        prefix: (B, P) tokens that a sentence must begin with, -1 where any token is allowed.
        banned: tokens that are never chosen.
        stopping: exact: stop when no running hypothesis can be among the ``n_best``; early: also when K are finished.

    Raises:
        ValueError: ``n_best`` is above ``beam``, a penalty or a length is negative, a shape does not fit, or a token is
            not one of those that ``step`` scores.
        TypeError: a part of ``state`` or ``memory`` cannot be indexed by rows.
        ModelError: a log-probability is not a number.
    """
    if not 1 <= n_best <= beam:
        raise ValueError(f"n_best: invalid value {n_best}: expected a number from 1 to the beam, which is {beam}")
    if length_penalty < 0 or coverage_penalty < 0:
        raise ValueError(
            f"invalid penalties {length_penalty} (length) and {coverage_penalty} (coverage): expected 0 or more"
        )
    if coverage_penalty and coverage is None:
        raise ValueError(f"coverage_penalty: {coverage_penalty} requires coverage, a function of state and memory")
    batch, device = len(tokens), tokens.device
    rules = Rules(batch, device, end, max_length, min_length, no_repeat_ngram, prefix, banned)
    longest = int(rules.longest.max()) if batch else -1
    results: list[tuple[Tensor, _Pool]] = []  # places of the sentences that left, and their hypotheses
    pool = _Pool.empty(tokens, beam)
    places = torch.arange(batch, device=device)  # (B,) places of the running sentences among all
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
        check_numbers(best[:, 0].masked_fill(done, 0.0))  # (B,), NaN would come first
        parent, token = index // size, index % size  # (B, 2K)
        ended = token == end  # (B, 2K)
        retired = ended[:, :beam] & (best[:, :beam] > NEVER)  # (B, K): only the top K may retire
        if bool(retired.any()):
            ranked = best[:, :beam] / _penalty(length + 1, length_penalty)  # (B, K)
            if coverage_penalty and coverage is not None:
                covered = coverage(state, memory).view(len(scores), width)  # (B, K)
                ranked = ranked + coverage_penalty * covered.gather(1, parent[:, :beam])
            ranked = ranked.masked_fill(~retired, NEVER)
            pool.add(ranked, best[:, :beam], _histories(history, parent[:, :beam]))
        scores, order = best.masked_fill(ended, NEVER).topk(beam)  # (B, K)
        parent, token = parent.gather(1, order), token.gather(1, order)  # (B, K)
        history = torch.cat([_histories(history, parent), token[..., None]], -1)  # (B, K, t + 1)
        bound = scores[:, 0] / _penalty(rules.longest + 1, length_penalty)  # (B,)
        over = (pool.scores[:, n_best - 1] >= bound) | (rules.longest <= length) | (scores[:, 0] == NEVER)
        if stopping == "early" or beam == 1:
            over |= pool.scores[:, -1] > NEVER
        done |= over
        scores = scores.masked_fill(done[:, None], NEVER)  # a finished sentence does not change
        leaving = int(done.sum())
        rows = parent + width * torch.arange(len(scores), device=device)[:, None]  # (B, K)
        if leaving == len(done) or leaving >= LEAVING * len(done):
            leave, stay = done.nonzero()[:, 0], (~done).nonzero()[:, 0]
            results.append((places[leave], pool.take(leave)))
            if leaving == len(done):
                break
            pool, places = pool.take(stay), places[stay]
            rows, scores, history, token = rows[stay], scores[stay], history[stay], token[stay]
            done = done[stay]
            memory = take(memory, stay)
            rules.take(stay)
        state = take(state, rows.flatten())
        tokens = token  # (B, K)
    if not batch:
        return pool.result(n_best, end)
    order = torch.cat([left for left, _ in results]).argsort()  # (B,)
    return _Pool.join([part for _, part in results]).take(order).result(n_best, end)


def top(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` largest of each row of ``scores`` (B, M), largest first, and their places: (B, count) each.

    Shorter rows are filled up with -inf. In long rows the maximum of each block is computed first: the ``count``
    largest scores are in the ``count`` blocks with the largest maxima.
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
    candidates = whole.gather(1, chosen[..., None].expand(-1, -1, BLOCK)).flatten(1)  # (B, 64 count)
    tail = scores[:, blocks * BLOCK :]  # (B, M % 64)
    values, places = torch.cat([candidates, tail], 1).topk(count)  # (B, count)
    block = chosen.gather(1, (places // BLOCK).clamp(max=count - 1))  # (B, count)
    in_tail = places - count * BLOCK + blocks * BLOCK
    return values, torch.where(places < count * BLOCK, block * BLOCK + places % BLOCK, in_tail)


def _penalty(length: Tensor | int, alpha: float) -> Tensor | float:
    return length_penalty(length, alpha)


def _histories(history: Tensor, parent: Tensor) -> Tensor:
    """The ``history`` (B, K, t) of each ``parent`` (B, M): (B, M, t)."""
    return history.gather(1, parent[..., None].expand(-1, -1, history.shape[-1]))


class _Pool:
    """The K best finished hypotheses of B sentences, best first.

    Args:
        scores: (B, K) what they are ranked by; -inf where there is no hypothesis.
        log_probs: (B, K), with the end token.
        lengths: (B, K) tokens before the end token.
        tokens: (B, K, T), arbitrary after the length.
    """

    def __init__(self, scores: Tensor, log_probs: Tensor, lengths: Tensor, tokens: Tensor) -> None:
        self.scores, self.log_probs, self.lengths, self.tokens = scores, log_probs, lengths, tokens

    @classmethod
    def empty(cls, like: Tensor, beam: int) -> _Pool:
        """A pool without hypotheses, for the sentences of ``like`` (B,)."""
        none = torch.full((len(like), beam), NEVER, device=like.device)  # (B, K)
        zeros = like.new_zeros(len(like), beam)
        return cls(none, none, zeros, zeros[..., None][..., :0])

    def add(self, scores: Tensor, log_probs: Tensor, tokens: Tensor) -> None:
        """Keep the K best of these hypotheses and K new ones, whose ``tokens`` (B, K, t) are the longest so far."""
        scores, order = torch.cat([self.scores, scores], 1).topk(scores.shape[1])  # (B, K)
        lengths = torch.full_like(self.lengths, tokens.shape[-1])
        self.scores = scores
        self.log_probs = torch.cat([self.log_probs, log_probs], 1).gather(1, order)
        self.lengths = torch.cat([self.lengths, lengths], 1).gather(1, order)
        self.tokens = _histories(torch.cat([_widen(self.tokens, tokens.shape[-1]), tokens], 1), order)

    def take(self, sentences: Tensor) -> _Pool:
        """The hypotheses of these sentences."""
        return _Pool(*(part[sentences] for part in (self.scores, self.log_probs, self.lengths, self.tokens)))

    @classmethod
    def join(cls, parts: Sequence[_Pool]) -> _Pool:
        """The hypotheses of all sentences of ``parts``."""
        width = max(part.tokens.shape[-1] for part in parts)
        return cls(
            torch.cat([part.scores for part in parts]),
            torch.cat([part.log_probs for part in parts]),
            torch.cat([part.lengths for part in parts]),
            torch.cat([_widen(part.tokens, width) for part in parts]),
        )

    def result(self, n_best: int, end: int) -> SearchResult:
        """The ``n_best`` hypotheses of each sentence."""
        lengths = self.lengths[:, :n_best]  # (B, n)
        padding = torch.arange(self.tokens.shape[-1], device=lengths.device) >= lengths[..., None]  # (B, n, T)
        tokens = self.tokens[:, :n_best].masked_fill(padding, end)
        return SearchResult(tokens, lengths, self.scores[:, :n_best], self.log_probs[:, :n_best])


def _widen(tokens: Tensor, width: int) -> Tensor:
    """``tokens`` (B, K, t) filled up with zeros: (B, K, width)."""
    return F.pad(tokens, (0, width - tokens.shape[-1]))
