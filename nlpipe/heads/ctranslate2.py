"""A transformer that translates, computed by CTranslate2; words and their vocabulary, and ranks, are nlpipe's.

Klein et al. 2020, "Efficient and High-Quality Neural Machine Translation with OpenNMT" (CTranslate2 came of it).
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nlpipe.capabilities import Searches, Translation
from nlpipe.errors import ModelError, NlpipeWarning, WiringError
from nlpipe.options import Count, NonNegativeFloat, Positive
from nlpipe.predictions import Predictions
from nlpipe.registry import missing_extra
from nlpipe.stage import AnyStage, Data, Head, State, Tokenizer
from nlpipe.threads import threads_in_use, use_threads
from nlpipe.use_order import noting
from nlpipe.vocabulary import END, PAD, START, UNKNOWN, EncodedTokens, Vocabulary, encode
from nlpipe.wire import Text, Tokens

SPARE = 10
"""Number of tokens by which an answer may exceed ``max_ratio``, as with ``seq2seq``."""
POSITIONS = 2048
"""Positions that the file has; the tokens of a text behind them are left out, with a warning."""
EXPONENT, HARDLY = 0.4, 1e-6
"""CTranslate2 divides log P by |Y| ** exponent. It returns as many hypotheses as the beam, and where more have ended it
leaves out the last of them by that rank; at 0.4 alpha it is nearest to Wu et al.'s for lengths up to 30. The exponent
is never 0: with 0 it would stop its search by another rule."""
TOGETHER = 64
"""Sentences that CTranslate2 translates at once: 256 at beam 5 took twice the memory and a fifth more time."""
NEVER = frozenset({PAD, UNKNOWN, START})
"""Tokens that are never answered."""
FOLDER = "ctranslate2"
"""Of the files of its directory in ``State.files``, and so the end of that directory's name in a model."""
VOCABULARIES = ("shared_vocabulary.json", "source_vocabulary.json", "target_vocabulary.json")


@dataclass(frozen=True)
class Found:
    """One hypothesis: its tokens without the end, log P, what it is ranked by, whether the length limit ended it."""

    words: list[str]
    log_probability: float
    score: float
    cut: bool


def not_loaded(error: Exception) -> ModelError:
    """The error where ctranslate2 is installed and cannot be loaded."""
    return ModelError(f"ctranslate2 is installed but cannot be loaded: {_in_a_line(error)}; install it again")


@contextmanager
def failing() -> Iterator[None]:
    """Raise ModelError where CTranslate2 fails inside."""
    try:
        yield
    except RuntimeError as error:
        raise ModelError(f"CTranslate2 failed: {_in_a_line(error)}") from error


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())


class CTranslate2(Head[Tokens, Text], Searches[Tokens]):
    """A transformer's translations by CTranslate2. It is not fitted: 'nlpipe export RUN DIR --to ctranslate2' makes it.

    It answers as the 'seq2seq' that it was made of, but for rounding.

    Options:
        tokenizer: makes texts of the answers' tokens; null: the pipeline's tokenizer does.
        beam: number of hypotheses kept in beam search; 1 is greedy search.
        length_penalty: alpha of Wu et al. 2016: 0 ranks by log-probability, which favours short texts; 1 ranks nearly
            by the mean log-probability per token.
        max_ratio: maximum number of target tokens per source token; ten more are always allowed. null: what the
            'seq2seq' learned.
        max_length: maximum number of target tokens; null: what the 'seq2seq' learned.
    """

    answering: ClassVar[tuple[str, ...]] = ("beam", "length_penalty", "max_ratio", "max_length")

    def __init__(
        self,
        tokenizer: Tokenizer | None = None,
        beam: Positive = 5,
        length_penalty: NonNegativeFloat = 1.0,
        max_ratio: NonNegativeFloat | None = None,
        max_length: Count | None = None,
    ) -> None:
        self.own = tokenizer
        self.beam = beam
        self.length_penalty = length_penalty
        self.max_ratio = max_ratio
        self.max_length = max_length
        self.source = self.target = Vocabulary.from_counts({})
        self.learned_ratio, self.learned_length, self.longest, self.positions = 0.0, 0, POSITIONS - 1, POSITIONS
        self._files: dict[str, bytes] = {}
        self._shared: Tokenizer | None = None
        self._opened: tuple[int, Any] | None = None  # threads, and the translator that has them

    def fit(self, data: Data[Tokens]) -> None:
        """Raise WiringError: it learns nothing."""
        raise WiringError(
            "ctranslate2: this head is not fitted, but made of a run with the head 'seq2seq' and transformers by "
            "'nlpipe export RUN DIR --to ctranslate2'"
        )

    def bind(self, body: Sequence[AnyStage]) -> None:
        """Find the tokenizer of the texts, which is that of the answers too unless there is one of their own."""
        self._shared = next((stage for stage in body if isinstance(stage, Tokenizer)), None)

    @noting("load_state")
    def use(
        self,
        files: Mapping[str, bytes],
        source: Vocabulary,
        target: Vocabulary,
        ratio: float,
        length: int,
        longest: int = POSITIONS - 1,
        positions: int = POSITIONS,
    ) -> None:
        """Compute with a CTranslate2 directory from now on.

        Args:
            files: of the directory, by name.
            source: vocabulary of the texts.
            target: vocabulary of the answers.
            ratio: ``max_ratio`` where the option is null.
            length: ``max_length`` where the option is null.
            longest: number of tokens of an answer that the model has positions for.
            positions: number of tokens of a text that have positions of their own; those behind share the last.

        Raises:
            ModelError: the directory is incomplete, or has another vocabulary.
        """
        for name in ("model.bin", "config.json"):
            if name not in files:
                raise ModelError(f"ctranslate2: {name} is missing from the directory; export the run again")
        expected = [target.words(), source.words(), target.words()]
        for name, words in zip(VOCABULARIES, expected, strict=True):
            if name in files and json.loads(files[name]) != words:
                raise ModelError(f"ctranslate2: {name} is that of another model; export the run again")
        self._files = dict(files)
        self.source, self.target = source, target
        self.learned_ratio, self.learned_length, self.longest, self.positions = ratio, length, longest, positions
        self._opened = None

    # -- prediction

    def predict(self, source: Tokens) -> Predictions[Text]:
        """The best answer to each text by beam search, with its log-probability in nats."""
        best = [found[0] for found in self._search(source)]
        scores = np.array([each.log_probability for each in best])
        return Predictions(Text([self._text(each) for each in best]), scores, cut=np.array([each.cut for each in best]))

    def n_best(self, source: Tokens, n: int) -> list[list[Translation]]:
        """The ``n`` best answers to each text, best first; fewer if the search finds fewer.

        Raises:
            ValueError: ``n`` is not from 1 to ``beam``.
        """
        if not 1 <= n <= self.beam:
            raise ValueError(
                f"n_best: invalid value {n}: expected an integer from 1 to the beam, {self.beam}; raise the option "
                "beam to get more"
            )
        return [
            [Translation(self._text(each), each.log_probability, each.score) for each in found[:n]]
            for found in self._search(source)
        ]

    def length_limit(self) -> str:
        ratio, longest = self._ratio_and_length()
        return f"raise max_ratio ({ratio:.3g} tokens for each of the source) or max_length ({longest:,} tokens)"

    def ledger(self, source: Tokens) -> dict[str, float]:
        encoded = self._encoded(source)
        return {**encoded.ledger(), "truncated_tokens": int(np.maximum(encoded.lengths - POSITIONS, 0).sum())}

    def _encoded(self, source: Tokens) -> EncodedTokens:
        return encode(source, self.source, self.source.ids)

    def _ratio_and_length(self) -> tuple[float, int]:
        """``max_ratio`` and ``max_length``, given or learned."""
        ratio = self.learned_ratio if self.max_ratio is None else self.max_ratio
        length = self.learned_length if self.max_length is None else self.max_length
        return ratio, min(length, self.longest)

    def _text(self, found: Found) -> str:
        tokenizer = self.own or self._shared
        if tokenizer is None:
            raise WiringError("ctranslate2: without a tokenizer of its own it works only in a pipeline")
        return tokenizer.join(found.words)

    def _search(self, source: Tokens) -> list[list[Found]]:
        """The hypotheses for each text, best first; one without tokens for a text without any."""
        ids = self._encoded(source).ids
        if any(len(each) > POSITIONS for each in ids):
            count = sum(len(each) > POSITIONS for each in ids)
            warnings.warn(
                f"{count} of {len(ids)} texts are longer than the {POSITIONS:,} tokens that the exported model can "
                "read; they were truncated",
                NlpipeWarning,
                stacklevel=2,
            )
        elif any(len(each) > self.positions for each in ids):
            count = sum(len(each) > self.positions for each in ids)
            warnings.warn(
                f"{count} of {len(ids)} texts are longer than the {self.positions:,} learned positions; the tokens "
                "behind them share the last position",
                NlpipeWarning,
                stacklevel=2,
            )
        ratio, longest = self._ratio_and_length()
        limits = [min(int(ratio * len(each)) + SPARE, longest) for each in ids]
        found = [[Found([], 0.0, 0.0, False)]] * len(ids)
        filled = [i for i, each in enumerate(ids) if len(each)]
        words = {i: self.source.words(ids[i][:POSITIONS]) for i in filled}
        most = max((limits[i] for i in filled), default=0)
        for i, hypotheses in zip(filled, self._translate([words[i] for i in filled], most), strict=True):
            beyond = limits[i] < most and any(len(each.words) > limits[i] for each in hypotheses)
            odd = any(not NEVER.isdisjoint(each.words) for each in hypotheses)
            # CTranslate2 has one limit for a batch; what it bans changes the probabilities of the rest.
            if beyond or odd:
                (hypotheses,) = self._translate([words[i]], limits[i], NEVER if odd else ())
            found[i] = hypotheses
        return found

    def _translate(self, sentences: list[list[str]], limit: int, banned: Iterable[str] = ()) -> list[list[Found]]:
        """The hypotheses for sentences with tokens, of at most ``limit`` tokens, best first."""
        if not sentences:
            return []
        exponent = EXPONENT * self.length_penalty or HARDLY
        translator = self._translator()
        share = math.ceil(len(sentences) / threads_in_use())  # a batch for each thread
        with failing():
            answers = translator.translate_batch(
                sentences, beam_size=self.beam, num_hypotheses=self.beam, length_penalty=exponent,
                max_batch_size=min(TOGETHER, share), max_input_length=0, max_decoding_length=max(limit, 1),
                min_decoding_length=0, return_end_token=True,
                return_scores=True, suppress_sequences=[[word] for word in sorted(banned)],
            )  # fmt: skip
        found = []
        for sentence, answer in zip(sentences, answers, strict=True):
            pairs = zip(answer.hypotheses, answer.scores, strict=True)
            hypotheses = [self._found(sentence, words, score * len(words) ** exponent, limit) for words, score in pairs]
            found.append(sorted(hypotheses, key=lambda each: -each.score))
        return found

    def _found(self, sentence: list[str], words: list[str], log_probability: float, limit: int) -> Found:
        """One of CTranslate2's hypotheses, ranked by Wu et al.'s penalty, which counts the end as a token."""
        if words[-1:] == [END]:
            words = words[:-1]
        else:  # the limit ended it, and its end is to be paid for
            words = words[:limit]
            translator = self._translator()
            with failing():
                (scored,) = translator.score_batch([sentence], [words], max_input_length=0)
            log_probability = sum(scored.log_probs)
        penalty = ((6.0 + len(words)) / 6.0) ** self.length_penalty
        return Found(words, log_probability, log_probability / penalty, len(words) >= limit)

    def _translator(self) -> Any:
        """CTranslate2's own object, with as many threads as torch has, or as OMP_NUM_THREADS says.

        Each thread translates sentences of its own: where torch has threads in the same process, several threads for
        one sentence wait for each other at every small product, and take twenty times as long.
        """
        threads = threads_in_use()
        if self._opened is None or self._opened[0] != threads:
            self._opened = threads, self._open(threads)
        return self._opened[1]

    def _open(self, threads: int) -> Any:
        try:
            import ctranslate2
        except ModuleNotFoundError as error:
            raise missing_extra("a model exported to ctranslate2", error) from error
        except (ImportError, OSError) as error:
            raise not_loaded(error) from None
        if not self._files:
            raise ModelError("ctranslate2: it has no model; 'nlpipe export RUN DIR --to ctranslate2' makes one")
        try:
            opened = ctranslate2.Translator(
                "model", device="cpu", inter_threads=threads, intra_threads=1, files=self._files
            )
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"CTranslate2 {ctranslate2.__version__} cannot read the model: {_in_a_line(error)}; export the run "
                "again, or install the ctranslate2 that environment.json names"
            ) from None
        use_threads(threads)  # it took all but one from torch, where both use the same OpenMP
        return opened

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}  # a translator cannot be copied

    # -- saving and loading

    def state(self) -> State:
        data = {
            "source": self.source.state(), "target": None if self.target is self.source else self.target.state(),
            "learned_ratio": self.learned_ratio, "learned_length": self.learned_length, "longest": self.longest,
            "positions": self.positions,
        }  # fmt: skip
        return State(data=data, files={f"{FOLDER}/{name}": content for name, content in self._files.items()})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        source = Vocabulary.from_state(state.data["source"])
        target = source if state.data["target"] is None else Vocabulary.from_state(state.data["target"])
        files = {name.removeprefix(f"{FOLDER}/"): content for name, content in state.files.items()}
        longest, positions = state.data.get("longest", POSITIONS - 1), state.data.get("positions", POSITIONS)
        self.use(files, source, target, state.data["learned_ratio"], state.data["learned_length"], longest, positions)
        self._translator()  # so that what is missing is told when it is loaded
