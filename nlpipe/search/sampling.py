"""One hypothesis a sentence: the most probable token each time (greedy), or one drawn (sampling).

Fan et al. 2018, "Hierarchical Neural Story Generation" (top-k); Holtzman et al. 2020, "The Curious Case of Neural Text
Degeneration" (top-p, the nucleus).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nlpipe.search.beam import top
from nlpipe.search.hypotheses import SearchResult, possible
from nlpipe.search.rules import NEVER, Lengths, Rules
from nlpipe.search.tree import Step, Tree, take

LEAVING = 0.1
"""Share of the sentences that must be done before those are taken out of the batch."""


def greedy(
    step: Step,
    tokens: Tensor,
    state: Tree,
    memory: Tree = (),
    *,
    end: int,
    max_length: Lengths,
    min_length: Lengths = 0,
    no_repeat_ngram: int = 0,
    prefix: Tensor | None = None,
    banned: Sequence[int] = (),
) -> SearchResult:
    """The hypothesis that takes the most probable token each time; arguments as those of ``beam_search``.

    Raises:
        ValueError: a length is negative, or a shape does not fit.
        ModelError: a log-probability is not a number.
    """
    rules = Rules(len(tokens), tokens.device, end, max_length, min_length, no_repeat_ngram, prefix, banned)
    return _go(step, tokens, state, memory, rules, lambda scores: top(scores, 1)[1][:, 0])


def sample(
    step: Step,
    tokens: Tensor,
    state: Tree,
    memory: Tree = (),
    *,
    end: int,
    max_length: Lengths,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
    min_length: Lengths = 0,
    no_repeat_ngram: int = 0,
    prefix: Tensor | None = None,
    banned: Sequence[int] = (),
) -> SearchResult:
    """A hypothesis drawn token by token; other arguments as those of ``beam_search``.

    Args:
        temperature: log-probabilities are divided by it; below 1 the probable becomes more so.
        top_k: draw among the k most probable tokens alone; None: among all.
        top_p: draw among the fewest most probable tokens that have this probability together.
        generator: where the random numbers come from; None: torch's own.

    Raises:
        ValueError: ``temperature`` or ``top_p`` is not above 0, ``top_k`` below 1, a length or shape does not fit.
        ModelError: a log-probability is not a number.
    """
    if not temperature > 0:
        raise ValueError(f"temperature: {temperature} will not do: above 0; the most probable is what greedy gives")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k: {top_k} will not do: 1 or more, or None for all")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p: {top_p} will not do: above 0 and at most 1")
    rules = Rules(len(tokens), tokens.device, end, max_length, min_length, no_repeat_ngram, prefix, banned)

    def draw(scores: Tensor) -> Tensor:
        peak = scores.amax(-1, keepdim=True)  # (B, 1)
        possible(peak[:, 0])
        warm = narrow((scores - peak) / temperature, top_k, top_p).softmax(-1)  # (B, V)
        return warm.multinomial(1, generator=generator)[:, 0]

    return _go(step, tokens, state, memory, rules, draw)


def narrow(scores: Tensor, top_k: int | None, top_p: float) -> Tensor:
    """``scores`` (B, V) with -inf for all but the nucleus of ``top_p`` among the ``top_k`` most probable."""
    if top_k is not None and top_k < scores.shape[-1]:
        least = scores.topk(top_k).values[:, -1:]  # (B, 1)
        scores = scores.masked_fill(scores < least, NEVER)
    if top_p < 1:
        ordered, order = scores.sort(descending=True)  # (B, V)
        before = ordered.softmax(-1).cumsum(-1).roll(1, -1)  # (B, V) of those more probable
        before[:, 0] = 0.0
        outside = torch.zeros_like(before, dtype=torch.bool).scatter(1, order, before >= top_p)
        scores = scores.masked_fill(outside, NEVER)
    return scores


def _go(
    step: Step, tokens: Tensor, state: Tree, memory: Tree, rules: Rules, choose: Callable[[Tensor], Tensor]
) -> SearchResult:
    """Go on with what ``choose`` makes of the log-probabilities (B, V), until every sentence has ended."""
    batch, device = len(tokens), tokens.device
    most = int(rules.longest.max()) if batch else 0
    said = torch.full((batch, most), rules.end, device=device)  # (B, T) of all sentences
    lengths = torch.zeros(batch, dtype=torch.long, device=device)
    total = torch.zeros(batch, device=device)
    places = torch.arange(batch, device=device)  # of the running sentences among all
    history = tokens.new_zeros(batch, 1, 0)  # (B, 1, t)
    running = torch.zeros(batch, device=device)  # (B,) log-probability
    done = torch.zeros(batch, dtype=torch.bool, device=device)
    for length in range(most + 1 if batch else 0):
        log_probs, state = step(tokens, state, memory)  # (B, V)
        if not length:
            rules.check(log_probs, batch)
        following = (running[:, None] + log_probs.float())[:, None]  # (B, 1, V)
        rules.apply(following, running[:, None], history)
        tokens = choose(following[:, 0])  # (B,)
        running = torch.where(done, running, following[:, 0].gather(1, tokens[:, None])[:, 0])  # (B,)
        possible(running)
        history = torch.cat([history, tokens[:, None, None]], -1)  # (B, 1, t + 1)
        ended = (tokens == rules.end) & ~done
        if bool(ended.any()):
            gone = places[ended]
            lengths[gone], total[gone] = length, running[ended]
            said[gone, :length] = history[ended, 0, :length]
            done = done | ended
            leaving = int(done.sum())
            if leaving == len(done):
                break
            if leaving >= LEAVING * len(done):
                kept = (~done).nonzero()[:, 0]
                state, memory = take(state, kept), take(memory, kept)
                tokens, running, history, places = tokens[kept], running[kept], history[kept], places[kept]
                done = done[kept]
                rules.take(kept)
    tokens_found = said[:, None, : int(lengths.max()) if batch else 0]
    return SearchResult(tokens_found, lengths[:, None], total[:, None], total[:, None])
