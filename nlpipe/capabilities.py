"""What only some stages can do: protocols that a stage's class names among its bases.

    class Classifier(Softmax[Vectors, Labels], LabelHead, Trained[Vectors, Labels], Scores[Vectors, Labels]): ...

A capability counts where it is declared, not where a method of its name happens to exist: ``declares`` asks a class,
``able`` an instance. Nothing else asks what a stage can do. All capabilities are in this one file, long as it is:
who writes a stage can read in one place what the rest of nlpipe may ask of it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from nlpipe.predictions import Predictions
from nlpipe.vocabulary import Vocabulary, unescaped
from nlpipe.wire import LabelSets, Text, Vectors, Wire

if TYPE_CHECKING:
    from torch import Tensor, nn

C = TypeVar("C")
Source = TypeVar("Source", bound=Wire, contravariant=True)
Target = TypeVar("Target", bound=Wire)
Given = TypeVar("Given", bound=Wire, contravariant=True)
StepState = TypeVar("StepState")


def declares(owner: type, capability: type) -> bool:
    """Whether the stages of class ``owner`` have ``capability``."""
    return capability in owner.__mro__


def able(stage: object, capability: type[C]) -> C | None:
    """``stage``, typed as ``capability``, where its class declares it; None where it does not."""
    return cast(C, stage) if declares(type(stage), capability) else None


class Trained(Protocol[Source, Target]):
    """A head that is trained by gradients, together with the trainable stages before it."""

    def prepare_target(self, target: Target) -> Target:
        """Do the work on targets that each epoch would repeat; ``loss`` recognises the result. As ``Stage.prepare``."""
        return target

    def learn_lengths(self, sources: np.ndarray, targets: np.ndarray) -> None:
        """Learn how long answers are, from the tokens of each source (N,) and of its target (N,)."""

    @abstractmethod
    def loss(self, source: Source, target: Target) -> tuple[Tensor, Tensor]:
        """Summed negative log-likelihood in nats and the number of units (labels, tags or tokens); both of shape ()."""

    def predict_quickly(self, source: Source) -> Predictions[Target]:
        """Answers for the dev score of each epoch; override where a cheaper search than ``predict`` suffices."""
        return self.predict(source)

    @abstractmethod
    def predict(self, source: Source) -> Predictions[Target]:
        """As ``Head.predict``."""


class Scores(Protocol[Source, Given]):
    """A head that gives the probability of any answer, not of its best alone."""

    @abstractmethod
    def score(self, source: Source, target: Given) -> np.ndarray | list[np.ndarray]:
        """Log-probabilities in nats of the given answers, unit by unit, without label smoothing."""


@dataclass(frozen=True)
class Translation:
    """One of the n best answers to a text.

    Args:
        text: the answer.
        log_probability: in nats, of its tokens and its end.
        score: what the search ranked it by.
    """

    text: str
    log_probability: float
    score: float


class Searches(Protocol[Source]):
    """A head that searches for its answers and can give several."""

    @abstractmethod
    def n_best(self, source: Source, n: int) -> list[list[Translation]]:
        """The ``n`` best answers to each example, best first; fewer where there are no more.

        Raises:
            ValueError: ``n`` is not from 1 to the width of the beam.
        """


class Attention(NamedTuple):
    """Attention of one answer: the words of its source, its own tokens with the end, and weights (T, S)."""

    source: list[str]
    target: list[str]
    weights: np.ndarray


class Attends(Protocol[Source]):
    """A head that attends to the source while it gives its answer."""

    @abstractmethod
    def attend(self, source: Source) -> list[Attention]:
        """The attention with which it gives its answer to each example."""


class Steps(Protocol[StepState]):
    """An encoder of sequences that can read token by token: for generation, and beneath a search.

    A stage may be able to do it with some options only: it is, where it is ``causal``.
    """

    recurrent: ClassVar[bool]
    """Whether its state has one size however much has been read, so that it can be carried on without end."""

    @property
    @abstractmethod
    def causal(self) -> bool:
        """As ``Encoder.causal``."""

    @property
    def longest(self) -> int | None:
        """Tokens of a text that it can read at most; None: any number."""
        return None

    @abstractmethod
    def start(self, batch: int) -> StepState:
        """The state of ``batch`` texts of which nothing has been read: a tree of tensors that a search can reorder.

        Raises:
            WiringError: it is not causal.
        """

    @abstractmethod
    def step(self, x: Tensor, state: StepState) -> tuple[Tensor, StepState]:
        """Read the next tokens of N texts, usually one of each; computed without gradients.

        Args:
            x: (N, T, D).
            state: after the tokens before them; it stays as it is and may be used again.

        Returns:
            (N, T, features), as ``forward`` gives them for the whole texts, and the new state.
        """


class Generates(Protocol[Source]):
    """A language model: a head that gives the probability of every token that may follow, and so of whole texts."""

    @property
    def vocabulary(self) -> Vocabulary:
        """What it predicts, V entries."""

    @abstractmethod
    def surprisals(self, source: Source) -> list[np.ndarray]:
        """Of B texts, -log p in nats of each token and of the end: B arrays (T_b + 1,).

        A token outside the vocabulary has the probability of the unknown token times that of its spelling.
        """

    def scored(self, source: Source, texts: Sequence[str]) -> Predictions[Text]:
        """``texts``, of which ``source`` was made, with the log-probability of each in nats."""
        scores = [-float(costs.sum()) for costs in self.surprisals(source)]
        return Predictions(Text(texts), np.array(scores))

    @abstractmethod
    def next_tokens(self) -> NextTokens:
        """The model as a search steps through it."""


class NextTokens(Protocol):
    """A language model, token by token. A state is a tree of tensors, batch first."""

    @abstractmethod
    def start(self, batch: int) -> Any:
        """The state of ``batch`` texts of which nothing has been read."""

    @abstractmethod
    def step(self, tokens: Tensor, state: Any, memory: Any = ()) -> tuple[Tensor, Any]:
        """Read one token (N,) of each text; the first is the start token.

        Returns:
            Log-probabilities (N, V) of the next, and the new state.
        """


class Corrupts(Protocol):
    """A neural language model: its targets are made from its inputs, afresh for each batch."""

    context: int
    """Tokens that are read together in training; stages whose state grows with the text read no more in use either."""

    reads_ahead: ClassVar[int]
    """Tokens behind a window that ``corrupt`` needs: 1 to predict the next token, 0 to fill gaps."""

    @abstractmethod
    def learn(self, ids: np.ndarray, lengths: np.ndarray, vocabulary: Vocabulary, counts: Counter[str]) -> None:
        """Learn from the training split what gradients do not: n-grams, the spelling of unknown words.

        Args:
            ids: (N,) of all B texts after one another.
            lengths: (B,).
            vocabulary: of the ids.
            counts: how often each word occurs, known or not.
        """

    @abstractmethod
    def corrupt(
        self, ids: Sequence[np.ndarray], random: np.random.Generator
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Of windows (T_b + reads_ahead,): inputs (T_b,), and targets (T_b,), -1 where nothing is predicted."""


class Fills(Protocol):
    """A masked language model: a head that gives the probability of what stands in the gaps of a text."""

    @abstractmethod
    def masked_model(self) -> tuple[Any, Any]:
        """Encoder and head as a ``BertForMaskedLM`` of ``transformers``, and the splitter into its pieces."""

    @abstractmethod
    def export(self, directory: Path) -> None:
        """Write encoder and head as a new directory that ``AutoModelForMaskedLM`` loads.

        Raises:
            ModelError: the directory exists.
        """


class OffersPieces(Protocol):
    """A BERT whose pieces a masked language model hides and predicts."""

    name: str

    @property
    def encoder(self) -> Any:
        """The model of ``transformers``."""

    @property
    def splitter(self) -> Any:
        """Text to pieces."""

    @property
    def piece_table(self) -> Tensor:
        """(V, D) the vector of each piece, going in."""

    @property
    def norm_epsilon(self) -> float:
        """What its norms add to a variance."""

    @property
    def was_trained(self) -> bool:
        """Whether its weights were trained before this pipeline."""

    @property
    def mask_piece(self) -> int:
        """The id of the mask."""

    @property
    def special_pieces(self) -> int:
        """Ids below this number are those of special pieces, as far as they come first."""

    @property
    def continues(self) -> np.ndarray:
        """(V,) whether a piece goes on with the word of the piece before it."""

    @abstractmethod
    def masked_head(self) -> dict[str, Tensor] | None:
        """The weights of the head for masked words that came with it; None where there is none."""

    @abstractmethod
    def pieces_of(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The ids of the pieces of each text, without special ones."""

    @abstractmethod
    def hidden(self, ids: Sequence[np.ndarray], targets: Sequence[np.ndarray], texts: Sequence[str]) -> Wire:
        """Pieces as tokens that it reads, with what was hidden in them."""


class Margins(Protocol):
    """A linear head without probabilities, whose margins add up over the words of a text."""

    @abstractmethod
    def margins(self, source: Vectors) -> np.ndarray:
        """(B, C) distances from the decision borders, columns as in ``classes``."""


class LabelsSeparately(Protocol):
    """A head of one label a text that can also decide on each label by itself: a text then has any number of them.

    A label is given where its margin is at least its threshold. Heads with ``probabilities_from_margins`` give margins
    that are log-odds.
    """

    classes: tuple[str, ...]
    thresholds: np.ndarray | None
    """(C,) the margin from which each label is given; None: 0, which is a probability of 0.5. Chosen on dev."""
    probabilities_from_margins: ClassVar[bool] = True

    @abstractmethod
    def fit_separately(self, data: Iterable[tuple[Vectors, LabelSets]]) -> None:
        """Learn each label against all texts without it; in place of ``fit``."""

    @abstractmethod
    def separate_margins(self, source: Vectors) -> np.ndarray:
        """(B, C) how much speaks for each label; above 0 more than against it."""


class SharesTable(Protocol):
    """A representation whose vocabulary and table of vectors a head may share (tied embeddings)."""

    vocabulary: Vocabulary
    table: nn.Embedding
    """Vectors (V, D)."""
    scale: float
    """What the vectors are multiplied by on their way in."""


Split = Callable[[Sequence[str]], list[list[str]]]
"""Texts to the tokens that each is split into."""


class WordTable(NamedTuple):
    """V words, each with one vector.

    Args:
        words: V of them, without the special entries of a vocabulary.
        vectors: (V, D), float32, on the CPU.
        lowercase: whether the owner looks up a word in lower case if it has no vector.
        split: how the owner splits a text; None: as the pipeline's tokenizer does.
    """

    words: list[str]
    vectors: np.ndarray
    lowercase: bool = False
    split: Split | None = None

    @classmethod
    def of(cls, vocabulary: Vocabulary, vectors: Any, lowercase: bool = False, split: Split | None = None) -> WordTable:
        """The words of ``vocabulary``, and their rows in ``vectors`` (numpy or torch), which has one for each entry."""
        rows = vectors if isinstance(vectors, np.ndarray) else vectors.detach().float().cpu().numpy()
        return cls(unescaped(vocabulary.words()[vocabulary.specials :]), rows[vocabulary.specials :], lowercase, split)


class OffersWordVectors(Protocol):
    """A stage with a table of static vectors: a word has the same vector in every text."""

    @abstractmethod
    def word_table(self) -> WordTable | None:
        """Its words and their vectors as they are now; None where it uses the table of another stage."""


class ComputesWordVectors(Protocol):
    """A stage that computes a static vector of any word from its letters, and so has no list of words."""

    @abstractmethod
    def compute_vectors(self, words: Sequence[str]) -> np.ndarray:
        """The vectors (N, D) of N words, float32, on the CPU."""


class AveragesWords(Protocol[Source]):
    """A representation of words that computes the mean of a text's vectors without making each of them."""

    @abstractmethod
    def means(self, source: Source) -> np.ndarray:
        """The mean (B, D) of the vectors of each text's words; zeros for a text without words."""


class Exports(Protocol):
    """A stage whose network ONNX Runtime can compute; all that surrounds the network stays nlpipe's."""

    @abstractmethod
    def to_onnx(self) -> bytes:
        """The network as the content of an ONNX file, in float32, for batches and texts of any size.

        Raises:
            ModelError: with these options it cannot be written.
            MissingExtra: the packages that write ONNX files are not installed.
        """

    @abstractmethod
    def use_onnx(self, content: bytes) -> None:
        """Compute with this network from now on. The stage's own weights are let go: it can no longer be trained.

        Raises:
            ModelError: ONNX Runtime cannot read it.
            MissingExtra: onnxruntime is not installed.
        """


class Pretrained(Protocol):
    """A stage that was trained elsewhere: it may have a learning rate of its own, and can be exported."""

    @abstractmethod
    def pretrained_parameters(self) -> Sequence[nn.Parameter]:
        """The parameters that were read from a pretrained model."""

    @abstractmethod
    def export(self, directory: Path) -> None:
        """Write it as a new directory that ``transformers`` loads.

        Raises:
            ModelError: the directory exists.
        """
