"""Stages in a row: checked, fitted, used, saved and loaded.

pipeline = Pipeline([Regex(), TfIdf(ngrams=(1, 2)), LogisticRegression()])
pipeline.fit(texts, labels)
pipeline.predict(["a fine film"]).values

The class is long because it is all that people call in Python; each method hands the work to a file of its own.
"""

from __future__ import annotations

import pkgutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpipe.capabilities import Fills, Pretrained, Searches, Translation, able
from nlpipe.errors import DataError, ModelError, NlpipeError, NlpipeWarning, WiringError
from nlpipe.files import whole_folder
from nlpipe.long_texts import cut_long
from nlpipe.metrics.metric import Metric
from nlpipe.pipeline.answering import for_target
from nlpipe.pipeline.batches import BATCH, Batches, Through, apply, inference, predict_all
from nlpipe.pipeline.fitting import Fitting, answers_in_bf16
from nlpipe.pipeline.fitting_plan import FittingPlan, plan_fitting
from nlpipe.pipeline.python_data import inputs_of, split_of, texts_of, without_blanks
from nlpipe.pipeline.reading import Reader
from nlpipe.pipeline.runtimes import OTHER, OWN, Beside, check, choose, compare
from nlpipe.pipeline.saving import (
    all_states,
    is_cascade,
    model_root,
    read_keys,
    read_manifest,
    read_states,
    write_model,
)
from nlpipe.pipeline.wiring import check_wiring
from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.registry import slot_name, written_name
from nlpipe.stage import AnyHead, AnyStage, Head, Tokenizer
from nlpipe.tasks import task_named
from nlpipe.tasks.task import Split, Task
from nlpipe.training.history import Epoch, History
from nlpipe.training.trainer import Trainer
from nlpipe.use_order import explaining_unfitted, missing_before_use
from nlpipe.wire import Tags, Text, Wire

if TYPE_CHECKING:
    from nlpipe.pipeline.generation import Continuation
    from nlpipe.pipeline.stage_store import StageStore
    from nlpipe.pipeline.surprisal import Surprisal
    from nlpipe.pipeline.word_pairs import Similarity
    from nlpipe.pipeline.word_space import Neighbours, WordSpace


OF_SEVERAL = "nlpipe.pipeline.cascade:Cascade"
"""The class of a pipeline that is made of several; it is one of these, so that this file cannot import it."""


class Pipeline:
    """A tokenizer, a representation, encoders and a head, fitted together.

    Args:
        stages: in the order data flows; the last is the head.
        task: what the head's answers mean; also how predictions are scored and written.
        trainer: options of ``nlpipe.training.trainer.Trainer``, for heads that are trained by gradients.
        seed: of every random number drawn in ``fit``.
        name: for tables and folders.

    Raises:
        WiringError: the stages do not fit together; names every place where they do not.
    """

    def __init__(
        self,
        stages: Sequence[AnyStage],
        task: str = "classification",
        trainer: Mapping[str, Any] | None = None,
        seed: int = 13,
        name: str = "pipeline",
    ) -> None:
        self.stages = list(stages)
        self.task: Task = task_named(task)
        self.trainer = dict(trainer or {})
        self.seed = seed
        self.name = name
        self.reading: dict[str, Any] = {}
        """How the files of its data are read, as ``Card.reading`` gives it; files to answer are read likewise."""
        self.history: History | None = None
        """What the trainer recorded in the last ``fit``; None where nothing was trained by gradients."""
        self.fit_seconds: dict[str, float] = {}
        """Seconds that each stage took to learn in the last ``fit``, with the cheap stages before it."""
        placed = [(slot_name(stage), written_name(stage), stage) for stage in self.stages]
        faults = check_wiring(placed, *self.task.asks())
        if faults:
            raise WiringError("\n".join(fault.message for fault in faults))
        self._answering = for_target(self.head, self.task.target)
        self._reader = Reader(self.body, self.head)
        self._through: Through = apply
        self.runtimes: dict[str, Any] = {}
        """How other runtimes did beside the stages, by name, as ``nlpipe.pipeline.runtimes.compare`` gives it."""
        self._beside: Beside | None = None

    @property
    def head(self) -> AnyHead:
        """The last stage."""
        head = self.stages[-1]
        assert isinstance(head, Head)
        return head

    @property
    def body(self) -> list[AnyStage]:
        """The stages before the head."""
        return self.stages[:-1]

    @property
    def members(self) -> list[Pipeline]:
        """The pipelines that it is made of: itself alone, unless it is a cascade."""
        return [self]

    @property
    def tokenizer(self) -> Tokenizer | None:
        """The first stage, where it is a tokenizer."""
        first = self.stages[0]
        return first if isinstance(first, Tokenizer) else None

    def __repr__(self) -> str:
        return f"Pipeline({self.name!r}: {' → '.join(map(written_name, self.stages))}; {self.task.name})"

    # -- learning ------------------------------------------------------------------------------------------------

    def fit(
        self,
        inputs: Sequence[str | Sequence[str]] | Wire,
        targets: Sequence[Any] | Wire | None = None,
        dev: tuple[Sequence[str | Sequence[str]] | Wire, Sequence[Any] | Wire | None] | None = None,
    ) -> Pipeline:
        """Learn from texts and their targets; ``dev`` decides what must be decided on other data (early stopping).

        Args:
            inputs: texts, or lists of words.
            targets: of each input its label, its translation, a list with the tag of each word, or (for texts) a list
                of entities as ``(start, end, type)`` in characters; none for language models, which predict the inputs.

        Raises:
            DataError: an example is not what the task needs, or they cannot be learnt from (one class only, nothing but
                empty texts).
        """
        self.task = task_named(self.task.name)  # what another training split taught it does not hold for this one
        train = split_of(self.task, inputs, targets, self.tokenizer)
        if dev is not None and not (isinstance(dev, tuple | list) and len(dev) == 2):
            raise DataError("dev: expected two lists, (texts, targets), the second None for a language model")
        return self.fit_split(train, split_of(self.task, *dev, self.tokenizer) if dev is not None else None)

    def fit_split(
        self,
        train: Split,
        dev: Split | None = None,
        checkpoint: Path | None = None,
        report: Callable[[str], None] = lambda message: None,
        progress: bool | None = None,
        deciding: tuple[Metric, str] | None = None,
        store: StageStore | None = None,
        after_epoch: Callable[[Epoch], None] | None = None,
    ) -> Pipeline:
        """``fit`` on wires.

        Args:
            checkpoint: the folder of training checkpoints; training is resumed from one that is there.
            report: called with a line about the progress.
            progress: whether training by gradients draws a bar; None: where there is a terminal.
            deciding: the metric and the score of it that stop training; by default the task's.
            store: of what several pipelines share; None: every stage is fitted here.
            after_epoch: called after each epoch of training by gradients; what it raises ends the fitting.
        """
        self.runtimes, self._beside = {}, None
        if deciding is None:
            self.task.settle(train)
        fitting = Fitting(
            self.stages, self.task, self.trainer, self.seed, checkpoint, report, progress, deciding, store, after_epoch
        )
        self._through = apply if store is None else store.outputs.through
        fitted = fitting.fit(train, dev)
        self.history, self.fit_seconds = fitted.history, fitted.seconds
        return self

    def plan(self) -> FittingPlan:
        """How ``fit`` will go: which stages learn in ``fit``, which are trained by gradients, what is cached."""
        return plan_fitting(self.stages, self.task.target)

    # -- use -----------------------------------------------------------------------------------------------------

    def predict(self, inputs: Sequence[str | Sequence[str]] | Wire, batch_size: int = BATCH) -> AnyPredictions:
        """The answers for all inputs, in their order.

        Texts of similar length share a batch, so that one long text does not slow the others.
        """
        wire = inputs_of(inputs)
        if not len(wire):
            return Predictions(self.task.targets([]))
        if self.task.target is Text and self.task.capability is None and isinstance(wire, Text):
            wire = without_blanks(wire)
        through = self._tag_batch if self.task.target is Tags else self._answer_batch
        predictions = predict_all(wire, through, batch_size)
        if predictions.cut is not None and predictions.cut.any():
            message = (
                f"{int(predictions.cut.sum()):,} of {len(wire):,} answers were cut at the length limit; "
                f"{self.head.length_limit()}"
            )
            warnings.warn(message, NlpipeWarning, stacklevel=2)
        return predictions

    @property
    def runtime(self) -> str:
        """What computes its answers: ``nlpipe``, or another runtime beside it."""
        return OWN if self._beside is None else OTHER

    def check_runtime(self) -> None:
        """Check that the runtime which NLPIPE_RUNTIME asks for can compute it; it need not be fitted.

        Raises:
            NlpipeError: it cannot, or there is none of this name.
        """
        check(self.stages)

    def use_runtime(self, name: str | None = None) -> None:
        """Have another runtime compute the answers, or none.

        Args:
            name: nlpipe, ctranslate2, or auto: the one that the run showed to answer alike and faster, where it is
                installed. None: what NLPIPE_RUNTIME says, or auto.

        Raises:
            NlpipeError: it cannot compute this pipeline, is not installed, or there is none of this name.
        """
        self._beside = choose(self.stages, self.runtimes, name)

    def try_runtimes(self, inputs: Wire) -> None:
        """Compare other runtimes with the stages on ``inputs``; take one that answers alike and faster."""

        def answered(beside: Beside | None) -> Callable[[Wire], AnyPredictions]:
            def through(wire: Wire) -> AnyPredictions:
                self._beside = beside
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of answers that are cut
                    return self.predict(wire)

            return through

        found = compare(self.stages, inputs, answered(None), answered)
        self.runtimes = {} if found is None else {OTHER: found}
        self.use_runtime()

    def _answer_batch(self, wire: Any) -> AnyPredictions:
        """The answers for one batch."""
        if self._beside is not None:
            answers = self._beside.predict(self._through(self.stages[:1], wire))
            if answers is not None:
                return answers
        reads = self._reader.opens or self._reader.hides
        return self._answering.predict(self._reader.read(wire) if reads else self._through(self.body, wire))

    def _tag_batch(self, wire: Any) -> AnyPredictions:
        """The tags for one batch; long texts are tagged in overlapping parts."""
        tokens = self._through(self.stages[:1], wire)

        def tag(batch: Any) -> AnyPredictions:
            return self._answering.predict(self._through(self.body[1:], batch))

        long = cut_long(tokens)
        return tag(tokens) if long is None else long.join(predict_all(long.windows, tag))

    def predict_stream(
        self, inputs: Iterable[str], batch_size: int = BATCH
    ) -> Iterator[tuple[list[str], AnyPredictions]]:
        """Answers for any number of texts, in order and in bounded memory: (texts, predictions) batch by batch."""
        iterator = iter(inputs)
        while texts := list(islice(iterator, batch_size)):
            yield texts, self.predict(texts, batch_size)

    def n_best(self, inputs: Sequence[str | Sequence[str]] | Wire, n: int) -> list[list[Translation]]:
        """The ``n`` best answers to each input, best first; fewer where there are no more.

        Raises:
            NlpipeError: the head gives only one answer, or its beam is narrower than ``n``.
        """
        head = able(self.head, Searches)
        if head is None:
            raise NlpipeError(f"{written_name(self.head)} gives one answer to each text; seq2seq gives several")
        wire = inputs_of(inputs)
        if isinstance(wire, Text):
            wire = without_blanks(wire)
        try:
            with inference():
                return [
                    answers for batch, _ in Batches(Split(wire, wire), self.body) for answers in head.n_best(batch, n)
                ]
        except ValueError as error:
            raise NlpipeError(str(error)) from None

    def generate(
        self, prompts: Sequence[str], stream: Callable[[str], None] | None = None, **options: Any
    ) -> list[Continuation]:
        """What a language model writes behind each prompt.

        Args:
            prompts: beginnings of texts; an empty one asks for a whole text.
            stream: called with what the text of one prompt has become longer by, token after token.
            options: those of ``nlpipe.pipeline.generation.Generation``: ``max_new_tokens``, ``temperature`` …

        Raises:
            NlpipeError: the pipeline is no language model, or an option has an invalid value.
        """
        from nlpipe.pipeline.generation import generate, options_of

        how = options_of(options)
        with explaining_unfitted(self.stages):
            return generate(self.head, self.tokenizer, texts_of(prompts, "prompts"), how, stream)

    def surprisals(self, texts: Sequence[str]) -> list[Surprisal]:
        """How unexpected each token of the texts is to a language model.

        Raises:
            NlpipeError: the pipeline is no language model.
        """
        from nlpipe.pipeline.surprisal import surprisals

        with explaining_unfitted(self.stages):
            return surprisals(self.body, self.head, texts)

    def fill(self, texts: Sequence[str], top: int = 5) -> list[list[list[tuple[str, float]]]]:
        """Of each text, for each gap (``[MASK]``): the ``top`` most probable pieces with their probabilities.

        Raises:
            NlpipeError: the pipeline is no masked language model; or a text has no gap, or is too long.
        """
        fills = able(self.head, Fills)
        if fills is None:
            raise NlpipeError(
                f"'{written_name(self.head)}' is no masked language model and fills no gaps; masked_language_model does"
            )
        from nlpipe.nn.masked_model import fill

        strings = texts_of(texts, "texts")
        with explaining_unfitted(self.stages):
            model, splitter = fills.masked_model()
            return [fill(model, splitter, text, top) for text in strings]

    def word_space(self, part: str | None = None) -> WordSpace:
        """Its words as points; for many questions, since ``neighbours`` and ``word_similarity`` make one each time.

        Args:
            part: whose vectors (``representation``, ``representation.parts.1``, ``head``); None: the first with any.

        Raises:
            NlpipeError: no stage, or not this one, has static vectors of words.
        """
        from nlpipe.pipeline.word_space import word_space

        return word_space(self.stages, part)

    def neighbours(
        self, words: str | Sequence[str], minus: str | Sequence[str] = (), top: int = 10, part: str | None = None
    ) -> Neighbours:
        """The ``top`` words nearest to a word, or to a sum of words (``["king", "woman"], minus="man"``), by cosine.

        Raises:
            NlpipeError: as ``word_space``; or a word is not in the vocabulary.
        """
        return self.word_space(part).neighbours(words, minus, top)

    def word_similarity(self, pairs: str | Path, part: str | None = None) -> Similarity:
        """How cosines rank pairs of words, beside people's judgements: Spearman's correlation.

        Args:
            pairs: ``wordsim353``, ``simlex999``, or a file: two words and a number a line, with tabs between.

        Raises:
            NlpipeError: as ``word_space``; or the file is malformed, or too few of its words have a vector.
            MissingExtra: gensim, which brings the named sets, is not installed.
        """
        from nlpipe.pipeline.word_pairs import word_similarity

        return word_similarity(self.word_space(part), pairs)

    def ledger(self, inputs: Wire) -> dict[str, float]:
        """What the pipeline could not use of ``inputs``: texts without a token, and what its stages count."""
        tokenizer = self.tokenizer
        if tokenizer is None:
            return {}
        counts: dict[str, float] = {"tokens": 0, "without_tokens": 0}
        for batch, _ in Batches(Split(inputs, inputs), [tokenizer], through=self._through):
            counts["tokens"] += sum(map(len, batch.words))
            counts["without_tokens"] += sum(not words for words in batch.words)
            for stage in self.stages[1:2]:
                for name, count in stage.ledger(batch).items():
                    if name != "tokens":  # counted already
                        counts[name] = counts.get(name, 0) + count
        return counts

    def parameter_count(self) -> int:
        """Numbers that were learnt: the arrays of all stages."""
        return sum(
            array.size
            for stage in self.stages
            for _, nested in all_states(stage)
            for array in nested.state().arrays.values()
            if array.dtype.kind == "f"
        )

    def export(self, folder: str | Path) -> Path:
        """Write its transformer encoder as a new directory that ``transformers`` loads, fine-tuned where it was.

        That of a masked language model has the head too.

        Raises:
            ModelError: it has none, or several, or the directory exists.
        """
        fills = able(self.head, Fills)
        if fills is not None:
            fills.export(Path(folder))
            return Path(folder)
        every = [nested for stage in self.stages for nested in stage.with_nested()]
        pretrained = [able_stage for stage in every if (able_stage := able(stage, Pretrained)) is not None]
        if len(pretrained) != 1:
            names = " → ".join(map(written_name, self.stages))
            many = "several stages" if pretrained else "no stage"
            raise ModelError(f"{many} of this pipeline ({names}) can be exported; exactly one 'bert' is needed")
        pretrained[0].export(Path(folder))
        return Path(folder)

    # -- on disk -------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write the pipeline as JSON and safetensors into ``folder``, which is whole or absent afterwards."""
        target = Path(folder)
        with whole_folder(target) as partial:
            self.write(partial)
        return target

    def write(self, folder: Path) -> None:
        """Write the files of ``save`` into a folder that exists.

        Raises:
            ModelError: a stage is not fitted.
        """
        for stage in self.stages:
            if missing := missing_before_use(stage):
                raise ModelError(f"{type(stage).__name__}: save needs {missing}")
        keys = {"name": self.name, "task": self.task.name, "seed": self.seed, "trainer": self.trainer}
        if self.reading:
            keys["reading"] = self.reading
        if self.runtimes:
            keys["runtimes"] = self.runtimes
        write_model(folder, self.stages, keys)

    @classmethod
    def load(cls, folder: str | Path, runtime: str | None = None) -> Pipeline:
        """A pipeline that was saved, ready to predict; ``folder`` may be the run's folder too.

        Args:
            runtime: what computes its answers, as for ``use_runtime``.

        Raises:
            NlpipeError: ``runtime`` cannot compute it, or there is none of this name.
            ModelError: there is none, a part is missing or damaged, or it was written by another format.
        """
        root = model_root(Path(folder))
        if is_cascade(root):
            cascade: Pipeline = pkgutil.resolve_name(OF_SEVERAL).read(root, read_keys(root), runtime)
            return cascade
        manifest, stages = read_manifest(root)
        pipeline = cls(stages, manifest["task"], manifest["trainer"], manifest["seed"], manifest["name"])
        pipeline.reading, pipeline.runtimes = manifest.get("reading", {}), manifest.get("runtimes", {})
        for position, (stage, entry) in enumerate(zip(stages, manifest["stages"], strict=True)):
            if isinstance(stage, Head):
                stage.bind(pipeline.body)
            read_states(root, position, stage, entry)
            stage.freeze(answers_in_bf16(pipeline.task, Trainer(**pipeline.trainer)))
        pipeline.use_runtime(runtime)
        return pipeline
