"""Names of stages to their classes, loaded when they are asked for; ``nlpipe.register`` adds to them.

A slot is a folder. Its ``__init__.py`` holds one table, ``name -> "module:Class"``; adding a stage is one file and
one line there. Other packages add theirs with an entry point (group ``nlpipe.tokenizers`` …) or with
``@nlpipe.register.tokenizer("name")``.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nlpipe.errors import NlpipeError, suggest
from nlpipe.names import EXTRAS as EXTRAS
from nlpipe.names import Table
from nlpipe.names import missing_extra as missing_extra
from nlpipe.options import options_of
from nlpipe.stage import AnyStage, Decoder, Encoder, Head, Representation, Stage, Tokenizer

S = TypeVar("S", bound="AnyStage")
C = TypeVar("C")

FOLDERS: Mapping[str, tuple[str, type[AnyStage]]] = {
    "tokenizer": ("tokenizers", Tokenizer),
    "representation": ("representations", Representation),
    "encoder": ("encoders", Encoder),
    "decoder": ("decoders", Decoder),
    "head": ("heads", Head),
}
"""Slot, as pipeline files spell it, to its folder and the class its stages derive from; in the order data flows."""


class Slot(Table[type[S]]):
    """One kind of stage: the names a pipeline file may use for it, and their classes.

    Args:
        name: as pipeline files spell it, ``tokenizer``.
        base: what every stage of it derives from.
        package: the folder, ``nlpipe.tokenizers``; entry points are looked for in the group of this name.
        table: name to ``module:Class``, modules within ``package``.
    """

    def __init__(self, name: str, base: type[S], package: str, table: Mapping[str, str]) -> None:
        super().__init__(name, package, table)
        self.base = base

    def accept(self, name: str, thing: Any) -> type[S]:
        """``thing``, if it is a class of this slot.

        Raises:
            NlpipeError: it is not.
        """
        if not (isinstance(thing, type) and issubclass(thing, self.base)):
            raise NlpipeError(f"{self.name} '{name}' is {thing!r}, which does not derive from {self.base.__name__}")
        return thing

    def name_of(self, owner: type[AnyStage]) -> str:
        """The name under which ``owner`` is known.

        Raises:
            NlpipeError: it is not registered.
        """
        target = f"{owner.__module__}:{owner.__qualname__}"
        for name in self.names():
            if name in self._registered:
                matches = self._registered[name].thing is owner
            elif name in self.table:
                matches = self.table[name] == target
            else:
                matches = any(point.value == target for point in self._entry_points[name])
            if matches:
                return name
        raise NlpipeError(
            f"{owner.__qualname__} is not a registered {self.name}: write @nlpipe.register.{self.name}('name') above it"
        )

    def summary(self, name: str) -> str:
        """The first line of the docstring of ``name``, read without importing a built-in stage."""
        if name not in self.table:
            return (self.load(name).__doc__ or "").strip().partition("\n")[0]
        module, _, attribute = self.table[name].partition(":")
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.origin is not None, module
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == attribute:
                return (ast.get_docstring(node) or "").partition("\n")[0]
        return ""

    def class_names(self) -> list[str]:
        """The class of each built-in stage, sorted: what can be imported from the folder."""
        return sorted(target.partition(":")[2] for target in self.table.values())

    def attribute(self, attribute: str) -> Any:
        """``from nlpipe.tokenizers import Regex``: the class of this name, for the folder's ``__getattr__``.

        Raises:
            AttributeError: no built-in stage of this slot has that class name.
        """
        for name, target in self.table.items():
            if target.partition(":")[2] == attribute:
                return self.load(name)
        raise AttributeError(f"module '{self.package}' has no attribute '{attribute}'")


def slot(name: str) -> Slot[Any]:
    """The slot that pipeline files call ``name``.

    Raises:
        NlpipeError: there is none.
    """
    if name not in FOLDERS:
        raise NlpipeError(f"there is no slot '{name}'{suggest(name, FOLDERS)}")
    table = importlib.import_module(f"nlpipe.{FOLDERS[name][0]}").SLOT
    assert isinstance(table, Slot)
    return table


def slot_of(annotation: Any) -> str | None:
    """The slot whose stages an option annotated with ``annotation`` takes (``Tokenizer`` -> ``tokenizer``), if any.

    Unions and lists are looked into: ``Tokenizer | None`` and ``list[Representation]`` name a slot too.
    """
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation) or annotation
    for name, (_, base) in FOLDERS.items():
        if isinstance(origin, type) and issubclass(origin, base):
            return name
    return next((kind for argument in arguments if (kind := slot_of(argument))), None)


def slot_name(stage: AnyStage) -> str:
    """The slot that ``stage`` belongs to: the one whose base class it derives from."""
    return next(name for name, (_, base) in FOLDERS.items() if isinstance(stage, base))


def written_name(stage: AnyStage) -> str:
    """What files call ``stage``; its class's name where that is not registered."""
    try:
        return slot(slot_name(stage)).name_of(type(stage))
    except NlpipeError:
        return type(stage).__name__


def to_plain(stage: AnyStage) -> dict[str, Any]:
    """A stage as a pipeline file writes it: ``name`` and every option, nested stages likewise.

    Raises:
        NlpipeError: its class is not registered, so that no file can name it.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, Stage):
            return to_plain(value)
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value

    options = {name: plain(value) for name, value in stage.options.items()}
    return {"name": slot(slot_name(stage)).name_of(type(stage)), **options}


def from_plain(slot_key: str, written: Mapping[str, Any]) -> AnyStage:
    """A new stage from what ``to_plain`` gave.

    Raises:
        NlpipeError: no stage has that name.
        ValueError: an option is unknown or does not fit.
    """
    owner = slot(slot_key).load(written["name"])
    declared = options_of(typing.cast(Callable[..., Any], owner))

    def make(value: Any, inner: str) -> Any:
        if isinstance(value, list):
            return [make(item, inner) for item in value]
        return from_plain(inner, value) if isinstance(value, Mapping) else value

    options = {}
    for name, value in written.items():
        if name != "name":
            inner = slot_of(declared[name].annotation) if name in declared else None
            options[name] = make(value, inner) if inner else value
    stage = owner(**options)
    assert isinstance(stage, Stage)
    return stage


def names_used(kind: str, written: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Slot and name of a stage that ``to_plain`` or a resolved file writes, and of the stages nested in it."""
    owner = slot(kind).load(written["name"])
    declared = options_of(typing.cast(Callable[..., Any], owner))
    used = {(kind, str(written["name"]))}
    for name, value in written.items():
        inner = slot_of(declared[name].annotation) if name in declared else None
        if inner is not None:
            for stage in value if isinstance(value, list | tuple) else [value]:
                if isinstance(stage, Mapping):
                    used |= names_used(inner, stage)
    return used


OTHERS = {"metric": "nlpipe.metrics.user_metrics:METRICS", "reader": "nlpipe.datasets.readers:FORMATS",
          "task": "nlpipe.tasks:TASKS"}  # fmt: skip
"""What can be registered besides stages, to its table; loaded when it is asked for."""


def table_of(kind: str) -> Table[Any]:
    """The table of a slot, or of metrics, readers or tasks.

    Raises:
        NlpipeError: there is no such kind.
    """
    if kind not in OTHERS:
        return slot(kind)
    module, _, attribute = OTHERS[kind].partition(":")
    table = getattr(importlib.import_module(module), attribute)
    assert isinstance(table, Table)
    return table


class Register:
    """``@nlpipe.register.encoder("conv")`` makes a class or function of one's own usable by name.

    What is registered at the top level of a module or of a script is known in worker processes too.
    """

    def tokenizer(self, name: str) -> Callable[[type[S]], type[S]]:
        """Of a class derived from ``nlpipe.stage.Tokenizer``."""
        return slot("tokenizer").register(name)

    def representation(self, name: str) -> Callable[[type[S]], type[S]]:
        """Of a class derived from ``nlpipe.stage.Representation``."""
        return slot("representation").register(name)

    def encoder(self, name: str) -> Callable[[type[S]], type[S]]:
        """Of a class derived from ``nlpipe.stage.Encoder``."""
        return slot("encoder").register(name)

    def decoder(self, name: str) -> Callable[[type[S]], type[S]]:
        """Of a class derived from ``nlpipe.stage.Decoder``."""
        return slot("decoder").register(name)

    def head(self, name: str) -> Callable[[type[S]], type[S]]:
        """Of a class derived from ``nlpipe.stage.Head``."""
        return slot("head").register(name)

    def task(self, name: str) -> Callable[[C], C]:
        """Of a class derived from ``nlpipe.tasks.task.Task``, or from one of nlpipe's tasks; its ``name`` is ``name``.

        A card or a pipeline's ``data:`` names it in ``task:``.
        """
        return table_of("task").register(name)

    def reader(self, name: str, suffixes: Sequence[str] = ()) -> Callable[[C], C]:
        """Of a function ``(origins, layout) -> iterator of rows``, which data of every task can then be read with.

        A card or a pipeline's ``data:`` names it in ``format:``.

        Args:
            suffixes: endings of file names, such as ``.xml``, that tell this format where none is named.
        """
        readers: Any = table_of("reader")
        decorator: Callable[[C], C] = readers.register_reader(name, suffixes)
        return decorator

    def metric(
        self,
        name: str,
        task: str,
        unit: str = "value",
        higher_is_better: bool = True,
        score: Callable[[Any], Any] | None = None,
    ) -> Callable[[C], C]:
        """Of a function ``(gold, predictions) -> values``, one number for each of N examples: the score is their mean.

        It is computed for every run of ``task`` from then on, and stands in its ``metrics.json`` and in comparisons.
        The first line of the function's docstring is its full name.

        Args:
            task: name of the task whose answers it scores; tasks derived from that one have it too.
            unit: share (in [0, 1]), points (in [0, 100]), correlation (in [-1, 1]), nats, ranks or value.
            higher_is_better: whether a larger number is a better one.
            score: where the score is not a mean: the function then gives statistics (N, S), which are summed over
                examples, and ``score`` makes of sums (..., S) the scores (...), never NaN.
        """
        metrics: Any = table_of("metric")
        decorator: Callable[[C], C] = metrics.register_metric(name, task, unit, higher_is_better, score)
        return decorator

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no slot '{name}'{suggest(name, [*FOLDERS, *OTHERS])}")


register = Register()
