"""Text that a language model writes: what may follow a prompt, drawn or searched, one token after another.

The search is that of translation (``nlpipe.search``); the model is the step function that its head gives. A prompt is
the beginning that each hypothesis must have. Several prompts are continued side by side, each as it would be alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, SupportsFloat

import numpy as np

from nlpipe.capabilities import Generates, able
from nlpipe.errors import NlpipeError, NlpipeWarning, suggest
from nlpipe.options import LARGEST_SEED, check_number
from nlpipe.pipeline.batches import inference
from nlpipe.pipeline.python_data import texts_of
from nlpipe.registry import written_name
from nlpipe.stage import AnyHead, Tokenizer
from nlpipe.vocabulary import END, MASK, PAD, START, UNKNOWN, UNKNOWN_ID, escaped, unescaped
from nlpipe.wire import Text

if TYPE_CHECKING:
    from torch import Tensor

MOST_PROMPTS = 64
"""Prompts that are continued side by side."""
WIDEST_BEAM = 10_000
"""Hypotheses of a beam search, at most: its memory grows with them."""


@dataclass(frozen=True)
class Generation:
    """How text is generated.

    Args:
        max_new_tokens: tokens that follow the prompt, at most.
        temperature: below 1 probable tokens become more probable, above 1 less; 0: the most probable one (greedy).
        top_k: draw among this many most probable tokens; None: among all.
        top_p: draw among the most probable tokens that have this probability together (the nucleus).
        beam: hypotheses of a beam search, which takes the place of drawing; None: no search.
        stop: texts behind which a continuation ends; they stay in it.
        seed: of the random numbers; prompt i of several has those of seed + i.
        no_repeat_ngram: no sequence of this many tokens may occur twice; 0: no such rule.
        min_new_tokens: tokens that follow the prompt, at least.

    Raises:
        NlpipeError: a value is out of its range, or two exclude each other.
    """

    max_new_tokens: int = 100
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    beam: int | None = None
    stop: tuple[str, ...] = ()
    seed: int = 13
    no_repeat_ngram: int = 0
    min_new_tokens: int = 0

    def __post_init__(self) -> None:
        for name, value in (("temperature", self.temperature), ("top_p", self.top_p)):
            if isinstance(value, str) or not isinstance(value, SupportsFloat):
                raise NlpipeError(f"{name}: invalid value {value!r}: expected a number")
        if not 0 <= self.temperature < float("inf"):
            raise NlpipeError(
                f"temperature: invalid value {self.temperature}: expected 0 (always the most probable token) or a "
                "number above it"
            )
        check_number("max_new_tokens", self.max_new_tokens, 1)
        check_number("min_new_tokens", self.min_new_tokens, 0)
        check_number("no_repeat_ngram", self.no_repeat_ngram, 0)
        check_number("seed", self.seed, 0, LARGEST_SEED)
        if self.top_k is not None:
            check_number("top_k", self.top_k, 1)
        if self.beam is not None:
            check_number("beam", self.beam, 1, WIDEST_BEAM)
        if self.min_new_tokens > self.max_new_tokens:
            raise NlpipeError(
                f"min_new_tokens: {self.min_new_tokens} is above max_new_tokens, which is {self.max_new_tokens}"
            )
        if not 0 < self.top_p <= 1:
            raise NlpipeError(f"top_p: invalid value {self.top_p}: expected a number above 0 and at most 1")
        if any(not text for text in self.stop):
            raise NlpipeError("stop: an empty text ends every continuation at once; leave it out")
        if self.beam is not None and (self.top_k is not None or self.top_p < 1 or self.temperature not in (0.0, 1.0)):
            raise NlpipeError(
                "beam: a beam search draws nothing, so temperature, top_k and top_p have no meaning in it"
            )
        if self.beam is not None and self.stop:
            raise NlpipeError("stop: a beam search does not stop at a text; leave out stop, or beam")


def options_of(given: Mapping[str, Any]) -> Generation:
    """Options by name as a ``Generation``.

    Raises:
        NlpipeError: there is no such option, or its value is invalid.
    """
    names = [field.name for field in fields(Generation)]
    for name in given:
        if name not in names:
            raise NlpipeError(f"generation has no option '{name}'{suggest(name, names)}")
    values = dict(given)
    if "stop" in values:
        stop = values["stop"]
        values["stop"] = () if stop is None else tuple(texts_of([stop] if isinstance(stop, str) else stop, "stop"))
    return Generation(**values)


@dataclass(frozen=True)
class Continuation:
    """What follows a prompt.

    Args:
        prompt: as given.
        text: the prompt and what follows it, joined as the tokenizer joins words.
        tokens: of what follows.
        log_probability: of the whole text by the model, prompt included, in nats; with its end, if the model ended it;
            a beam search adds it at the limit of length too.
        ended: whether the model, or a text to stop at, ended it; if not, the limit of length did.
    """

    prompt: str
    text: str
    tokens: tuple[str, ...]
    log_probability: float
    ended: bool


def generate(
    head: AnyHead,
    tokenizer: Tokenizer | None,
    prompts: Sequence[str],
    how: Generation = Generation(),
    stream: Callable[[str], None] | None = None,
) -> list[Continuation]:
    """Continue each prompt.

    Args:
        head: of a language model.
        tokenizer: of its pipeline.
        prompts: beginnings of texts; an empty one asks for a whole text.
        how: see ``Generation``.
        stream: called with what the text has become longer by, token after token; for one prompt, not in a beam search.

    Raises:
        NlpipeError: the head is no language model; or ``stream`` is given for several prompts or a beam search.
    """
    if stream is not None and (len(prompts) != 1 or how.beam is not None):
        raise NlpipeError("stream: one prompt alone can be streamed, and no beam search, which changes its mind")
    writer = Writer(head, tokenizer, how)
    with inference():
        return [
            continuation
            for first in range(0, len(prompts), MOST_PROMPTS)
            for continuation in writer.write(list(prompts[first : first + MOST_PROMPTS]), first, stream)
        ]


class Writer:
    """Writes texts with one model, in one way."""

    def __init__(self, head: AnyHead, tokenizer: Tokenizer | None, how: Generation) -> None:
        model = able(head, Generates)
        if model is None or tokenizer is None:
            name = written_name(head)
            raise NlpipeError(f"'{name}' is no language model and continues no text; language_model and ngram do")
        self.tokenizer: Tokenizer = tokenizer
        self.vocabulary = model.vocabulary
        self.model = model.next_tokens()
        self.how = how
        self.end = self.vocabulary.id(END)
        specials = (PAD, START, UNKNOWN, MASK)
        self.banned = [self.vocabulary.id(word) for word in dict.fromkeys(specials) if word in self.vocabulary]
        if how.top_k is not None and how.top_k > len(self.vocabulary):
            message = f"top_k: {how.top_k:,} is more than the {len(self.vocabulary):,} tokens: all take part"
            warnings.warn(message, NlpipeWarning, stacklevel=3)

    def write(self, prompts: list[str], first: int, stream: Callable[[str], None] | None) -> list[Continuation]:
        """Continue ``prompts``, the first of which is number ``first`` of all."""
        import torch

        from nlpipe.search import beam_search, greedy, sample

        how = self.how
        words = [self._words(prompt) for prompt in prompts]
        lengths = [len(ids) for ids in words]
        prefix = torch.full((len(prompts), max(lengths, default=0)), -1, dtype=torch.int64)  # (B, P)
        for row, ids in zip(prefix, words, strict=True):
            row[: len(ids)] = torch.as_tensor(ids)
        longest = torch.tensor(lengths) + how.max_new_tokens
        shortest = torch.tensor(lengths) + how.min_new_tokens
        start = torch.full((len(prompts),), self.vocabulary.id(START), dtype=torch.int64)
        options: dict[str, Any] = {
            "end": self.end, "max_length": longest, "min_length": shortest, "prefix": prefix, "banned": self.banned,
            "no_repeat_ngram": how.no_repeat_ngram,
        }  # fmt: skip
        watcher = Watcher(self, prompts, lengths, stream)
        state = self.model.start(len(prompts))
        if how.beam is not None:
            found = beam_search(self.model.step, start, state, beam=how.beam, **options)
        elif how.temperature == 0:
            found = greedy(self.model.step, start, state, watch=watcher.watch, **options)
        else:
            own = [torch.Generator().manual_seed(how.seed + first + i) for i in range(len(prompts))]
            found = sample(
                self.model.step, start, state, temperature=how.temperature, top_k=how.top_k, top_p=how.top_p,
                generator=own, watch=watcher.watch, **options,
            )  # fmt: skip
        logs = found.log_probs[:, 0].tolist()
        return [
            self._continuation(prompts[i], words[i], hypotheses[0], logs[i])
            for i, hypotheses in enumerate(found.lists())
        ]

    def _words(self, prompt: str) -> np.ndarray:
        """The ids of a prompt's tokens."""
        words = self.tokenizer.forward(Text([prompt])).words[0]
        ids = self.vocabulary.ids(escaped(words))
        unknown = sorted({word for word, number in zip(words, ids, strict=True) if number == UNKNOWN_ID})
        if unknown:
            shown = ", ".join(repr(word) for word in unknown[:5]) + (" …" if len(unknown) > 5 else "")
            message = f"the model does not know {shown}, and reads an unknown word instead"
            warnings.warn(message, NlpipeWarning, stacklevel=4)
        return ids

    def text(self, prompt: str, ids: Sequence[int]) -> str:
        """The prompt as it was given, and what follows it, joined as the tokenizer joins words."""
        before = self.tokenizer.forward(Text([prompt])).words[0]
        joined, spelled = self.tokenizer.join([*before, *self._written(ids)]), self.tokenizer.join(before)
        if not joined.startswith(spelled):  # what follows changes how the prompt is joined
            return joined
        behind = joined[len(spelled) :]
        has_space = prompt[-1:].isspace() and not spelled[-1:].isspace()
        return prompt + (behind.lstrip(" ") if has_space else behind)

    def _written(self, ids: Sequence[int]) -> list[str]:
        """Tokens as they stand in a text."""
        return unescaped(self.vocabulary.words(ids))

    def _continuation(self, prompt: str, prefix: np.ndarray, hypothesis: Sequence[int], log: float) -> Continuation:
        new = list(hypothesis[len(prefix) :])
        text = self.text(prompt, new)
        ended = len(new) < self.how.max_new_tokens or any(stop in text[len(prompt) :] for stop in self.how.stop)
        return Continuation(prompt, text, tuple(self._written(new)), log, ended)


class Watcher:
    """Follows the texts while they are written: streams one, and stops those that have a text to stop at.

    Args:
        writer: joins tokens to texts.
        prompts: B of them.
        lengths: tokens of each.
        stream: called with what is new.
    """

    def __init__(
        self, writer: Writer, prompts: list[str], lengths: list[int], stream: Callable[[str], None] | None
    ) -> None:
        self.writer, self.prompts, self.lengths, self.stream = writer, prompts, lengths, stream
        self.read = [0] * len(prompts)
        self.new: list[list[int]] = [[] for _ in prompts]
        self.shown = [len(prompt) for prompt in prompts]

    def watch(self, places: Tensor, tokens: Tensor) -> Tensor:
        """See ``nlpipe.search.sampling.Watch``."""
        import torch

        stops = []
        for place, token in zip(places.tolist(), tokens.tolist(), strict=True):
            self.read[place] += 1
            stops.append(
                self.read[place] > self.lengths[place] and token != self.writer.end and self._add(place, token)
            )
        return torch.tensor(stops, device=places.device)

    def _add(self, place: int, token: int) -> bool:
        """Whether the text ends with this token: it has all that it may have, or a text to stop at is in it."""
        self.new[place].append(token)
        full = len(self.new[place]) == self.writer.how.max_new_tokens
        if self.stream is None and not self.writer.how.stop:
            return full
        text = self.writer.text(self.prompts[place], self.new[place])
        if self.stream is not None:
            self.stream(text[self.shown[place] :])
            self.shown[place] = len(text)
        behind = text[len(self.prompts[place]) :]
        return full or any(stop in behind for stop in self.writer.how.stop)
