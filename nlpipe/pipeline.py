"""Stages in a row: checked, fitted, used, saved and loaded.

pipeline = Pipeline([Regex(), TfIdf(ngrams=(1, 2)), LogisticRegression()])
pipeline.fit(texts, labels)
pipeline.predict(["a fine film"]).values
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from nlpipe.errors import DataError, ModelError, NlpipeError, NlpipeWarning, WiringError
from nlpipe.files import read_json, whole_folder, write_arrays, write_json
from nlpipe.heads.per_token import fit_per_token, predict_per_token
from nlpipe.registry import FOLDERS, from_plain, slot, slot_name, to_plain
from nlpipe.stage import Head, LabelHead, Predictions, Representation, Stage, State, Tokenizer
from nlpipe.stretches import cut_long
from nlpipe.tasks import task_named
from nlpipe.tasks.task import Split, Task
from nlpipe.wire import Sequences, Tags, Text, Tokens, Vectors, Wire
from nlpipe.wiring import check_wiring

FORMAT = 1
"""Of the saved folder; a folder of another format is refused."""

BATCH = 256
"""Examples that go through the stages together where nothing else decides."""


PADDED = 400_000
"""Most characters (or 6 times as many as tokens) in a batch if each text were as long as its longest."""


def cuts(sizes: np.ndarray, most: int = BATCH) -> Iterator[tuple[int, int]]:
    """(start, end) of batches of at most ``most`` examples, and of at most ``PADDED`` unless one alone is longer.

    Args:
        sizes: (N,) of each example, as ``_sizes`` gives them.
    """
    start = 0
    while start < len(sizes):
        end = min(start + most, len(sizes))
        while end - start > 1 and (end - start) * sizes[start:end].max() > PADDED:
            end = start + (end - start) // 2
        yield start, end
        start = end


class Batches:
    """Inputs and targets in batches, each passed through ``steps`` when it is asked for; can be gone through again.

    A very long text makes its batch smaller, so that padding the others to its length costs no memory.
    """

    def __init__(self, split: Split, steps: Sequence[Callable[[Any], Any]] = (), size: int = BATCH) -> None:
        self.split = split
        self.steps = tuple(steps)
        self.size = size

    def then(self, step: Callable[[Any], Any]) -> Batches:
        """The same batches, one step further."""
        return Batches(self.split, (*self.steps, step), self.size)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for start, end in cuts(_sizes(self.split.inputs), self.size):
            batch = self.split.take(range(start, end))
            wire: Any = batch.inputs
            for step in self.steps:
                wire = step(wire)
            yield wire, batch.targets


class Pipeline:
    """A tokenizer, a representation, encoders and a head, fitted together.

    Args:
        stages: in the order data flows; the last is the head.
        task: what the head's answers mean; also how predictions are scored and written.
        trainer: options of ``nlpipe.trainer.Trainer``, for heads that learn by gradients.
        seed: of every random number drawn in ``fit``.
        name: for tables and folders.

    Raises:
        WiringError: the stages do not fit together; names every place where they do not.
    """

    def __init__(
        self,
        stages: Sequence[Stage[Any, Any]],
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
        self.history: Any = None
        """What the trainer recorded in the last ``fit``; None where nothing was learnt by gradients."""
        self.fit_seconds: dict[str, float] = {}
        """Seconds that each stage took to learn in the last ``fit``, with the cheap stages before it."""
        placed = [(slot_name(stage), _written_name(stage), stage) for stage in self.stages]
        faults = check_wiring(placed, self.task.target, self.task.source)
        if faults:
            raise WiringError("\n".join(fault.message for fault in faults))

    @property
    def head(self) -> Head[Any, Any]:
        """The last stage."""
        head = self.stages[-1]
        assert isinstance(head, Head)
        return head

    @property
    def body(self) -> list[Stage[Any, Any]]:
        """The stages before the head."""
        return self.stages[:-1]

    # -- learning ------------------------------------------------------------------------------------------------

    def fit(
        self,
        inputs: Sequence[str] | Wire,
        targets: Sequence[Any] | Wire,
        dev: tuple[Sequence[str] | Wire, Sequence[Any] | Wire] | None = None,
    ) -> Pipeline:
        """Learn from texts and their targets; ``dev`` decides what must be decided on other data (early stopping).

        Raises:
            DataError: the examples cannot be learnt from (one class only, nothing but empty texts).
        """
        train = self._split(inputs, targets)
        return self.fit_split(train, self._split(*dev) if dev is not None else None)

    def _split(self, inputs: Sequence[str] | Wire, targets: Sequence[Any] | Wire) -> Split:
        split = Split(_wire(inputs), targets if isinstance(targets, Wire) else self.task.target(list(targets)))  # type: ignore[call-arg]
        if len(split.inputs) != len(split.targets):
            raise NlpipeError(f"{len(split.inputs)} inputs but {len(split.targets)} targets; give one for each")
        return split

    def fit_split(
        self,
        train: Split,
        dev: Split | None = None,
        checkpoint: Path | None = None,
        report: Callable[[str], None] = lambda message: None,
        progress: bool | None = None,
    ) -> Pipeline:
        """``fit`` on wires.

        Args:
            checkpoint: where training by gradients leaves its checkpoints; one that is there is gone on from.
            report: told of progress, in a line.
            progress: whether training by gradients draws a bar; None: where there is a terminal.
        """
        seed_everything(self.seed)
        dev = dev if dev is not None and len(dev) else None
        for stage in self.stages:
            for each in stage.with_nested():
                each.seed = self.seed
        self.fit_seconds = {}
        data, on_dev = Batches(train), Batches(dev) if dev is not None else None
        taught = Batches(self._both(train)) if self.head.joint else None  # what stages that targets share are fitted on
        done, width, costly = 0, 0, self._costly_end()
        for position, stage in enumerate(self.body):
            started = time.perf_counter()
            apply = self._apply(stage, position)
            if not learns(stage):
                data = data.then(apply)
            elif stage.gives is Vectors or (stage.gives is Sequences and self._per_token):  # the head takes all at once
                rows = stage.gives.concat(list(stage.fit_forward(data)))
                data, done = Batches(Split(rows, data.split.targets), size=max(1, len(rows))), position + 1
            else:
                stage.fit(taught or data)
                data = data.then(apply)
            taught = taught.then(apply) if taught is not None else None
            on_dev = on_dev.then(apply) if on_dev is not None else None
            if learns(stage):
                self.fit_seconds[_written_name(stage)] = time.perf_counter() - started
            width = stage.build(width)
            _rest(stage)
            if position + 1 == costly:
                kept, seconds = self._kept_features(train, costly, report)
                dev_kept = self._kept_features(dev, costly, report)[0] if dev is not None else None
                if kept is not None and (dev is None or dev_kept is not None):
                    data, on_dev, done = Batches(kept), Batches(dev_kept) if dev_kept is not None else None, costly
                    self.fit_seconds[_written_name(stage)] = seconds
        started = time.perf_counter()
        if self.head.by_gradient:
            self._train(data, on_dev, done, width, checkpoint, report, progress)
        elif self._per_token:
            fit_per_token(self.head, data)  # type: ignore[arg-type]
        else:
            self.head.fit(data)
        self.head.calibrate(on_dev if on_dev is not None else [])
        self.fit_seconds[_written_name(self.head)] = time.perf_counter() - started
        return self

    @property
    def _per_token(self) -> bool:
        """Whether the head labels vectors, and is applied to every word."""
        return isinstance(self.head, LabelHead) and self.task.target is Tags

    def _both(self, train: Split) -> Split:
        """Sources followed by targets, as one split, for stages that a head shares for its targets."""
        sources = train.inputs.texts if isinstance(train.inputs, Tokens) else getattr(train.inputs, "strings", [])
        assert isinstance(train.targets, Text), train.targets
        for stage in self.body:
            if isinstance(stage, Representation):
                stage.specials = self.head.specials
        return Split(Text([*sources, *train.targets.strings]), Text.concat([train.targets, Text(sources)]))

    def _costly_end(self) -> int:
        """How many stages from the first on are worth keeping the outputs of; 0 where none is dear.

        The dear stage and the pooling behind it, as long as nothing before them is trained.
        """
        end = 0
        for position, stage in enumerate(self.body):
            if stage.trainable or (end and (learns(stage) or stage.gives is not Vectors)):
                break
            if stage.costly or (end and end == position):
                end = position + 1
        return end

    def _kept_features(self, split: Split, end: int, report: Callable[[str], None]) -> tuple[Split | None, float]:
        """``split`` with the outputs of the first ``end`` stages, on disk, as its inputs, and the seconds they took;
        None where they are too large to keep."""
        from nlpipe.features import kept

        def compute() -> Iterator[Any]:
            steps = [self._apply(stage, position) for position, stage in enumerate(self.body[:end])]
            done = 0
            with inference():
                for wire, targets in Batches(split, steps):
                    report(f"features of {done:,} of {len(split):,} examples")
                    done += len(targets)
                    yield wire

        rows, seconds = kept(self.stages[:end], split.inputs, compute, source_hash())
        return (None, 0.0) if rows is None else (Split(rows, split.targets), seconds)

    def _train(
        self,
        data: Batches,
        dev: Batches | None,
        done: int,
        width: int,
        checkpoint: Path | None,
        report: Callable[[str], None],
        progress: bool | None,
    ) -> None:
        """Train the head and the stages from ``done`` on by gradients; work without parameters is done once, before."""
        from nlpipe.objective import Objective, SplitExamples, apply, lengths_of
        from nlpipe.trainer import Trainer

        self.head.fit([(data.split.inputs, data.split.targets)])  # the targets alone matter to a head with a loss
        classes: tuple[str, ...] = getattr(self.head, "classes", ())
        if len(classes) == 1:
            raise DataError(f"all {len(data.split)} training examples have the label {classes[0]!r}: two are needed")
        self.head.bind(self.body)
        self.head.build(width)
        if not done and isinstance(self.stages[0], Tokenizer):
            data, done = self._tokenised(data.split), 1
            dev = self._tokenised(dev.split) if dev is not None else None
        stages = self.body[done:]
        prepare = stages[0].prepare if stages else self.head.prepare
        train = Split(prepare(data.split.inputs), self.head.prepare_target(data.split.targets))
        if not lengths_of(train.inputs).any():
            raise DataError("no features: every text is empty after tokenisation")
        held = Split(prepare(dev.split.inputs), dev.split.targets) if dev is not None else None
        answers = getattr(self.head, "tags", classes)
        metric, primary = self.task.metrics(answers)[0], self.task.primary_of(answers)

        def evaluate() -> float:
            assert held is not None
            found = self._answer(held.inputs, lambda wire: self.head.guess(apply(stages, wire)))
            return metric(held.targets, found)[primary]

        trainer = Trainer(**self.trainer)
        if held is None and trainer.patience is not None:
            warnings.warn(
                f"no dev split: trainer.patience has nothing to go by, so all {trainer.epochs} epochs are trained",
                NlpipeWarning,
                stacklevel=2,
            )
            trainer = dataclasses.replace(trainer, patience=None)
        self.history = trainer.train(
            Objective(stages, self.head),
            SplitExamples(train),
            evaluate if held is not None else None,
            seed=self.seed,
            checkpoint=checkpoint,
            progress=progress,
            report=report,
        )

    def _tokenised(self, split: Split) -> Batches:
        """Everything after the tokenizer, in memory."""
        parts = [wire for wire, _ in Batches(split, [self._apply(self.stages[0], 0)])]
        return Batches(Split(Tokens.concat(parts), split.targets))

    def _apply(self, stage: Stage[Any, Any], position: int) -> Callable[[Any], Any]:
        if position == 0 and isinstance(stage, Tokenizer):
            tokenizer = stage
            return lambda wire: tokenizer.keep(wire) if isinstance(wire, Tokens) else tokenizer.forward(wire)
        return stage.forward

    # -- use -----------------------------------------------------------------------------------------------------

    def predict(self, inputs: Sequence[str] | Wire, batch_size: int = BATCH) -> Predictions[Any]:
        """The answers for all inputs, in their order.

        Texts of like length go together, so that one long text does not slow the others.
        """
        wire = _wire(inputs)

        def through(batch: Any, first: int = 0) -> Predictions[Any]:
            for position, stage in enumerate(self.body[first:], first):
                batch = self._apply(stage, position)(batch)
                if position == 0 and self.task.target is Tags and (cut := cut_long(batch)) is not None:
                    return cut.join(self._answer(cut.parts, partial(through, first=1), batch_size))
            return predict_per_token(self.head, batch) if self._per_token else self.head.predict(batch)  # type: ignore[arg-type]

        return self._answer(wire, through, batch_size)

    def _answer(
        self, wire: Wire, answer: Callable[[Any], Predictions[Any]], batch_size: int = BATCH
    ) -> Predictions[Any]:
        """``answer`` of every batch, in the order of ``wire``; texts of like length are together in a batch."""
        if not len(wire):
            return Predictions(self.task.target([]))  # type: ignore[call-arg]
        sizes = _sizes(wire)
        order = np.argsort(sizes, kind="stable")
        with inference():
            parts = [answer(wire.take(order[start:end].tolist())) for start, end in cuts(sizes[order], batch_size)]
        return _concat(parts, np.argsort(order, kind="stable"))

    def predict_stream(
        self, inputs: Iterable[str], batch_size: int = BATCH
    ) -> Iterator[tuple[list[str], Predictions[Any]]]:
        """Answers for an endless run of texts, in order, in bounded memory: (texts, predictions) batch by batch."""
        iterator = iter(inputs)
        while texts := list(islice(iterator, batch_size)):
            yield texts, self.predict(texts, batch_size)

    def ledger(self, inputs: Wire) -> dict[str, float]:
        """What the pipeline could not use of ``inputs``: texts without a token, and what its stages count."""
        counts: dict[str, float] = {"tokens": 0, "without_tokens": 0}
        first, others = self.stages[0], self.body[1:]
        if not isinstance(first, Tokenizer):
            return {}
        for batch, _ in Batches(Split(inputs, inputs), [self._apply(first, 0)]):
            counts["tokens"] += sum(map(len, batch.words))
            counts["without_tokens"] += sum(not words for words in batch.words)
            for stage in others[:1]:
                for name, count in stage.ledger(batch).items():
                    counts[name] = counts.get(name, 0) + count
        return counts

    def parameter_count(self) -> int:
        """Numbers that were learnt: the arrays of all stages."""
        return sum(
            array.size
            for stage in self.stages
            for _, each in _all_states(stage)
            for array in each.state().arrays.values()
            if array.dtype.kind == "f"
        )

    def export(self, folder: str | Path) -> Path:
        """Write its transformer encoder as a new directory that ``transformers`` loads, fine-tuned where it was.

        Raises:
            ModelError: it has none, or several, or the directory exists.
        """
        found = [each for stage in self.stages for each in stage.with_nested() if hasattr(each, "export")]
        if len(found) != 1:
            names = " → ".join(map(_written_name, self.stages))
            many = "several stages" if found else "no stage"
            raise ModelError(f"{many} of this pipeline ({names}) can be exported; it takes one 'bert'")
        found[0].export(Path(folder))
        return Path(folder)

    # -- on disk -------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write the pipeline as JSON and safetensors into ``folder``, which is whole or absent afterwards."""
        target = Path(folder)
        with whole_folder(target) as partial:
            self.write(partial)
        return target

    def write(self, folder: Path) -> None:
        """Write the files of ``save`` into a folder that exists."""
        stages = []
        for position, stage in enumerate(self.stages):
            versions = {}
            for key, each in _all_states(stage):
                state = each.state()
                stem = f"{position}-{slot_name(stage)}{key}"
                if state.data:
                    write_json(folder / f"{stem}.json", state.data)
                if state.arrays:
                    write_arrays(folder / f"{stem}.safetensors", state.arrays)
                versions[key] = each.version
            stages.append({"slot": slot_name(stage), "stage": to_plain(stage), "versions": versions})
        manifest = {
            "format": FORMAT, "name": self.name, "task": self.task.name, "seed": self.seed, "trainer": self.trainer,
            "stages": stages,
        }  # fmt: skip
        write_json(folder / "model.json", manifest)

    @classmethod
    def load(cls, folder: str | Path) -> Pipeline:
        """A pipeline that was saved, ready to predict; ``folder`` may be the run's folder too.

        Raises:
            ModelError: there is none, a part is missing or damaged, or it was written by another format.
        """
        root = Path(folder)
        if not (root / "model.json").exists() and (root / "model" / "model.json").exists():
            root = root / "model"
        if not (root / "model.json").exists():
            raise ModelError(f"{folder}: there is no saved pipeline here (no model.json); 'nlpipe run FILE' makes one")
        manifest = read_json(root / "model.json")
        if manifest.get("format") != FORMAT:
            raise ModelError(
                f"{root}: saved in format {manifest.get('format')}, this nlpipe reads format {FORMAT}; run it again"
            )
        try:
            stages = [from_plain(entry["slot"], entry["stage"]) for entry in manifest["stages"]]
        except ValueError as error:
            raise ModelError(f"{root / 'model.json'}: {error}") from None
        pipeline = cls(stages, manifest["task"], manifest["trainer"], manifest["seed"], manifest["name"])
        for position, (stage, entry) in enumerate(zip(stages, manifest["stages"], strict=True)):
            if isinstance(stage, Head):
                stage.bind(pipeline.body)
            for key, each in _all_states(stage):
                stem = f"{position}-{entry['slot']}{key}"
                try:
                    each.load_state(_read_state(root, stem), entry["versions"][key])
                except KeyError as error:
                    raise ModelError(
                        f"{root / stem}: {error} is missing; the folder is not whole; run it with --again"
                    ) from None
            _rest(stage)
        return pipeline


def learns(stage: Stage[Any, Any]) -> bool:
    """Whether ``stage`` learns something in ``fit``."""
    return type(stage).fit is not Stage.fit or type(stage).fit_forward is not Stage.fit_forward


def _rest(stage: Stage[Any, Any]) -> None:
    """Have ``stage`` answer, not learn: no dropout. The trainer wakes those that it trains."""
    module = stage.module
    if module is not None:
        module.eval()


def seed_everything(seed: int) -> None:
    """Seed Python, numpy, and torch where it is loaded."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _all_states(stage: Stage[Any, Any], prefix: str = "") -> Iterator[tuple[str, Stage[Any, Any]]]:
    """Nested stages first, then ``stage`` itself, each with the suffix of its files (``.parts.0``)."""
    for name, nested in stage.nested().items():
        yield from _all_states(nested, f"{prefix}.{name}")
    yield prefix, stage


def _read_state(root: Path, stem: str) -> State:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    data, arrays = root / f"{stem}.json", root / f"{stem}.safetensors"
    try:
        return State(
            load_file(arrays) if arrays.exists() else {},
            read_json(data) if data.exists() else {},
        )
    except SafetensorError as error:
        raise ModelError(f"{arrays}: damaged: {error}; run the pipeline with --again") from None


def _wire(inputs: Sequence[Any] | Wire) -> Wire:
    if isinstance(inputs, Wire):
        return inputs
    if isinstance(inputs, str):
        raise NlpipeError("predict and fit take a list of texts, not one text: write [text]")
    items = list(inputs)
    if items and isinstance(items[0], list | tuple):
        return Tokens.from_words([list(words) for words in items])
    for position, item in enumerate(items):
        if not isinstance(item, str):
            raise NlpipeError(f"text {position} is {item!r}, a {type(item).__name__}, not a string")
    return Text(items)


def _sizes(wire: Wire) -> np.ndarray:
    """(N,) characters of each example, or about as many."""
    if isinstance(wire, Text):
        return np.array([len(text) for text in wire.strings], dtype=np.int64)
    if isinstance(wire, Tokens):
        return np.array([6 * len(words) for words in wire.words], dtype=np.int64)
    return 6 * wire.lengths if isinstance(wire, Sequences) else np.zeros(len(wire), dtype=np.int64)


@contextmanager
def inference() -> Iterator[None]:
    """No gradients are kept in the block, where torch is loaded at all."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
    else:
        with torch.inference_mode():
            yield


@functools.cache
def source_hash() -> str:
    """Hash of nlpipe's own code, as far as it decides what a pipeline gives."""
    root = Path(__file__).parent
    names = [folder for folder, _ in FOLDERS.values()] + ["nn", "search", "training", "metrics", "tasks"]
    files = [path for name in names for path in sorted((root / name).rglob("*.py"))]
    alone = ("stage", "wire", "schemes", "vocabulary", "objective", "pipeline", "stretches", "trainer")
    files += [root / f"{name}.py" for name in alone]
    found = hashlib.sha256()
    for path in files:
        found.update(path.read_bytes() if path.exists() else b"")
    return found.hexdigest()


def _written_name(stage: Stage[Any, Any]) -> str:
    try:
        return slot(slot_name(stage)).name_of(type(stage))
    except NlpipeError:  # a class of the user's own, used without being registered
        return type(stage).__name__


def _concat(parts: Sequence[Predictions[Any]], order: np.ndarray) -> Predictions[Any]:
    """Predictions of several batches as one, then reordered."""
    first = parts[0]
    values = type(first.values).concat([part.values for part in parts]).take(order.tolist())
    scores = None if first.scores is None else np.concatenate([p.scores for p in parts if p.scores is not None])[order]
    probabilities = (
        None
        if first.probabilities is None
        else np.concatenate([p.probabilities for p in parts if p.probabilities is not None])[order]
    )
    return Predictions(values, scores, probabilities, first.classes)
