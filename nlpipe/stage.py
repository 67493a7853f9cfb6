"""The contract: a stage takes one wire and gives another, and says so in its type parameters.

    class TfIdf(Representation[Tokens, Vectors]): ...

takes ``Tokens`` and gives ``Vectors``. Bag of words is a stage, an LSTM is one, logistic regression is one. What a
stage learns without gradients it learns in ``fit``; what gradients learn is allocated in ``build``, and ``forward``
applies both. Constructors store and range-check options and do nothing else, so that checking a file is instant.

The base class of each slot is in this file too: each is a few methods that only make sense beside those of ``Stage``.

This file is free of torch; stages with parameters derive from ``nlpipe.nn.Neural`` as well.
"""

from __future__ import annotations

import functools
import inspect
import reprlib
import typing
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np

from nlpipe.errors import ModelError, suggest
from nlpipe.options import check_options, options_of
from nlpipe.predictions import Predictions
from nlpipe.use_order import guard_order, noting
from nlpipe.wire import Labels, Span, Text, Tokens, Vectors, Wire

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nlpipe.search.tree import Tree

_SHORT = reprlib.Repr()
"""Shows the options of a stage: the first items of a long list or mapping, the start and end of a long text."""
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 6
_SHORT.maxstring = 80
_SHORT.maxother = 200

In = TypeVar("In", bound=Wire)
Out = TypeVar("Out", bound=Wire)

Data = Iterable[tuple[In, Any]]
"""Batches of (wire, targets), which may be gone through more than once; targets are a wire of the same length."""


@dataclass
class State:
    """What a fitted stage knows: arrays (written as safetensors) and plain data (written as JSON). Never pickled.

    ``files`` are what another runtime reads, where one computes the stage: ``onnx``, or ``ctranslate2/model.bin`` and
    the files beside it, each with its content. Their names are the ends of those in the folder.
    """

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


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

    seeded: ClassVar[bool] = True
    """Whether ``fit``, if there is one, may draw random numbers; set it to False where it never does."""

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
        guard_order(cls)
        if "__init__" in cls.__dict__:
            cls.__init__ = _checked(cls.__dict__["__init__"])  # type: ignore[method-assign]

    @property
    def trainable(self) -> bool:
        """Whether gradients must learn some of it; such a stage needs a head with a loss behind it."""
        return False

    @property
    def costly(self) -> bool:
        """Whether ``forward`` is expensive and deterministic, so that its outputs are cached on disk."""
        return False

    @property
    def module(self) -> nn.Module | None:
        """The ``nn.Module`` with its parameters, once built; None where it has none."""
        return None

    def nested(self) -> dict[str, AnyStage]:
        """Stages given as options, by option name (``parts.0``, ``parts.1`` of a list); saved on their own."""
        found = {}
        for name, value in self.options.items():
            several = value if isinstance(value, list | tuple) else None
            for i, item in enumerate(several if several is not None else [value]):
                if isinstance(item, Stage):
                    found[name if several is None else f"{name}.{i}"] = item
        return found

    def __repr__(self) -> str:
        """The class and the options that differ from their defaults: ``TfIdf(ngrams=(1, 2))``."""
        owner: Callable[..., Any] = type(self)
        defaults = {name: option.default for name, option in options_of(owner).items()}
        changed = {name: value for name, value in self.options.items() if value != defaults[name]}
        return f"{type(self).__name__}({', '.join(f'{name}={_SHORT.repr(value)}' for name, value in changed.items())})"

    def with_nested(self) -> Iterator[AnyStage]:
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
        """Allocate parameters, after ``fit``.

        Args:
            width: D of the inputs; 0 where their wire has none.

        Returns:
            D of the outputs.
        """
        return width

    def prepare(self, source: In) -> In:
        """Do the work without parameters that each epoch would repeat: words to ids, splitting into word pieces.

        Returns:
            The same wire as a subclass of ``In`` that carries the result and that ``forward`` recognises; its ``take``
            and ``concat`` give the same subclass.
        """
        return source

    @abstractmethod
    def forward(self, source: In) -> Out:
        """Apply it to a batch; the output has the length of the input."""

    def process(self, source: Any) -> Out:
        """``forward`` within a pipeline; a tokenizer also takes data that is split already, and keeps its splitting."""
        return self.forward(source)

    @property
    def learns(self) -> bool:
        """Whether it learns something in ``fit``."""
        return type(self).fit is not Stage.fit or type(self).fit_forward is not Stage.fit_forward

    @property
    def uses_seed(self) -> bool:
        """Whether another seed may change what ``fit`` learns; comparisons run pipelines without such a stage once."""
        return self.learns and self.seeded

    def freeze(self, bf16: bool) -> None:
        """Put it into eval mode: no dropout, no gradient; the trainer puts what it trains back into training mode.

        Args:
            bf16: whether it may compute in bfloat16 where that is faster.
        """
        for stage in self.with_nested():
            stage.bf16 = bf16
        if self.module is not None:
            self.module.eval()

    def ledger(self, source: In) -> dict[str, float]:
        """Counts of what a batch loses here: ``tokens``, and of them ``out_of_vocabulary``, ``truncated_tokens``."""
        return {}

    def state(self) -> State:
        """Everything learnt in ``fit`` and in training."""
        return State()

    @noting("load_state")
    def load_state(self, state: State, version: int) -> None:
        """Restore what ``state`` gave, on an instance made with the same options.

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

    # This replaces constructors of any signature, so it must accept any arguments and pass them on; ``bind`` refuses
    # those that the constructor does not have, with a suggestion.
    @functools.wraps(init)
    def __init__(self: AnyStage, *args: Any, **kwargs: Any) -> None:
        if type(self).__init__ is not __init__:  # a subclass's own constructor called this one
            init(self, *args, **kwargs)
            return
        try:
            given = signature.bind(self, *args, **kwargs).arguments
        except TypeError as error:
            unknown = next((name for name in kwargs if name not in signature.parameters), None)
            hint = suggest(unknown, [name for name in signature.parameters if name != "self"]) if unknown else ""
            raise TypeError(f"{type(self).__name__}: {error}{hint}") from None
        given.pop("self")
        values = check_options(type(self), given)
        init(self, **values)
        self.__dict__["options"] = values  # not setattr: torch modules would register nested stages twice

    return __init__


AnyStage: TypeAlias = Stage[Any, Any]
"""A stage whatever it takes and gives, where a pipeline's wiring has been checked."""


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

    keeps_words: ClassVar[bool] = True
    """Whether it takes data that is split into words already; pieces of words are no words of the data."""

    def process(self, source: Text | Tokens) -> Tokens:
        """``forward`` for texts; tokens keep their splitting, only their words are normalised.

        Raises:
            ModelError: the source is split into words, and this tokenizer makes pieces of words.
        """
        if isinstance(source, Tokens) and not self.keeps_words:
            raise ModelError(
                f"{type(self).__name__} splits texts into pieces of words, but these come as words; join them to texts"
            )
        return self.keep(source) if isinstance(source, Tokens) else self.forward(source)

    def keep(self, tokens: Tokens) -> Tokens:
        """Normalise the words of data that comes split; the splitting stays."""
        return Tokens([[self.normalise(w) for w in words] for words in tokens.words], tokens.texts, tokens.locate)


class Representation(Stage[In, Out]):
    """Words to numbers: ``Vectors`` (one per text) or ``Sequences`` (one per word)."""

    specials: tuple[str, ...] = ()
    """Special words that the head sharing its vocabulary needs in it; set before ``fit``."""


class Encoder(Stage[In, Out]):
    """Numbers to numbers: an LSTM over ``Sequences``, a pooling from ``Sequences`` to ``Vectors``."""

    @property
    def causal(self) -> bool:
        """Whether each token's vector depends on that token and those before it alone; so it is for no pooling."""
        return False


class Decoder(Stage[In, Out]):
    """A causal stage with attention over a memory, for sequence-to-sequence heads.

    Its two ways to read give the same vectors: ``read`` takes all tokens at once, for training, and ``step`` one token
    after another, for a search. B sentences have N hypotheses; N / B adjacent ones share a row of the memory.
    """

    memory_width: int = 0
    """Features of the memory; the head sets it before ``build``. 0: as many as the inputs have."""

    @property
    def attends(self) -> bool:
        """Whether it attends to the memory at each step; else its first state alone is made from the memory."""
        return True

    @property
    def max_positions(self) -> int | None:
        """Most tokens of a text, the first token included; None: any number."""
        return None

    @abstractmethod
    def remember(self, rows: Tensor, mask: Tensor) -> Tree:
        """The memory of ``rows`` (B, S, memory_width) with their ``mask`` (B, S): B rows, fixed for all steps."""

    @abstractmethod
    def read(self, x: Tensor, memory: Tree) -> Tensor:
        """Read all tokens ``x`` (B, T, D) at once, each seeing itself and those before it: (B, T, features)."""

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

    It learns in ``fit`` (scikit-learn), or by gradients: then its class declares ``capabilities.Trained``. The order
    is ``fit``, ``bind``, ``build``, ``prepare``, ``loss``, ``calibrate``; docs/architecture.md draws it.
    """

    @property
    def answers(self) -> tuple[str, ...]:
        """The closed set of labels or tags that it chooses from, known after ``fit``; empty where there is none."""
        return ()

    @property
    def joint(self) -> bool:
        """Whether its targets share the tokenizer and vocabulary of the stages before it.

        Those are then fitted on sources and targets together, with ``specials`` in the vocabulary.
        """
        return False

    specials: ClassVar[tuple[str, ...]] = ()
    """Special words that its targets' vocabulary must have."""

    answering: ClassVar[tuple[str, ...]] = ()
    """Options of the search for answers alone: they may be changed after fitting."""

    def change(self, **options: Any) -> None:
        """Change options of ``answering`` after fitting.

        Raises:
            ValueError: an option is not in ``answering``, or its value is invalid.
        """
        for name in options:
            if name not in self.answering:
                message = f"{name}: not an option of {type(self).__name__} that can be changed after fitting"
                raise ValueError(f"{message}{suggest(name, self.answering)}")
        values = check_options(type(self), {**self.options, **options})
        self.__dict__["options"] = values
        for name in options:
            setattr(self, name, values[name])

    @abstractmethod
    def predict(self, source: In) -> Predictions[Out]:
        """The most probable output for each example, with its score."""

    def forward(self, source: In) -> Out:
        return self.predict(source).values

    def length_limit(self) -> str:
        """Which options limit the length of answers, for messages about answers that were cut."""
        return ""

    def calibrate(self, dev: Data[In]) -> None:
        """Set what the dev split decides after fitting: temperature, thresholds, interpolation weights.

        Args:
            dev: empty where there is no dev split.
        """

    def bind(self, body: Sequence[AnyStage]) -> None:
        """Find tables and vocabularies to share in the stages before it; called after ``fit`` and before ``build``."""


AnyHead: TypeAlias = Head[Any, Any]
"""A head whatever it takes and answers."""


class LabelHead(Head[Vectors, Labels]):
    """A head that labels vectors. Over ``Sequences`` the pipeline applies it to every token, giving ``Tags``."""

    classes: tuple[str, ...] = ()
    """C labels in the order of the columns of its probabilities; known after ``fit``."""

    @property
    def answers(self) -> tuple[str, ...]:
        return self.classes
