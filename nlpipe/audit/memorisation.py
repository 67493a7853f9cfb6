"""What an audit of a language model asks and finds: shares, passages, and how each is stored as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.audit.personal_data import PersonalData
from nlpipe.errors import NlpipeError
from nlpipe.metrics.estimates import score_of
from nlpipe.metrics.jackknife import item_values
from nlpipe.options import LARGEST_SEED, check_number


@dataclass(frozen=True)
class Sampling:
    """How much is generated, and what counts as repeated.

    Args:
        samples: texts that are drawn, and prefixes of each kind.
        max_new_tokens: of a text or a continuation.
        length: tokens in a row that count as repeated; None: as many as 10 words have in the training text, at
            most 50.
        context: tokens of a prefix; None: as ``length``.
        seed: of the random numbers.

    Raises:
        NlpipeError: a value is out of its range.
    """

    samples: int = 100
    max_new_tokens: int = 100
    length: int | None = None
    context: int | None = None
    seed: int = 13

    def __post_init__(self) -> None:
        check_number("samples", self.samples, 2)
        check_number("max_new_tokens", self.max_new_tokens, 1)
        check_number("seed", self.seed, 0, LARGEST_SEED)
        if self.length is not None:
            check_number("length", self.length, 2)
        if self.context is not None:
            check_number("context", self.context, 1)
        if self.length is not None and self.length > self.max_new_tokens:
            raise NlpipeError(
                f"length: {self.length} is above max_new_tokens, which is {self.max_new_tokens}: no text would be as "
                "long as that"
            )


USUAL = Sampling()
"""What is sampled where nothing is said."""


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval by the luck of the texts or prefixes that were drawn (jackknife; Wilson's where
    none or all are counted).

    Args:
        value: count / total.
        low: of the interval.
        high: of the interval.
        count: tokens or prefixes.
        total: of these.
    """

    value: float
    low: float
    high: float
    count: int
    total: int

    @classmethod
    def of(cls, counts: Sequence[int] | np.ndarray, totals: Sequence[int] | np.ndarray) -> Share | None:
        """The share of the sums of n items; None if there is nothing that could be counted.

        Args:
            counts: (n,).
            totals: (n,).
        """
        sums = np.column_stack([counts, totals]).astype(np.float64)[np.asarray(totals) > 0]  # (n, 2)
        if not len(sums):
            return None
        low, high = 0.0, 1.0
        if len(sums) > 1:
            score, values = item_values(lambda part: part[..., 0] / part[..., 1], sums)
            low, high = np.clip(score_of((np.array([score]), values[None])).interval(), 0.0, 1.0).tolist()
        count, total = (int(part) for part in sums.sum(axis=0))
        return cls(count / total, low, high, count, total)

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"value": self.value, "low": self.low, "high": self.high, "count": self.count, "total": self.total}


@dataclass(frozen=True)
class Passage:
    """A stretch of generated text that stands in the training text.

    Args:
        text: as the tokenizer joins its tokens; personal data is masked.
        tokens: number of them.
        times: how often it stands in the training text.
    """

    text: str
    tokens: int
    times: int

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"text": self.text, "tokens": self.tokens, "times": self.times}


@dataclass(frozen=True)
class Repetition:
    """How much of some texts stands in the training text, and how prefixes of the same kind are continued.

    Args:
        texts: number of them.
        repeated: share of their tokens that lie in stretches of ``length`` or more that stand in training.
        longest: tokens of the longest stretch that does, however short.
        continued: share of the prefixes whose continuation equals the text they come from for ``length`` tokens; None
            where no text is long enough for one.
    """

    texts: int
    repeated: Share | None
    longest: int
    continued: Share | None

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "texts": self.texts, "longest": self.longest,
            "repeated": None if self.repeated is None else self.repeated.record(),
            "continued": None if self.continued is None else self.continued.record(),
        }  # fmt: skip


@dataclass(frozen=True)
class Memorisation:
    """What a model repeats.

    Args:
        length: tokens in a row that count as repeated.
        context: tokens of a prefix.
        generated: texts of the model; its ``continued`` is of prefixes from the training text.
        held_out: excerpts of held-out text, as long as those; its ``continued`` is of prefixes from held-out text.
        passages: the longest that the model repeats, those of ``length`` or more.
        personal_data: in the training text and in what was generated, continuations included.
    """

    length: int
    context: int
    generated: Repetition
    held_out: Repetition
    passages: tuple[Passage, ...]
    personal_data: tuple[PersonalData, ...]

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "length": self.length, "context": self.context, "generated": self.generated.record(),
            "held_out": self.held_out.record(), "passages": [passage.record() for passage in self.passages],
            "personal_data": [each.record() for each in self.personal_data],
        }  # fmt: skip
