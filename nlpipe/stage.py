"""The contract: a stage takes one wire and gives another, and says so in its type parameters.

    class TfIdf(Representation[Tokens, Vectors]): ...

takes ``Tokens`` and gives ``Vectors``. Bag of words is a stage, an LSTM is one, logistic regression is one. What a
stage learns without gradients it learns in ``fit``; what gradients learn is allocated in ``build``, and ``forward``
applies both. Constructors store and range-check options and do nothing else, so that checking a file is instant.

This file is free of torch; stages with parameters derive from ``nlpipe.nn.Neural`` as well.
"""

from __future__ import annotations

import functools
import inspect
import typing
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from nlpipe.errors import ModelError, suggest
from nlpipe.options import check_options
from nlpipe.wire import Labels, Span, Text, Tokens, Vectors, Wire

if TYPE_CHECKING:
    from torch import Tensor

    from nlpipe.search.tree import Tree

In = TypeVar("In", bound=Wire)
Out = TypeVar("Out", bound=Wire)

Data = Iterable[tuple[In, Any]]
"""Batches of (wire, targets), which may be gone through more than once; targets are a wire of the same length."""


@dataclass
class State:
    """What a fitted stage knows: arrays (written as safetensors) and plain data (written as JSON). Never pickled."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Predictions(Generic[Out]):
    """What a head says of B examples.

    Args:
        values: B predicted labels, tag lists or texts.
        scores: (B,) probability, or log-probability for texts, of what is predicted; for tags (B,) arrays of that of
            each word; None where there is none.
        probabilities: (B, C) for labels, columns as in ``classes``; None where the head has none.
        classes: C labels.
    """

    values: Out
    scores: np.ndarray | None = None
    probabilities: np.ndarray | None = None
    classes: tuple[str, ...] = ()


class Stage(Generic[In, Out]):
    """One step of a pipeline, from ``In`` to ``Out``.

    ``options`` holds what the constructor was given, checked, with the defaults filled in: it is written into the
    run's ``pipeline.yaml`` and the saved model. Subclasses get this from ``__init_subclass__``, which wraps their
    constructor; a value that does not fit its annotation raises ValueError before the constructor runs.
    """

    takes: ClassVar[type[Wire]] = Wire
    gives: ClassVar[type[Wire]] = Wire
    version: ClassVar[int] = 1
    """Format of ``state``; raise it when what is written changes, and read the older ones in ``load_state``."""

    seed: int = 0
    """What random numbers are drawn from in ``fit``; the pipeline sets it before fitting."""

    bf16: bool = False
    """Whether it may answer in bfloat16 where that pays; the pipeline sets it, unless it was trained in fp32."""

    options: dict[str, Any] = {}  # noqa: RUF012 - replaced by each instance, never changed in place

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for base in getattr(cls, "__orig_bases__", ()):
            wires = typing.get_args(base)
            if len(wires) == 2 and isinstance(typing.get_origin(base), type):
                for name, wire in zip(("takes", "gives"), wires, strict=True):
                    if isinstance(wire, type):
                        setattr(cls, name, wire)
        if "__init__" in cls.__dict__:
            cls.__init__ = _checked(cls.__dict__["__init__"])  # type: ignore[method-assign]

    @property
    def trainable(self) -> bool:
        """Whether gradients must learn some of it; such a stage needs a head with a loss behind it."""
        return False

    @property
    def costly(self) -> bool:
        """Whether ``forward`` is dear enough, and steady enough, to keep its outputs on disk."""
        return False

    @property
    def module(self) -> Any:
        """The ``nn.Module`` with its parameters, once built; None where it has none."""
        return None

    def nested(self) -> dict[str, Stage[Any, Any]]:
        """Stages given as options, by option name (``parts.0``, ``parts.1`` of a list); saved on their own."""
        found = {}
        for name, value in self.options.items():
            several = value if isinstance(value, list | tuple) else None
            for i, item in enumerate(several if several is not None else [value]):
                if isinstance(item, Stage):
                    found[name if several is None else f"{name}.{i}"] = item
        return found

    def with_nested(self) -> Iterator[Stage[Any, Any]]:
        """The stages inside it, at any depth, then itself."""
        for stage in self.nested().values():
            yield from stage.with_nested()
        yield self

    def fit(self, data: Data[In]) -> None:
        """Learn from the training split what gradients do not: a vocabulary, idf, word vectors, a linear model."""

    def fit_forward(self, data: Data[In]) -> Iterator[Out]:
        """Fit, then give ``forward`` of every batch of ``data``; override where both are done in one pass."""
        self.fit(data)
        for source, _ in data:
            yield self.forward(source)

    def build(self, width: int) -> int:
        """Allocate for inputs of D = ``width`` (0 where a wire has none), say the D of the outputs; after ``fit``."""
        return width

    def prepare(self, source: In) -> In:
        """The same wire with the parameter-free work done that each epoch would repeat (word to id, word pieces).

        It gives a subclass of ``In`` that this stage's own ``forward`` knows; ``take`` and ``concat`` keep it so.
        """
        return source

    @abstractmethod
    def forward(self, source: In) -> Out:
        """Apply it to a batch; the output has the length of the input."""

    def ledger(self, source: In) -> dict[str, float]:
        """Counts of what a batch loses here (``tokens``, ``out_of_vocabulary`` of them, ``truncated_tokens`` …)."""
        return {}

    def state(self) -> State:
        """All that ``fit`` and training left behind."""
        return State()

    def load_state(self, state: State, version: int) -> None:
        """Take back what ``state`` gave, on an instance made with the same options.

        Raises:
            ModelError: ``version`` is one this class does not read.
        """
        if version != self.version:
            raise ModelError(
                f"{type(self).__name__} was saved in format {version}, this nlpipe reads format {self.version}; "
                "install the nlpipe named in the run's environment.json, or run the pipeline again"
            )


def _checked(init: Callable[..., None]) -> Callable[..., None]:
    """``init``, its arguments checked against its annotations and kept in ``self.options``."""
    signature = inspect.signature(init)

    # It stands in for constructors of any signature, so it must take any arguments; ``bind`` refuses unknown ones.
    @functools.wraps(init)
    def __init__(self: Stage[Any, Any], *args: Any, **kwargs: Any) -> None:
        if type(self).__init__ is not __init__:  # a subclass's own constructor called this one
            init(self, *args, **kwargs)
            return
        given = signature.bind(self, *args, **kwargs).arguments
        given.pop("self")
        values = check_options(type(self), given)
        init(self, **values)
        self.__dict__["options"] = values  # not setattr: torch modules would register nested stages twice

    return __init__


class Tokenizer(Stage[Text, Tokens]):
    """Text to words, each with its place in the text; words are never invented and never overlap.

    A subclass gives ``forward``, ``spans`` and ``join``. ``forward`` passes ``self.spans`` on as ``Tokens.locate``.
    """

    @abstractmethod
    def spans(self, text: str, words: list[str]) -> list[Span]:
        """(start, end) in ``text`` of each of the ``words`` that ``forward`` gave for it; usually found by splitting
        again, since normalisation (lower case, Unicode forms) may have changed them."""

    @abstractmethod
    def join(self, words: Sequence[str]) -> str:
        """Words back to text a person reads: spaces where the language and this tokenizer have them."""

    def normalise(self, word: str) -> str:
        """What ``forward`` does to each word besides splitting (lower case, say); used for data that comes split."""
        return word

    def keep(self, tokens: Tokens) -> Tokens:
        """Data that comes split: its splitting stays, only the words are normalised."""
        return Tokens([[self.normalise(w) for w in words] for words in tokens.words], tokens.texts, tokens.locate)


class Representation(Stage[In, Out]):
    """Words to numbers: ``Vectors`` (one per text) or ``Sequences`` (one per word)."""

    shares_table: ClassVar[bool] = False
    """Whether it offers ``vocabulary``, ``table`` (a module whose weight is (V, D)) and ``scale`` (what its rows are
    multiplied by) for a head to share."""
    specials: tuple[str, ...] = ()
    """Words without which the head that shares its vocabulary cannot be; set before ``fit``."""


class Encoder(Stage[In, Out]):
    """Numbers to numbers: an LSTM over ``Sequences``, a pooling from ``Sequences`` to ``Vectors``."""


class Decoder(Stage[In, Out]):
    """What a sequence-to-sequence head steps through: a causal stage with attention over a memory.

    It has two ways to read, which give the same: ``read`` all tokens at once, to train, and ``step`` by step, to
    search. B sentences have N hypotheses: N / B adjacent ones share a row of the memory.
    """

    memory_width: int = 0
    """Features of the memory; the head sets it before ``build``, 0: as many as those of the inputs."""

    @property
    def longest(self) -> int | None:
        """Tokens that it has positions for, the first included; None: any number."""
        return None

    @abstractmethod
    def remember(self, rows: Tensor, mask: Tensor) -> Tree:
        """What it needs of a memory (B, S, features) with its mask (B, S): B rows, fixed for all steps."""

    @abstractmethod
    def read(self, x: Tensor, memory: Tree) -> Tensor:
        """All tokens ``x`` (B, T, D) at once, each seeing itself and those before it: (B, T, features)."""

    @abstractmethod
    def start(self, memory: Tree, track_coverage: bool = False) -> Tree:
        """The state of B hypotheses that have read nothing.

        Args:
            memory: what ``remember`` gave.
            track_coverage: whether the state adds up the attention that each token of the memory gets.
        """

    @abstractmethod
    def step(self, x: Tensor, state: Tree, memory: Tree) -> tuple[Tensor, Tree]:
        """Read one more token of each hypothesis, ``x`` (N, 1, D): (N, 1, features), and the new state."""

    @abstractmethod
    def coverage(self, state: Tree) -> Tensor:
        """Of a state that tracks it: (N, S) attention that each token of the memory got in all; 1 for padding."""

    @abstractmethod
    def attention(self, x: Tensor, memory: Tree) -> Tensor:
        """The attention weights (B, T, S) with which ``read`` reads ``x``; S is 0 for a decoder without attention."""

    def forward(self, source: In) -> Out:
        raise AssertionError("a decoder reads along a memory: its head calls read and step")


class Head(Stage[In, Out]):
    """Numbers to what the task asks for: ``Labels``, ``Tags`` or ``Text``.

    It learns in ``fit`` (scikit-learn), or by gradients, in which case it has a method ``loss(source, target) ->
    (summed negative log-likelihood in nats, number of units)`` and sets ``by_gradient``.
    """

    by_gradient: ClassVar[bool] = False

    @property
    def joint(self) -> bool:
        """Whether tokenizer and vocabulary of the stages before it are those of its targets too; they are then fitted
        on sources and targets together, with ``specials`` in the vocabulary."""
        return False

    specials: ClassVar[tuple[str, ...]] = ()
    """Words that its targets' vocabulary must have."""

    answering: ClassVar[tuple[str, ...]] = ()
    """Options that say how answers are looked for and nothing else: they may be changed once it is fitted."""

    def change(self, **options: Any) -> None:
        """Answer with other ``options`` from now on.

        Raises:
            ValueError: one that is not of ``answering``, or a value that does not fit.
        """
        for name in options:
            if name not in self.answering:
                said = f"{name}: no option of {type(self).__name__} that can be changed once it is fitted"
                raise ValueError(f"{said}{suggest(name, self.answering)}")
        values = check_options(type(self), {**self.options, **options})
        self.__dict__["options"] = values
        for name in options:
            setattr(self, name, values[name])

    def prepare_target(self, target: Out) -> Out:
        """The same wire with the work done that each epoch would repeat; ``loss`` knows it. As ``prepare``."""
        return target

    def guess(self, source: In) -> Predictions[Out]:
        """``predict`` for the scores of the dev split while training; override where a cheaper one is as telling."""
        return self.predict(source)

    @abstractmethod
    def predict(self, source: In) -> Predictions[Out]:
        """The most probable output for each example, with its score."""

    def forward(self, source: In) -> Out:
        return self.predict(source).values

    def calibrate(self, dev: Data[In]) -> None:
        """Set what the dev split decides after fitting: temperature, thresholds, interpolation weights."""

    def bind(self, body: Sequence[Stage[Any, Any]]) -> None:
        """After fitting and before ``build``: look in the stages before it for tables and vocabularies to share."""


class LabelHead(Head[Vectors, Labels]):
    """A head that labels vectors. Over ``Sequences`` the pipeline applies it to every token, giving ``Tags``."""

    classes: tuple[str, ...] = ()
    """C labels in the order of the columns of its probabilities; known after ``fit``."""
