"""One hypothesis for each sentence: the most probable token at each step (greedy), or a random one (sampling).

Fan et al. 2018, "Hierarchical Neural Story Generation" (top-k); Holtzman et al. 2020, "The Curious Case of Neural Text
Degeneration" (top-p, the nucleus).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nlpipe.search.beam import top
from nlpipe.search.hypotheses import SearchResult, check_possible
from nlpipe.search.rules import NEVER, Lengths, Rules
from nlpipe.search.tree import Step, Tree, take

LEAVING = 0.1
"""Share of the sentences that must be finished before they are removed from the batch."""

Watch = Callable[[Tensor, Tensor], Tensor]
"""``watch(places (b,), tokens (b,)) -> (b,)``: told of the newest token of each running sentence, an end token too,
and says which sentences end with it: for streams of words and for texts that end a sentence."""


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
    watch: Watch | None = None,
) -> SearchResult:
    """Greedy search: take the most probable token at each step; the arguments are those of ``beam_search``.

    Args:
        watch: told of each token; see ``Watch``.

    Raises:
        ValueError: a length is negative, or a shape does not fit.
        ModelError: a log-probability is not a number.
    """
    rules = Rules(len(tokens), tokens.device, end, max_length, min_length, no_repeat_ngram, prefix, banned)
    return _decode(step, tokens, state, memory, rules, lambda scores, places: top(scores, 1)[1][:, 0], watch)


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
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    min_length: Lengths = 0,
    no_repeat_ngram: int = 0,
    prefix: Tensor | None = None,
    banned: Sequence[int] = (),
    watch: Watch | None = None,
) -> SearchResult:
    """Sampling: draw each token by its probability; the other arguments are those of ``beam_search``.

    Args:
        temperature: log-probabilities are divided by it; below 1 probable tokens become more probable.
        top_k: draw among the k most probable tokens; None: among all.
        top_p: draw among the smallest set of most probable tokens whose probabilities sum to this or more.
        generator: source of the random numbers; one for each of B sentences makes a sentence the same alone and in any
            batch; None: torch's own.
        watch: told of each token; see ``Watch``.

    Raises:
        ValueError: ``temperature`` or ``top_p`` is not above 0, ``top_k`` below 1, a length or shape does not fit.
        ModelError: a log-probability is not a number.
    """
    if not temperature > 0:
        raise ValueError(f"temperature: invalid value {temperature}: expected a number above 0, or use greedy search")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k: invalid value {top_k}: expected 1 or more, or None for all tokens")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p: invalid value {top_p}: expected a number above 0 and at most 1")
    rules = Rules(len(tokens), tokens.device, end, max_length, min_length, no_repeat_ngram, prefix, banned)

    def draw(scores: Tensor, places: Tensor) -> Tensor:
        peak = scores.amax(-1, keepdim=True)  # (B, 1)
        check_possible(peak[:, 0])
        sharp = max(temperature, torch.finfo(scores.dtype).tiny)  # a smaller number is 0 in this precision
        probabilities = restrict((scores - peak) / sharp, top_k, top_p).softmax(-1)  # (B, V)
        if generator is None or isinstance(generator, torch.Generator):
            return probabilities.multinomial(1, generator=generator)[:, 0]
        own = [generator[place] for place in places.tolist()]
        numbers = torch.stack([torch.rand((), generator=each, dtype=torch.float64) for each in own])  # (B,)
        return drawn(probabilities, numbers.to(scores.device))

    return _decode(step, tokens, state, memory, rules, draw, watch)


def drawn(probabilities: Tensor, numbers: Tensor) -> Tensor:
    """The token in whose stretch of the line from 0 to 1 each of B numbers falls; one of probability 0 has none.

    Args:
        probabilities: (B, V).
        numbers: (B,) from 0, included, to 1, excluded.
    """
    ends = probabilities.double().cumsum(-1)  # (B, V)
    target = numbers[:, None] * ends[:, -1:]  # (B, 1)
    tokens = torch.searchsorted(ends, target, right=True)[:, 0]  # (B,)
    last = probabilities.shape[1] - 1 - (probabilities > 0).flip(1).to(torch.uint8).argmax(1)
    return torch.minimum(tokens, last)  # beyond the end by rounding


def restrict(scores: Tensor, top_k: int | None, top_p: float) -> Tensor:
    """``scores`` (B, V), -inf outside the nucleus of ``top_p`` among the ``top_k`` most probable tokens."""
    if top_k is not None and top_k < scores.shape[-1]:
        least = scores.topk(top_k).values[:, -1:]  # (B, 1)
        scores = scores.masked_fill(scores < least, NEVER)
    if top_p < 1:
        ordered, order = scores.sort(descending=True)  # (B, V)
        before = ordered.softmax(-1).cumsum(-1).roll(1, -1)  # (B, V) probability of all more probable tokens
        before[:, 0] = 0.0
        outside = torch.zeros_like(before, dtype=torch.bool).scatter(1, order, before >= top_p)
        scores = scores.masked_fill(outside, NEVER)
    return scores


def _decode(
    step: Step,
    tokens: Tensor,
    state: Tree,
    memory: Tree,
    rules: Rules,
    choose: Callable[[Tensor, Tensor], Tensor],
    watch: Watch | None = None,
) -> SearchResult:
    """Extend each sentence until all have ended, by the token that ``choose`` takes.

    Args:
        choose: scores (b, V) of the running sentences and their places (b,) to tokens (b,).
    """
    batch, device = len(tokens), tokens.device
    longest = int(rules.longest.max()) if batch else 0
    finished = [tokens.new_zeros(0)] * batch  # of all sentences, without the end token
    lengths = torch.zeros(batch, dtype=torch.long, device=device)
    total = torch.zeros(batch, device=device)
    places = torch.arange(batch, device=device)  # places of the running sentences among all
    history = tokens.new_zeros(batch, 1, 0)  # (B, 1, t)
    running = torch.zeros(batch, device=device)  # (B,) log-probability
    done = torch.zeros(batch, dtype=torch.bool, device=device)
    for length in range(longest + 1 if batch else 0):
        log_probs, state = step(tokens, state, memory)  # (B, V)
        if not length:
            rules.check(log_probs, batch)
        following = (running[:, None] + log_probs.float())[:, None]  # (B, 1, V)
        rules.apply(following, running[:, None], history)
        tokens = choose(following[:, 0], places)  # (B,)
        running = torch.where(done, running, following[:, 0].gather(1, tokens[:, None])[:, 0])  # (B,)
        check_possible(running)
        history = torch.cat([history, tokens[:, None, None]], -1)  # (B, 1, t + 1)
        ended = (tokens == rules.end) & ~done
        stopped = torch.zeros_like(done)
        if watch is not None:
            stopped = watch(places, torch.where(done, rules.end, tokens)) & ~done & ~ended
        ending = ended | stopped
        if bool(ending.any()):
            where = places[ending]
            lengths[where], total[where] = length + stopped[ending].long(), running[ending]
            for place, row in zip(where.tolist(), history[ending, 0], strict=True):
                finished[place] = row[: int(lengths[place])]
            done = done | ending
            leaving = int(done.sum())
            if leaving == len(done):
                break
            if leaving >= LEAVING * len(done):
                stay = (~done).nonzero()[:, 0]
                state, memory = take(state, stay), take(memory, stay)
                tokens, running, history, places = tokens[stay], running[stay], history[stay], places[stay]
                done = done[stay]
                rules.take(stay)
    hypotheses = pad_sequence(finished, True, rules.end)[:, None] if batch else history  # (B, 1, T)
    return SearchResult(hypotheses, lengths[:, None], total[:, None], total[:, None])
