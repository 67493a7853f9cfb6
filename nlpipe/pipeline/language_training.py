"""What a language model is trained on: windows of the training split as ids, and the objective over its stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.capabilities import Corrupts, Generates, Steps, Trained, able
from nlpipe.errors import DataError, NlpipeError
from nlpipe.pipeline.batches import Batches
from nlpipe.pipeline.corpus import Corpus, CorpusWindows, Wrap
from nlpipe.pipeline.objective import CarriedObjective, PipelineObjective
from nlpipe.pipeline.reading import Reader
from nlpipe.stage import AnyHead, AnyStage
from nlpipe.tasks.task import Split
from nlpipe.training.processes import is_distributed
from nlpipe.vocabulary import TokenIds, Vocabulary


@dataclass(frozen=True)
class LanguageTraining:
    """What the trainer is given.

    Args:
        objective: the stages behind the tokenizer, and the head.
        examples: windows of the training split.
        plan: the batches of an epoch where states are carried on from one to the next; None: drawn by the trainer.
    """

    objective: PipelineObjective
    examples: CorpusWindows
    plan: list[np.ndarray] | None

    @classmethod
    def of(
        cls, body: Sequence[AnyStage], head: AnyHead, reader: Reader, train: Split, width: int, batch_size: int
    ) -> LanguageTraining:
        """Read the training split, and build the head for it.

        Args:
            body: the stages before the head, fitted and built; the first is the tokenizer.
            head: a neural language model, causal or masked.
            reader: of both.
            train: texts.
            width: features of the last stage of the body.
            batch_size: windows that are read side by side.

        Raises:
            DataError: every text is empty after tokenisation.
            NlpipeError: several processes are to carry states on.
        """
        trained, corrupts = able(head, Trained), able(head, Corrupts)
        assert trained is not None and corrupts is not None
        head.bind(body)
        corpus, wrap = read_pieces(body[0], reader, train) if reader.hides else read_words(body[0], head, train)
        if not corpus.sizes.any():
            raise DataError("no features: every text is empty after tokenisation")
        corrupts.learn(corpus.words(), np.maximum(corpus.sizes - 1, 0), corpus.vocabulary, corpus.counts)
        head.build(width)
        continuous = train.continuous and not reader.hides
        if continuous and any((steps := able(stage, Steps)) is not None and steps.recurrent for stage in body):
            if is_distributed():
                raise NlpipeError(
                    "a recurrent language model of running text carries its state from batch to batch, which only one "
                    "process can do: start one, or keep texts apart (documents: paragraph)"
                )
            examples = CorpusWindows(corpus, corrupts, wrap, continuous, columns=batch_size)
            return cls(CarriedObjective(body[1:], trained, batch_size), examples, examples.plan())
        return cls(PipelineObjective(body[1:], trained), CorpusWindows(corpus, corrupts, wrap, continuous), None)


def read_words(tokenizer: AnyStage, head: AnyHead, train: Split) -> tuple[Corpus, Wrap]:
    """The training split as ids of words, and how windows of them become wires."""
    model = able(head, Generates)
    assert model is not None
    corpus = Corpus.of_words(Batches(train, [tokenizer]), model.vocabulary)

    def wrap(inputs: list[np.ndarray], targets: list[np.ndarray], begins: bool) -> tuple[Any, TokenIds]:
        return TokenIds(inputs, corpus.vocabulary, begins), TokenIds(targets, corpus.vocabulary)

    return corpus, wrap


def read_pieces(tokenizer: AnyStage, reader: Reader, train: Split) -> tuple[Corpus, Wrap]:
    """The training split as ids of a BERT's pieces, and how windows of them become wires."""
    offers = reader.offers
    assert offers is not None
    none = Vocabulary.from_counts({})

    def wrap(inputs: list[np.ndarray], targets: list[np.ndarray], begins: bool) -> tuple[Any, TokenIds]:
        return offers.hidden(inputs, targets, [""] * len(inputs)), TokenIds(targets, none)

    return Corpus.of_pieces(Batches(train, [tokenizer]), offers), wrap
